//===- Generate.h - continuing a prompt ------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_GENERATE_H
#define TOOLS_SAMBA_RUN_GENERATE_H

#include "samba/samba.hpp"
#include "tools/samba-run/Limits.h"

namespace samba::run {

/// Feeds the prompt, writes the files that were asked for, generates and prints. `loadSeconds` is for the timings.
/// Throws std::runtime_error, UsageError or ClosedPipe.
void generate(const Model &model, const Options &options, const Limits &limits, double loadSeconds);

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_GENERATE_H
