//===- TensorTile.cpp - a tile of a product on tensor cores ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/TensorTile.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

TensorTile::TensorTile(GpuEmitter &e, const TileShape &shape, const LinearOperands &linear,
                       const LinearArguments &places, ValueRange arguments, int64_t parts)
    : e(e), shape(shape), linear(linear), places(places), arguments(arguments), inputs(linear.x.width), parts(parts) {
  memory = e.shared(shape.stages * stageBytes());
  rows = loadSize(e, arguments[places.sizes], sizeIndexOf(linear.result.extent));
  firstRow = e.mul(e.block(1), shape.rows);
  columnsOfTile = linear.swiglu ? shape.columns / 2 : shape.columns;
  firstColumn = e.mul(e.block(0), columnsOfTile);
  findFragments();
}

Value TensorTile::placeOf(Value row, Value chunk) {
  Value place = e.bitXor(chunk, e.bitAnd(e.shiftRight(row, 1), kChunks - 1));
  return e.add(e.mul(row, kRowBytes), e.mul(place, 16));
}

Value TensorTile::rowOf(Value row) { return e.minimum(e.add(firstRow, row), e.sub(rows, e.index(1))); }

// Of a SwiGLU each warp has as many columns of the gate as of the other half, and the same ones. A thread gets two
// neighbours of each eight columns that are multiplied; of 16 outputs those are chosen that give it four neighbours, so
// that four threads write whole sectors.
Value TensorTile::outputOf(Value row) {
  Value column = row, half;
  if (linear.swiglu) {
    int64_t each = shape.warpColumns / 2;
    Value inWarp = e.bitAnd(row, shape.warpColumns - 1);
    half = e.less(e.index(each - 1), inWarp);
    column = e.add(e.mul(e.divFloor(row, shape.warpColumns), each), e.bitAnd(inWarp, each - 1));
  }
  Value eight = e.bitAnd(e.shiftRight(column, 3), 1), pair = e.bitAnd(e.shiftRight(column, 1), 3);
  column =
      e.add(e.add(e.mul(e.shiftRight(column, 4), 16), e.mul(pair, 4)), e.add(e.mul(eight, 2), e.bitAnd(column, 1)));
  // Columns beyond the last read the weights of the last and are not stored.
  column = e.minimum(e.add(firstColumn, column), e.index(linear.result.width - 1));
  return half ? e.add(column, e.select(half, e.index(linear.result.width), e.index(0))) : column;
}

Value TensorTile::nextStage(Value stage) {
  Value next = e.add(stage, stageBytes());
  return e.select(e.equal(next, e.index(shape.stages * stageBytes())), e.index(0), next);
}

// The addresses of this lane's rows for ldmatrix, within a stage, for the first 16 inputs of a slice.
void TensorTile::findFragments() {
  Value lane = e.lane(), warp = e.warp();
  Value warpRow = e.mul(e.divFloor(warp, shape.warpsAcross()), shape.warpRows);
  Value warpColumn = e.mul(e.remainder(warp, shape.warpsAcross()), shape.warpColumns);
  // All rows begin at multiples of 8, so the permutation depends on the lane alone.
  Value permutation = e.bitAnd(e.shiftRight(lane, 1), kChunks - 1);
  auto place = [&](Value row, Value chunk) {
    return e.add(e.mul(row, kRowBytes), e.mul(e.bitXor(chunk, permutation), 16));
  };
  xFragment = place(e.add(warpRow, e.bitAnd(lane, 15)), e.shiftRight(lane, 4));
  Value output = e.add(e.bitAnd(lane, 7), e.mul(e.shiftRight(lane, 4), 8));
  weightFragment = place(e.add(e.add(warpColumn, output), weightRow()), e.bitAnd(e.shiftRight(lane, 3), 1));
  resultRow = e.add(e.add(firstRow, warpRow), e.shiftRight(lane, 2));
  Value columnOfWarp = linear.swiglu ? e.divFloor(warpColumn, 2) : warpColumn;
  resultColumn = e.add(e.add(firstColumn, columnOfWarp), e.mul(e.bitAnd(lane, 3), 4));
}

void TensorTile::multiply(MutableArrayRef<Value> sums, Value stage) {
  int64_t down = shape.warpRows / 16, across = shape.warpColumns / 8;
  auto at = [&](Value fragment, int64_t row, int64_t step) {
    Value offset = e.add(e.bitXor(fragment, step * 32), row * kRowBytes);
    return e.address(memory, e.b.getI8Type(), e.add(stage, offset));
  };
  for (int64_t step = 0; step < kSlice / 16; ++step) {
    SmallVector<SmallVector<Value>> x, weight;
    for (int64_t n = 0; n < across; n += 2) {
      SmallVector<Value> two = e.loadMatrices(at(weightFragment, n * 8, step), 4);
      weight.push_back({two[0], two[1]});
      weight.push_back({two[2], two[3]});
    }
    for (int64_t part = 0; part < parts; ++part) {
      x.clear();
      for (int64_t m = 0; m < down; ++m)
        x.push_back(e.loadMatrices(at(xFragment, part * shape.rows + m * 16, step), 4));
      for (int64_t m = 0; m < down; ++m)
        for (int64_t n = 0; n < across; ++n)
          e.multiplyAccumulate(x[m], weight[n], sums.slice((m * across + n) * 4, 4));
    }
  }
}

void TensorTile::store(ArrayRef<Value> sums) {
  LinearEpilogue epilogue(linear, places, arguments);
  int64_t across = shape.warpColumns / 8, lanes = epilogue.vectorWidth(4);
  int64_t stored = linear.swiglu ? across / 2 : across;
  bool tail = linear.result.width % columnsOfTile != 0;
  auto sumsAt = [&](int64_t m, int64_t half, int64_t n, int64_t first) {
    SmallVector<Value> values;
    for (int64_t i = first; i < first + lanes; ++i)
      values.push_back(sums[(m * across + n + i / 2) * 4 + half * 2 + i % 2]);
    return values;
  };
  for (int64_t m = 0; m < shape.warpRows / 16; ++m)
    for (int64_t half = 0; half < 2; ++half) {
      Value row = e.add(resultRow, m * 16 + half * 8);
      e.when(e.less(row, rows), [&] {
        for (int64_t n = 0; n < stored; n += 2)
          for (int64_t i = 0; i < 4; i += lanes) {
            Value column = e.add(resultColumn, n * 8 + i);
            SmallVector<Value> own = sumsAt(m, half, n, i), gated;
            if (linear.swiglu)
              gated = sumsAt(m, half, n + stored, i);
            epilogue.storeInside(e, row, column, own, gated, tail);
          }
      });
    }
}
