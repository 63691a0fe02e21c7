//===- LinearTile.cpp - matrix products in f32 arithmetic -----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block of 256 threads computes 64 rows by 64 columns, each thread 4 by 4 of them, from slices of 16 inputs in shared
// memory. Four neighbouring threads read the 64 bytes of a row, so that a warp reads whole sectors. Slices lie
// transposed,
// `[16, 64]`, with the columns of input k permuted by xor with 8 (k / 4 mod 4): then neither the transposing stores nor
// the reads of four neighbours meet in a bank.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/LinearEpilogue.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kTile = 64, kSlice = 16, kThreads = 256, kPiece = 4, kPieces = kSlice / kPiece;

int64_t swizzle(int64_t k) { return 8 * (k / kPiece); }

/// Four neighbours of one matrix's row that a thread takes to shared memory in each slice.
class Slice {
public:
  /// `row` is a row of the matrix that exists.
  Slice(GpuEmitter &e, const Matrix &matrix, Value pointer, Value row, int64_t inputs)
      : e(e), matrix(matrix), pointer(pointer), memory(e.shared(kSlice * kTile * 4)), inputs(inputs) {
    piece = e.bitAnd(e.thread(), kPieces - 1);
    firstInput = e.mul(piece, kPiece);
    rowStart = e.mul(row, matrix.stride);
  }

  /// The row of the tile that this thread takes.
  static Value inTile(GpuEmitter &e) { return e.divFloor(e.thread(), kPieces); }

  SmallVector<Value> fetch(Value k) {
    Value input = e.add(k, firstInput);
    int64_t lanes = inputs % kPiece == 0 ? matrix.vectorWidth(kPiece) : 1;
    SmallVector<Value> values;
    for (int64_t i = 0; i < kPiece; i += lanes) {
      Value at = e.add(input, i);
      if (inputs % kSlice == 0) {
        llvm::append_range(values, e.load(pointer, matrix.element, e.add(rowStart, at), lanes));
        continue;
      }
      // Beyond the last input there are zeros, read from the row's start.
      Value inside = e.less(at, e.index(inputs));
      Value safe = e.select(inside, at, e.index(0));
      for (Value value : e.load(pointer, matrix.element, e.add(rowStart, safe), lanes))
        values.push_back(e.select(inside, value, e.scalar(0)));
    }
    return values;
  }

  void put(ArrayRef<Value> values) {
    // The four inputs are of one piece, so all have the same permutation.
    Value column = e.bitXor(inTile(e), e.mul(piece, 8));
    for (int64_t i = 0; i < kPiece; ++i)
      e.store(values[i], memory, e.b.getF32Type(), e.add(e.mul(e.add(firstInput, i), kTile), column));
  }

  SmallVector<Value> take(int64_t k, Value column, int64_t lanes = kPiece) {
    return e.load(memory, e.b.getF32Type(), e.add(e.bitXor(column, swizzle(k)), k * kTile), lanes);
  }

private:
  GpuEmitter &e;
  const Matrix &matrix;
  Value pointer, memory, piece, firstInput, rowStart;
  int64_t inputs;
};

} // namespace

void samba::launchLinearTile(StepBuilder &s, const LinearOperands &linear) {
  LinearArguments places(linear);
  StepBuilder::Spec spec{"linear_tile", describe(linear), kThreads};
  // For a SwiGLU a tile has 32 columns of the gate and those 32 of the other half that belong to them.
  int64_t columnsOfTile = linear.swiglu ? kTile / 2 : kTile;
  int64_t columns = linear.result.width;
  spec.grid[0].times = llvm::divideCeil(columns, columnsOfTile);
  spec.grid[1] = {linear.result.extent, kTile};
  int64_t inputs = linear.x.width;
  s.launch(spec, places.list, [&](GpuEmitter &e, ValueRange arguments) {
    Value rows = loadSize(e, arguments[places.sizes], sizeIndexOf(linear.result.extent));
    Value firstRow = e.mul(e.block(1), kTile), firstColumn = e.mul(e.block(0), columnsOfTile);
    // Rows and columns beyond the last read those of the last and are not stored.
    Value inTile = Slice::inTile(e);
    Value xRow = e.minimum(e.add(firstRow, inTile), e.sub(rows, e.index(1)));
    Value output;
    if (linear.swiglu) {
      Value column = e.minimum(e.add(firstColumn, e.bitAnd(inTile, columnsOfTile - 1)), e.index(columns - 1));
      Value second = e.less(e.index(columnsOfTile - 1), inTile);
      output = e.add(column, e.select(second, e.index(columns), e.index(0)));
    } else {
      output = e.minimum(e.add(firstColumn, inTile), e.index(columns - 1));
    }
    Slice x(e, linear.x, arguments[places.x], xRow, inputs);
    Slice weight(e, linear.weight, arguments[places.weight], output, inputs);
    Value down = e.mul(e.divFloor(e.thread(), 16), kPiece), across = e.mul(e.bitAnd(e.thread(), 15), kPiece);
    // A thread of a SwiGLU has two columns of each half instead of four of one.
    Value acrossGate = linear.swiglu ? e.mul(e.bitAnd(e.thread(), 15), 2) : Value();

    SmallVector<Value> sums(16, e.scalar(0));
    sums = e.loop(e.index(0), e.index(inputs), kSlice, sums, [&](Value k, ValueRange carried) {
      SmallVector<Value> sums(carried);
      SmallVector<Value> xValues = x.fetch(k), weightValues = weight.fetch(k);
      if (inputs > kSlice)
        e.barrier(); // the slice before is used up
      x.put(xValues);
      weight.put(weightValues);
      e.barrier();
      for (int64_t i = 0; i < kSlice; ++i) {
        SmallVector<Value> a = x.take(i, down), b;
        if (linear.swiglu) {
          b = weight.take(i, acrossGate, 2);
          llvm::append_range(b, weight.take(i, e.add(acrossGate, kTile / 2), 2));
        } else {
          b = weight.take(i, across);
        }
        for (int64_t m = 0; m < 4; ++m)
          for (int64_t n = 0; n < 4; ++n)
            sums[4 * m + n] = e.fma(a[m], b[n], sums[4 * m + n]);
      }
      return sums;
    });

    LinearEpilogue epilogue(linear, places, arguments);
    int64_t most = linear.swiglu ? 2 : 4, lanes = epilogue.vectorWidth(most);
    Value column = e.add(firstColumn, linear.swiglu ? acrossGate : across);
    for (int64_t m = 0; m < 4; ++m) {
      Value row = e.add(e.add(firstRow, down), m);
      e.when(e.less(row, rows), [&] {
        for (int64_t n = 0; n < most; n += lanes) {
          ArrayRef<Value> own = ArrayRef<Value>(sums).slice(4 * m + n, lanes), gated;
          if (linear.swiglu)
            gated = ArrayRef<Value>(sums).slice(4 * m + 2 + n, lanes);
          epilogue.storeInside(e, row, e.add(column, n), own, gated, columns % columnsOfTile != 0);
        }
      });
    }
  });
}
