//===- CostModel.h - predicted cost of kernels -------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a kernel costs in a step of a given size: bytes over its border, arithmetic, and barriers. What an operation
// computes is its own knowledge (dialect/Cost.h); what crosses a border is found here:
//
//   * rows, at their width times the rows of the step; of an operand that is only sliced inside, the columns of the
//     slices; of an operand that is only looked up, the rows that are read;
//   * weights once, in their packed layout;
//   * carried state, read and written where an operation advances it;
//   * vectors of the step (tokens, segments, positions, rows) at 8 bytes or fewer for each token or sequence.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_COSTMODEL_H
#define PASSES_COSTMODEL_H

#include "dialect/Samba.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"

namespace samba {

/// What the machine can do. The defaults are those of a small server core, and only their ratios matter for decisions.
struct MachineCosts {
  double bandwidth = 20;        // GB/s that all cores together read from memory
  double flops = 100;           // GFLOP/s of f32 multiply-adds
  double exps = 4;              // 10^9 exponentials per second
  double barrier = 2;           // microseconds that a barrier costs
  int64_t cacheBytes = 1 << 20; // what stays close to a core between two operations of a kernel
  int64_t tileRows = 8;         // rows that a core works on at a time
};

struct KernelCost {
  int64_t activationBytes = 0;
  int64_t weightBytes = 0;
  int64_t stateBytes = 0;
  int64_t flops = 0;
  int64_t exps = 0;
  int64_t barriers = 0;      // parallel loops, each with a barrier behind it
  int64_t internalBytes = 0; // of rows that never leave the kernel, for one row; of several kernels the largest

  int64_t bytes() const { return activationBytes + weightBytes + stateBytes; }
  /// The slower of memory and arithmetic, and the barriers.
  double microseconds(const MachineCosts &machine) const;
  /// The sum of the two, `count` times `other`.
  KernelCost &add(const KernelCost &other, int64_t count = 1);
};

struct Calls;

class CostModel {
public:
  explicit CostModel(const Workload &workload) : workload(workload) {}

  /// Of a kernel, or of an operation outside of kernels, which is taken as a kernel of its own. Zero for what computes
  /// nothing.
  KernelCost costOf(mlir::Operation *op) const;

  /// Kernels and operations of the body, each with its cost; calls are left out.
  std::vector<std::pair<mlir::Operation *, KernelCost>> kernelsOf(mlir::func::FuncOp function) const;

  /// Of one call, what it calls left out.
  KernelCost costOf(mlir::func::FuncOp function) const;

  /// How often a step calls each function, and with how many rows: the layers that only work on the rows of logits are
  /// entries of their own. A public function is called once, a private one as often as its callers do together; zero
  /// times if nobody does. In the order of the module; a call on the way to itself is not counted.
  std::vector<Calls> callsOf(mlir::ModuleOp module) const;

  const Workload &getWorkload() const { return workload; }

private:
  int64_t rowsOf(mlir::Value value) const;
  int64_t bytesOf(mlir::Value value) const;
  KernelCost costOfGroup(llvm::ArrayRef<mlir::Operation *> ops, mlir::Operation *whole) const;

  Workload workload;
  llvm::SmallVector<int64_t> argumentRows; // of matrices among the function's arguments; empty: all tokens
};

/// Calls of a function that cost the same.
struct Calls {
  mlir::func::FuncOp function;
  int64_t count;
  int64_t rows;    // of the first matrix that the function is given
  CostModel costs; // of what is in the function
};

/// Operations that read and write tensors, as opposed to those that only name, slice or show them.
bool isComputation(mlir::Operation *op);

/// Rows of activations, as opposed to weights and the vectors of a step.
bool isActivation(mlir::Type type);

} // namespace samba

#endif // PASSES_COSTMODEL_H
