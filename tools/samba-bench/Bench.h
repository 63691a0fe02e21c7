//===- Bench.h - timing a compiled model ------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_BENCH_BENCH_H
#define TOOLS_SAMBA_BENCH_BENCH_H

#include "samba/samba.hpp"
#include "tools/samba-bench/Options.h"
#include "tools/samba-bench/StepTable.h"

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace samba::bench {

/// The state of a sequence of random tokens, by their number.
using Snapshots = std::map<int64_t, std::vector<char>>;

/// Random token ids, all of them of the vocabulary.
std::vector<int32_t> randomTokens(int64_t count, int32_t vocabSize, uint64_t seed);

/// The state after `depth` random tokens; computed once. `model` may be any that is open on the same artefact.
const std::vector<char> &snapshotAt(int64_t depth, const Model &model, uint64_t seed, Snapshots &snapshots);

/// What results say about the model that they are of.
/// How to open the models of a measurement. `options` must outlive it.
samba_options openOptions(const Options &options, int64_t threads);

nlohmann::ordered_json describeModel(const std::string &path, const Model &model, const StepTable &table);

/// Runs all tests that the options ask for on one model and appends their results. Ends early after Ctrl-C.
void runTests(const std::string &path, const Options &options, LimitProbe &probe, nlohmann::ordered_json &models,
              nlohmann::ordered_json &tests);

} // namespace samba::bench

#endif // TOOLS_SAMBA_BENCH_BENCH_H
