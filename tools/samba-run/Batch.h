//===- Batch.h - continuing many prompts -----------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_BATCH_H
#define TOOLS_SAMBA_RUN_BATCH_H

#include "samba/samba.hpp"
#include "tools/samba-run/Limits.h"

namespace samba::run {

/// Continues the prompts of a file of JSON lines, several at a time. A line that is wrong gives a result with "error";
/// the others go on. Throws std::runtime_error or ClosedPipe.
void batch(const Model &model, const Options &options, const Limits &limits);

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_BATCH_H
