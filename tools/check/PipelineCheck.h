//===- PipelineCheck.h - does a pipeline keep the results? -------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The PassChecker looks after every pass. Tools that run a pipeline many times, to halve it or to shrink a module, ask
// only whether all of it keeps the results.
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_CHECK_PIPELINECHECK_H
#define TOOLS_CHECK_PIPELINECHECK_H

#include "tools/check/Compare.h"
#include "tools/check/PassChecker.h"

namespace samba {

enum class Verdict { Same, Differs, NotExecutable };

struct PipelineVerdict {
  Verdict verdict;
  std::string text; // for people: where the results differ first, or why the module cannot be executed any more
};

/// Runs `steps` on a copy of `module`, executes it and compares with `reference`, what `execution` has computed of
/// `module`. `run` runs one step. Fails if a step fails.
llvm::Expected<PipelineVerdict>
checkPipeline(const Execution &execution, llvm::ArrayRef<FunctionRun> reference, mlir::ModuleOp module,
              llvm::ArrayRef<PassStep> steps,
              llvm::function_ref<llvm::Error(mlir::ModuleOp, const PassStep &)> run = runStep);

} // namespace samba

#endif // TOOLS_CHECK_PIPELINECHECK_H
