//===- Epilogues.h - operations that share another one's loop ----*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Most operations of a kernel are lowered to a parallel loop of their own, with a barrier behind it. What is described
// here has none: it is computed in the loop of the operation before it, on values that are still in registers. The cost
// model and the lowering both ask here, so that what is predicted is what is done.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_EPILOGUES_H
#define PASSES_EPILOGUES_H

#include "dialect/Cost.h"
#include "dialect/Samba.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include <optional>

namespace samba {

/// The addition that a linear absorbs as its epilogue, or null: the only use of the linear's result, in the same
/// block, with the other operand known before the linear.
mlir::arith::AddFOp fusedAddition(LinearOp linear);

/// Whether an operation writes each value of its result once and does not read it again, so that it can store it
/// rounded.
bool storesRounded(mlir::Operation *op);
/// The rounding that replaces a value: its only use, in the same block, and a value that is written once and not read
/// again by its own operation. The value is then stored rounded. Else null.
mlir::arith::TruncFOp fusedRounding(mlir::Value value);

/// A SwiGLU whose operands come from products of the same rows that nothing else reads: one loop computes both products
/// of a panel and then their gate.
struct FusedGate {
  LinearOp gate, up;                // the same operation if one matrix holds both
  int64_t gateColumn = 0, upColumn; // of the products, where the operands begin
};

/// Nothing if the SwiGLU has a loop of its own.
std::optional<FusedGate> fusedGate(SwigluOp swiglu);
/// The SwiGLU that a linear is computed for, or null.
SwigluOp gateOf(LinearOp linear);

/// The rotation of the same rows by the same table whose loop also computes this one; null if there is none before it.
RotaryOp fusedRotation(RotaryOp rotary);

/// The rotation whose loop also rounds these keys or values, head by head: the one that makes the keys, or one before
/// which the values are there. Null if the rounding has a loop of its own. `rounding` is an arith.truncf or a
/// samba.quantize_rows.
RotaryOp roundingLoop(mlir::Operation *rounding);

/// A norm of whole rows.
bool isNorm(mlir::Operation *op);

/// Rows of which each thread computes all norms for itself, if only linears in the same kernel read them: that takes
/// less time than a barrier. With more rows the norm has a loop.
constexpr int64_t kPrologueRows = 4;
/// Whether the operation is a norm, of rows or of differences of heads, and it is so with it.
bool isPrologue(mlir::Operation *norm);

/// Whether an operation has no loop of its own, provided that it is in a kernel.
bool isEpilogue(mlir::Operation *op);

/// The parallel loops, each with a barrier, of an operation that is no epilogue, in a step of this size and with this
/// many rows of its result.
int64_t loopsOf(mlir::Operation *op, const Workload &workload, int64_t rows);

} // namespace samba

#endif // PASSES_EPILOGUES_H
