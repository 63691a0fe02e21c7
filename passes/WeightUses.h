//===- WeightUses.h - where the values of weights go -------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A weight's value flows from `samba.load_weight` through calls of private functions and into kernels, to the
// operations that read it. Precision and layout are part of its type, so whoever changes them changes the types of
// everything on that way together.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_WEIGHTUSES_H
#define PASSES_WEIGHTUSES_H

#include "dialect/Samba.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/MapVector.h"

namespace samba {

class WeightUses {
public:
  /// Follows all weights of `module`. Valid until its IR changes other than by `retype`.
  explicit WeightUses(mlir::ModuleOp module);

  /// The weights, in the order of the module.
  llvm::ArrayRef<WeightOp> weights() const { return order; }

  /// The operands that read the weight: those of all operations but kernels and calls that are followed. A call of a
  /// public function, of a declaration, or of a function whose address is taken is not followed and counts as a reader.
  llvm::ArrayRef<mlir::OpOperand *> of(WeightOp weight) const { return flows.find(weight)->second.readers; }

  /// Gives weights new types, in their declarations and wherever their values flow; a weight not in `types` keeps its
  /// type. Fails, changing nothing, if an argument of a shared function would need two types; the error names what is
  /// passed there. A weight whose type changes may have only readers that accept the new type.
  mlir::LogicalResult retype(const llvm::MapVector<WeightOp, mlir::RankedTensorType> &types);

private:
  struct Flow {
    llvm::SetVector<mlir::Value> values; // loads, and arguments of functions and kernels
    llvm::SmallVector<mlir::OpOperand *> readers;
  };

  void follow(mlir::Value value, Flow &flow);

  llvm::SmallVector<WeightOp> order;
  llvm::DenseMap<mlir::Operation *, Flow> flows;
  llvm::MapVector<mlir::Operation *, mlir::func::FuncOp> callees; // of the calls that are followed
};

} // namespace samba

#endif // PASSES_WEIGHTUSES_H
