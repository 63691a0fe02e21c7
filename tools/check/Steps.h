//===- Steps.h - a pipeline as single passes ---------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_CHECK_STEPS_H
#define TOOLS_CHECK_STEPS_H

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace samba {

/// One pass of a pipeline, with what it is nested in.
struct PassStep {
  std::string pass;     // "samba-fuse-norm"
  std::string pipeline; // "builtin.module(func.func(samba-fuse-norm{force=true}))"
};

/// The passes of a textual pipeline, "builtin.module(a,func.func(b,c))", in order. Passes that are nested in functions
/// run on all functions one after the other.
llvm::Expected<std::vector<PassStep>> stepsOf(llvm::StringRef pipeline);
std::vector<PassStep> stepsOf(mlir::OpPassManager &pm);

/// What stands between the commas outside of all brackets: "a{x=1,2}" and "func.func(b,c)" of "a{x=1,2},
/// func.func(b,c)".
llvm::Expected<std::vector<std::string>> itemsOf(llvm::StringRef pipeline);

/// All in one: "builtin.module(a,b)" of "builtin.module(a)" and "builtin.module(b)".
std::string joinSteps(llvm::ArrayRef<PassStep> steps);

} // namespace samba

#endif // TOOLS_CHECK_STEPS_H
