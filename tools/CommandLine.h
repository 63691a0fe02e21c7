//===- CommandLine.h - reading command lines ---------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_COMMANDLINE_H
#define TOOLS_COMMANDLINE_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace samba {

/// Reads the command line into the registered `cl::opt`s. `--help` and `--version` print and exit. What is wrong with
/// the command line is an error of one line, without the name of the program.
llvm::Error readCommandLine(int argc, char **argv, llvm::StringRef overview);

} // namespace samba

#endif // TOOLS_COMMANDLINE_H
