//===- MemoryLayout.h - sizes and places of weights and states ---*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the memory planner, the packer and the lowerings agree on. All sizes and offsets are in bytes. Arithmetic
// saturates at kTooManyBytes; `samba-plan-memory` refuses a module that gets there, so whatever it has planned is
// exact.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_MEMORYLAYOUT_H
#define PASSES_MEMORYLAYOUT_H

#include "dialect/Samba.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include <optional>

namespace samba {

/// Weights and states start at multiples of this.
constexpr int64_t kMemoryAlignment = 64;

/// No size or offset of a planned module is as large.
constexpr int64_t kTooManyBytes = int64_t(1) << 56;

/// Elements of a weight in its packed layout, padding included: `ceil(N/W) * K * W` in panels of `W` (K rounded up to
/// an even number in pairs), else as many as the tensor's. `type` has a static shape.
int64_t packedElements(mlir::RankedTensorType type);

/// Bytes of a weight in its packed layout. `type` has a static shape and integer or float elements of whole bytes.
int64_t packedSizeInBytes(mlir::RankedTensorType type);

/// `bytes`, rounded up to the alignment.
int64_t alignedSize(int64_t bytes);

/// Whether an argument of this type of a private function is a weight: a tensor without a dynamic size.
bool isWeightArgument(mlir::Type type);

/// Where the weights and states among the arguments of a function lie, relative to the first weight and the first
/// state of a call.
struct ArgumentOffsets {
  llvm::SmallVector<std::optional<int64_t>> weights; // one entry for each argument; none if it is no weight
  llvm::SmallVector<std::optional<int64_t>> states;  // likewise
  int64_t weightBytes = 0;                           // of all, aligned
  int64_t stateBytes = 0;
};

/// In the order of the arguments, each at an aligned place.
ArgumentOffsets relativeOffsets(mlir::TypeRange argumentTypes);

/// Of a private function.
ArgumentOffsets relativeOffsets(mlir::func::FuncOp function);

} // namespace samba

#endif // PASSES_MEMORYLAYOUT_H
