//===- Reducer.h - a small module on which a pipeline is wrong ---*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_REDUCE_REDUCER_H
#define TOOLS_SAMBA_REDUCE_REDUCER_H

#include "tools/check/PipelineCheck.h"

namespace samba {

/// Shrinks a module, and then the pipeline, as long as executing the module before and after still gives different
/// results (or still fails after, if that is how it began). Each attempt runs in a process of its own: a pass may crash
/// on what is left.
class Reducer {
public:
  Reducer(mlir::ModuleOp module, std::vector<PassStep> steps, const CheckOptions &options)
      : module(module.clone()), steps(std::move(steps)), options(options) {}

  /// The error says that there is nothing to reduce, or that nothing can be executed.
  llvm::Error run();

  mlir::ModuleOp getModule() { return *module; }
  llvm::ArrayRef<PassStep> getSteps() const { return steps; }
  int64_t attempts() const { return tried; }

private:
  /// What the pipeline does to the module, in this process.
  llvm::Expected<PipelineVerdict> check(mlir::ModuleOp candidate, llvm::ArrayRef<PassStep> passes) const;
  /// The same in another process, compared with what is wanted.
  bool isInteresting(mlir::ModuleOp candidate, llvm::ArrayRef<PassStep> passes);
  bool reduceModule();
  void reduceSteps();

  mlir::OwningOpRef<mlir::ModuleOp> module;
  std::vector<PassStep> steps;
  CheckOptions options;
  Verdict wanted = Verdict::Differs;
  int64_t tried = 0;
};

} // namespace samba

#endif // TOOLS_SAMBA_REDUCE_REDUCER_H
