//===- Chat.h - a conversation at the terminal -----------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_CHAT_H
#define TOOLS_SAMBA_RUN_CHAT_H

#include "samba/samba.hpp"
#include "tools/samba-run/Options.h"

namespace samba::run {

/// Reads messages and commands from standard input until its end, and prints answers. What fails at a terminal is told,
/// and the conversation goes on; otherwise it is thrown.
void chat(const Model &model, const Options &options);

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_CHAT_H
