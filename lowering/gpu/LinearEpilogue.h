//===- LinearEpilogue.h - what the kernels of linears share ------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_GPU_LINEAREPILOGUE_H
#define LOWERING_GPU_LINEAREPILOGUE_H

#include "lowering/gpu/Kernels.h"
#include "llvm/Support/MathExtras.h"

namespace samba {

/// All that the code of a linear depends on.
std::string describe(const LinearOperands &linear);

/// The arguments of a linear's kernel, and which is which. Those that are absent have no place.
struct LinearArguments {
  explicit LinearArguments(const LinearOperands &linear);
  std::vector<LaunchArgument> list;
  size_t x = 0, weight = 0, bias = 0, residual = 0, normWeight = 0, normBias = 0, result = 0, sizes = 0;
  size_t conv = 0; // the first of the convolution's
  ConvolutionPlaces convolution(const LinearOperands &linear, mlir::ValueRange arguments) const;
};

/// A matrix of bf16 for the copy engine of sm_90a, which copies so many rows at once.
LaunchArgument mapOf(const Matrix &matrix, GridSize rows, int64_t boxRows);

/// What is done with finished sums: bias, gate, residual, rounding.
struct LinearEpilogue {
  LinearEpilogue(const LinearOperands &linear, const LinearArguments &places, mlir::ValueRange arguments);

  /// Takes the sums of neighbouring columns of one row; for a SwiGLU `gated` are those half the outputs further on.
  void store(GpuEmitter &e, mlir::Value row, mlir::Value column, mlir::ArrayRef<mlir::Value> sums,
             mlir::ArrayRef<mlir::Value> gated = {}) const;
  /// The same in a tile that may reach beyond the last column (`tail`), where nothing is stored.
  void storeInside(GpuEmitter &e, mlir::Value row, mlir::Value column, mlir::ArrayRef<mlir::Value> sums,
                   mlir::ArrayRef<mlir::Value> gated, bool tail) const;
  /// The same where a convolution may follow, which takes the columns that are its own.
  void storeOrConvolve(GpuEmitter &e, mlir::Value row, mlir::Value column, mlir::ArrayRef<mlir::Value> sums,
                       mlir::ArrayRef<mlir::Value> gated = {}) const;
  /// How many neighbouring columns, up to `most`, may be stored at once.
  int64_t vectorWidth(int64_t most) const;

  const LinearOperands &linear;
  const LinearArguments &places;
  mlir::ValueRange arguments;
  mlir::Value bias, residual, result;
};

/// The first of the shapes that keeps a device busy, or the last.
template <typename Shape, size_t count>
const Shape &chooseTile(const Shape (&shapes)[count], const Limits &limits, const LinearOperands &linear) {
  constexpr int64_t kEnoughBlocks = 132; // to keep all of a device busy
  int64_t rows = limits.of(linear.result.extent);
  for (const Shape &shape : shapes)
    if (llvm::divideCeil(rows, shape.rows) * llvm::divideCeil(linear.outputs, shape.columns) >= kEnoughBlocks)
      return shape;
  return shapes[count - 1];
}

} // namespace samba

#endif // LOWERING_GPU_LINEAREPILOGUE_H
