//===- Predict.h - what kernels could take on a GPU --------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The virtual device counts what kernels do: bytes that they touch, operations of each kind. With the rates of a GPU
// that gives for each kernel the least time in which it could do that. It is no measurement: what latency, occupancy,
// caches and the assembler add or take is not in it. docs/gpu.md has the formula.
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_BENCH_PREDICT_H
#define TOOLS_SAMBA_BENCH_PREDICT_H

#include "tools/samba-bench/Options.h"

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace samba::bench {

/// The rates of a GPU, per second.
struct Card {
  const char *name, *title;
  double bytes;    // of its memory
  double mma;      // floating-point operations of dense bf16 products
  double mmaShare; // of that, what mma.sync reaches
  double ex2;      // of the special function units
  double fp32;     // instructions of lanes
  double launch;   // seconds for a kernel in a graph
};

/// Null if it is unknown.
const Card *findCard(const std::string &name);
/// "h100 or h200".
std::string cardNames();

/// What the counters of one kernel come to: launches, bytes, operations, "predicted_s" and what that is "predicted_by".
nlohmann::ordered_json predictKernel(const std::string &kernel, const nlohmann::ordered_json &counters,
                                     const Card &card);

/// Counters of a kernel now, less those of before (null: none).
nlohmann::ordered_json difference(const nlohmann::ordered_json &now, const nlohmann::ordered_json &before);

/// Runs each prompt and one generation step of each test on the virtual device. Ends early after Ctrl-C.
void runPredictions(const std::string &path, const Options &options, nlohmann::ordered_json &predictions);

/// The table of one of them.
std::string predictionMarkdown(const nlohmann::ordered_json &prediction);

} // namespace samba::bench

#endif // TOOLS_SAMBA_BENCH_PREDICT_H
