//===- Profile.h - the time of each kernel of a step ------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_BENCH_PROFILE_H
#define TOOLS_SAMBA_BENCH_PROFILE_H

#include "tools/samba-bench/Options.h"
#include "tools/samba-bench/StepTable.h"

#include <nlohmann/json_fwd.hpp>

namespace samba::bench {

/// Profiles the steps that the options ask for on one model: appends tables of kernels (--ops), writes a trace
/// (--trace). Throws std::runtime_error if the model has no loop table, or one that is not that of its code.
void runProfiles(const std::string &path, const Options &options, LimitProbe &probe, nlohmann::ordered_json &models,
                 nlohmann::ordered_json &profiles);

} // namespace samba::bench

#endif // TOOLS_SAMBA_BENCH_PROFILE_H
