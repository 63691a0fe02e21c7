//===- Interpreter.h - runs functions of samba IR ---------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIALECT_INTERPRETER_INTERPRETER_H
#define DIALECT_INTERPRETER_INTERPRETER_H

#include "dialect/Samba.h"
#include "dialect/WeightSource.h"
#include "dialect/interpreter/Tensor.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallPtrSet.h"
#include <functional>
#include <memory>

namespace samba::reference {

/// Evaluates functions of a verified module. It knows the samba operations, kernels, calls, and of the other dialects
/// what the importer makes: additions, subtractions and products of f32 tensors, constants, sizes and slices.
///
/// f32 values are held as `F`. A weight declared in bf16 or f16 is rounded to it (to nearest, ties to even) before it
/// is widened to `F`; layouts do not change values. States must be f32.
///
/// An error is one line that leads from the outermost call to the operation and says what it could not do.
template <class F> class Interpreter {
public:
  using Probe = std::function<void(llvm::StringRef name, int32_t index, const Tensor<F> &x)>;

  /// `weights` may be null if no weight is loaded; otherwise it outlives the interpreter. A weight is looked up when it
  /// is first needed and kept.
  Interpreter(mlir::ModuleOp module, const WeightSource *weights) : module(module), weights(weights) {}

  /// The results of `function`, one for each. The arguments must match its type: dense tensors a `Tensor` or
  /// `IntTensor`, states a `StateBatch`.
  llvm::Expected<std::vector<Value<F>>> run(mlir::func::FuncOp function, std::vector<Value<F>> arguments);

  /// The function of that name, or, if the name is empty, the only public function with a body.
  llvm::Expected<mlir::func::FuncOp> findFunction(llvm::StringRef name) const;

  /// Called for each `samba.probe` from now on, in order of execution.
  void onProbe(Probe hook) { probe = std::move(hook); }

private:
  using Shared = std::shared_ptr<const Value<F>>;
  using SharedList = llvm::SmallVector<Shared>;
  using Environment = llvm::DenseMap<mlir::Value, Shared>;

  llvm::Expected<SharedList> runFunction(mlir::func::FuncOp function, SharedList arguments);
  llvm::Expected<SharedList> runBlock(mlir::Block &block, SharedList arguments);
  llvm::Expected<SharedList> runOperation(mlir::Operation *op, Environment &environment);
  llvm::Expected<Shared> loadWeight(LoadWeightOp op);

  mlir::ModuleOp module;
  const WeightSource *weights;
  Probe probe;
  llvm::DenseMap<mlir::Operation *, Shared> loaded;
  llvm::SmallPtrSet<mlir::Operation *, 8> running; // functions being called, to refuse recursion
};

} // namespace samba::reference

#endif // DIALECT_INTERPRETER_INTERPRETER_H
