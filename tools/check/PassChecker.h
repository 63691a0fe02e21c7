//===- PassChecker.h - executes a module after every pass --------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Which pass broke the model? After every pass the module is executed on the same inputs as before it, and the results
// are compared. The first pass whose difference is beyond the tolerance is named, with the layer where it shows first,
// and what is needed to see it again is written into a folder.
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_CHECK_PASSCHECKER_H
#define TOOLS_CHECK_PASSCHECKER_H

#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "tools/check/Compare.h"
#include "tools/check/Steps.h"

namespace samba {

struct CheckOptions {
  ExecutionOptions execution;
  std::string folder = "."; // where reproducers go
  std::string plugins;      // options that samba-opt needs to know the passes: "--load-pass-plugin=x.so "
  std::string weightsFile;  // that the reproducer names; empty if the weights are seeded

  /// Reads "", "f64" or "f32".
  static llvm::Expected<CheckOptions> parse(llvm::StringRef arithmetic);
};

class PassChecker {
public:
  /// Executes the module as it is. `weights` as for Execution.
  static llvm::Expected<std::unique_ptr<PassChecker>> create(mlir::ModuleOp module, const CheckOptions &options,
                                                             const WeightSource *weights = nullptr);

  /// Runs one pass, executes the module if it has changed, compares and prints a line on standard error. The error says
  /// what the pass broke and where the reproducer lies, or that it failed.
  llvm::Error run(mlir::ModuleOp module, const PassStep &step);
  llvm::Error run(mlir::ModuleOp module, llvm::ArrayRef<PassStep> steps);

private:
  PassChecker(CheckOptions options) : options(std::move(options)) {}
  double tolerance(bool formatsChanged, bool narrow, bool compiled) const;
  void report(const PassStep &step, llvm::ArrayRef<Difference> differences, double tolerance, double seconds) const;
  llvm::Expected<std::string> writeReproducer(mlir::ModuleOp before, mlir::ModuleOp after, const PassStep &step) const;

  CheckOptions options;
  std::unique_ptr<Execution> execution;
  std::vector<FunctionRun> state;              // what the module computes
  mlir::OwningOpRef<mlir::ModuleOp> lastSamba; // the last samba IR
  std::vector<PassStep> sinceSamba;            // that lowered it
};

/// A pass on modules that runs `steps` one by one under a PassChecker.
std::unique_ptr<mlir::Pass> createCheckedPipelinePass(std::vector<PassStep> steps, CheckOptions options);

/// Runs one step. Diagnostics go where the context sends them; the error only names the pass.
llvm::Error runStep(mlir::ModuleOp module, const PassStep &step);

} // namespace samba

#endif // TOOLS_CHECK_PASSCHECKER_H
