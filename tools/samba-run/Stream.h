//===- Stream.h - reading without end --------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_STREAM_H
#define TOOLS_SAMBA_RUN_STREAM_H

#include "samba/samba.hpp"
#include "tools/samba-run/Limits.h"

namespace samba::run {

/// Feeds standard input to one session and prints a JSON line for each token (its log probability), or for each line of
/// the input (a continuation, which does not become part of the sequence). Memory does not grow. Throws
/// std::runtime_error or ClosedPipe.
void stream(const Model &model, const Options &options, const Limits &limits);

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_STREAM_H
