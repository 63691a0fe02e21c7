//===- Evaluate.h - from operations of the IR to their formulas ----*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The steps between the interpreter, which walks the IR, and the functions of Operations.h, which know nothing of it.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECT_INTERPRETER_EVALUATE_H
#define DIALECT_INTERPRETER_EVALUATE_H

#include "dialect/Samba.h"
#include "dialect/WeightSource.h"
#include "dialect/interpreter/Tensor.h"
#include "mlir/IR/Operation.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace samba::reference {

/// The value of an operand; it has been checked against the operand's type.
template <class F> using Lookup = llvm::function_ref<const Value<F> &(mlir::Value)>;

/// Results of an operation of the samba dialect that computes. An error for any other.
template <class F> llvm::Expected<std::vector<Value<F>>> evaluateSamba(mlir::Operation *op, Lookup<F> lookup);

/// Results of an operation of another dialect. An error for those not supported.
template <class F> llvm::Expected<std::vector<Value<F>>> evaluateUpstream(mlir::Operation *op, Lookup<F> lookup);

/// The value of a weight as the model sees it: transformed, and rounded to the declared type.
template <class F> llvm::Expected<Tensor<F>> evaluateWeight(WeightOp weight, const WeightSource &source);

/// The nearest number of `type`, ties to even.
template <class F> F roundTo(mlir::FloatType type, F value);

/// Whether `value` can stand where the IR says `type`. `what` names it in the message.
template <class F> llvm::Error checkType(llvm::StringRef what, mlir::Type type, const Value<F> &value);

} // namespace samba::reference

#endif // DIALECT_INTERPRETER_EVALUATE_H
