//===- Execution.h - runs a module in whatever form it is --------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A module on its way through the compiler can be executed at every step: samba IR in the reference interpreter,
// lowered code in process. The inputs and weights are made once, from the module as it was at the beginning, so that
// what is run later can be compared.
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_CHECK_EXECUTION_H
#define TOOLS_CHECK_EXECUTION_H

#include "dialect/WeightSource.h"
#include "dialect/interpreter/Seeded.h"
#include "dialect/interpreter/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include <memory>

namespace samba {

/// What one public function computed.
struct FunctionRun {
  std::string function;
  std::vector<std::string> names; // of the results: "layers.0.conv", or "result 0"
  std::vector<reference::Value<double>> results;
  std::vector<std::pair<std::string, reference::Tensor<double>>> probes; // in the order of execution
};

struct ExecutionOptions {
  bool f64 = true; // arithmetic of the interpreter
  uint64_t seed = 0;
  llvm::SmallVector<int64_t> lengths = {3, 0, 5}; // tokens of each sequence
  reference::SelectedRows selected = reference::SelectedRows::Last;
  std::string weightsFile;       // safetensors; empty: seeded, or what the caller has
  std::string target = "native"; // of lowered code
};

/// Samba IR, lowered code (loops, vectors or the LLVM dialect), or something that is neither.
enum class ModuleForm { Samba, Lowered, Other };
ModuleForm formOf(mlir::ModuleOp module);

class Execution {
public:
  /// `weights` may be null: then they come from the options' file or from the seed. It outlives this.
  static llvm::Expected<std::unique_ptr<Execution>> create(mlir::ModuleOp module, const ExecutionOptions &options,
                                                           const WeightSource *weights = nullptr);

  /// Runs every public function that was there at the beginning. `planned` is the samba IR that `module` was lowered
  /// from, after samba-plan-memory; it is not looked at if `module` is samba IR.
  llvm::Expected<std::vector<FunctionRun>> run(mlir::ModuleOp module, mlir::ModuleOp planned) const;

  const ExecutionOptions &getOptions() const { return options; }
  /// Writes the arguments of a function as samba-interpret reads them.
  llvm::Error writeInputs(llvm::StringRef function, llvm::StringRef path) const;

private:
  struct Entry {
    std::string function;
    std::vector<std::string> argumentNames, resultNames;
    std::vector<bool> narrow; // integer arguments of 32 bits
    std::vector<reference::Value<double>> arguments;
  };

  template <class F> llvm::Expected<std::vector<FunctionRun>> interpret(mlir::ModuleOp module) const;
  llvm::Expected<std::vector<FunctionRun>> execute(mlir::ModuleOp module, mlir::ModuleOp planned) const;

  ExecutionOptions options;
  std::vector<Entry> entries;
  std::unique_ptr<WeightSource> ownWeights;
  const WeightSource *weights = nullptr;
};

} // namespace samba

#endif // TOOLS_CHECK_EXECUTION_H
