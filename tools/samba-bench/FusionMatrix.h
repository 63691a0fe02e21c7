//===- FusionMatrix.h - what each fusion is worth ---------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A model is compiled with many lists of fusions, and each variant is measured against another one that differs in one
// fusion or is a usual reference. Variants take turns, so that other work on the machine meets all of them, and a
// change is the median of the changes of the rounds. Variants whose code came out the same are measured once; one is
// measured twice, and its change against itself says how far the others can be trusted.
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_BENCH_FUSIONMATRIX_H
#define TOOLS_SAMBA_BENCH_FUSIONMATRIX_H

#include "tools/samba-bench/Compiler.h"
#include "tools/samba-bench/Options.h"

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace samba::bench {

struct Variant {
  std::string name;    // "default without norm"
  std::string fusions; // for samba-compile --fusion
  std::string against; // the name of the variant that it is compared with
};

/// The variants for the fusions in `wanted` (empty: all that are known). Throws UsageError if one is not known.
std::vector<Variant> fusionVariants(const std::vector<FusionName> &known, const std::vector<std::string> &wanted);

/// The change in percent of a rate, from pairs of seconds measured in turns: median and quartiles over the rounds.
nlohmann::ordered_json changeOf(const std::vector<double> &seconds, const std::vector<double> &against);

/// Compiles and measures the model directory of the options; the result gets the key "fusion_matrix". Ends early after
/// Ctrl-C. Throws std::runtime_error, UsageError.
void runFusionMatrix(const Options &options, nlohmann::ordered_json &result);

/// Tables of such a result.
std::string fusionMatrixMarkdown(const nlohmann::ordered_json &matrix);

} // namespace samba::bench

#endif // TOOLS_SAMBA_BENCH_FUSIONMATRIX_H
