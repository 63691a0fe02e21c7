//===- CheckCommandLine.h - options of the checks ----------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_CHECK_CHECKCOMMANDLINE_H
#define TOOLS_CHECK_CHECKCOMMANDLINE_H

#include "tools/check/PassChecker.h"
#include "llvm/Support/CommandLine.h"

namespace samba {

/// `--check-each-pass` and what belongs to it. Registers the options; make one before the command line is read.
class CheckCommandLine {
public:
  CheckCommandLine();
  bool isRequested() const { return arithmetic.getNumOccurrences() > 0; }
  /// Plugins are looked up in `argv`, for the reproducer. The error names the option.
  llvm::Expected<CheckOptions> read(int argc, char **argv) const;

private:
  llvm::cl::opt<std::string> arithmetic, weights, folder, target;
  llvm::cl::opt<uint64_t> seed;
  llvm::cl::list<int64_t> segments;
};

} // namespace samba

#endif // TOOLS_CHECK_CHECKCOMMANDLINE_H
