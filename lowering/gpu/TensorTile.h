//===- TensorTile.h - a tile of a product on tensor cores -------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the products on tensor cores share: how a slice of 32 inputs of both matrices lies in shared memory, how warps
// read and multiply it, and how the sums are stored. How a slice gets there is the business of each kernel.
//
// A row of a slice has 64 bytes, in four chunks of 16; chunk c of row r lies at place c xor (r / 2 mod 4), so that
// eight rows of one chunk, which is what ldmatrix reads at once, lie in different banks. A stage has the rows of x,
// those of its second part if it has two, and those of the weight.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_GPU_TENSORTILE_H
#define LOWERING_GPU_TENSORTILE_H

#include "lowering/gpu/LinearEpilogue.h"

namespace samba {

/// A block's tile, and the part of each warp.
struct TileShape {
  int64_t rows, columns, stages;
  int64_t warpRows, warpColumns;

  int64_t warpsAcross() const { return columns / warpColumns; }
  int64_t threads() const { return rows / warpRows * warpsAcross() * kWarp; }
};

class TensorTile {
protected:
  using Value = mlir::Value;

  static constexpr int64_t kSlice = 32, kRowBytes = kSlice * 2, kChunk = 8, kChunks = kSlice / kChunk;

  /// x is the sum of `parts` bf16 matrices.
  TensorTile(GpuEmitter &e, const TileShape &shape, const LinearOperands &linear, const LinearArguments &places,
             mlir::ValueRange arguments, int64_t parts);

  int64_t weightRow() const { return parts * shape.rows; } // of a stage: the first of the weight
  int64_t stageBytes() const { return (weightRow() + shape.columns) * kRowBytes; }
  int64_t countSums() const { return shape.warpRows / 16 * shape.warpColumns / 8 * 4; }

  /// Where a chunk lies in a stage, in bytes.
  Value placeOf(Value row, Value chunk);
  /// The row of x for a row of the tile: beyond the last it is the last.
  Value rowOf(Value row);
  /// The output whose weights lie in a row of the tile.
  Value outputOf(Value row);
  Value nextStage(Value stage);
  /// Adds the products of the slice at `stage` to this thread's sums.
  void multiply(mlir::MutableArrayRef<Value> sums, Value stage);
  void store(mlir::ArrayRef<Value> sums);

  GpuEmitter &e;
  const TileShape &shape;
  const LinearOperands &linear;
  const LinearArguments &places;
  mlir::ValueRange arguments;
  int64_t inputs, parts, columnsOfTile;
  Value memory; // all stages

private:
  void findFragments();

  Value rows, firstRow, firstColumn;
  Value xFragment, weightFragment, resultRow, resultColumn;
};

} // namespace samba

#endif // LOWERING_GPU_TENSORTILE_H
