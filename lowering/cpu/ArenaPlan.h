//===- ArenaPlan.h - places of intermediate values ---------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every intermediate value of a step has its place in one arena, decided at compile time by liveness. All of them have
// one row per token, so a place is counted in bytes per token: value `v` of `rows` tokens lies at
// `(base + offset(v)) * arenaRows`, where `base` is where the function's part of the arena begins and `arenaRows` is
// the number of tokens, rounded up by the runtime.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_CPU_ARENAPLAN_H
#define LOWERING_CPU_ARENAPLAN_H

#include "dialect/Samba.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"

namespace samba {

/// Where one function keeps its values.
struct ArenaPlan {
  /// Offset in bytes per token. Absent: results of the function (they live where the caller says), views, what
  /// never leaves the registers of another loop, states and weights.
  llvm::DenseMap<mlir::Value, int64_t> offsets;
  /// Values that are written straight into a result of the function, by result number.
  llvm::DenseMap<mlir::Value, unsigned> results;
  /// Where the part of a called function begins.
  llvm::DenseMap<mlir::Operation *, int64_t> calls;
  /// Of a result of a call: the operand that has as many rows.
  llvm::DenseMap<mlir::Value, mlir::Value> rowsOfResults;
  /// Bytes per token of the whole function, callees included.
  int64_t size = 0;
};

/// Plans a function. `calleeSizes` holds the sizes of all functions it calls.
mlir::FailureOr<ArenaPlan> planArena(mlir::func::FuncOp function, const llvm::StringMap<int64_t> &calleeSizes);

/// Whether a value is rows of activations, which need a place: a tensor with a dynamic first size.
bool isRows(mlir::Value value);

} // namespace samba

#endif // LOWERING_CPU_ARENAPLAN_H
