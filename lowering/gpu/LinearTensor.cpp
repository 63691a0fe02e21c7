//===- LinearTensor.cpp - matrix products on tensor cores -----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Both matrices are bf16 with their inputs side by side, as the instruction wants them. A block computes a tile of the
// result from slices of 32 inputs, which are copied to shared memory some slices ahead. A row of a slice has 64 bytes,
// in four chunks of 16; chunk c of row r lies at place c xor (r / 2 mod 4), so that eight rows of one chunk, which is
// what ldmatrix reads at once, lie in different banks.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/LinearEpilogue.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kSlice = 32, kRowBytes = kSlice * 2, kChunk = 8, kChunks = kSlice / kChunk;
constexpr int64_t kEnoughBlocks = 132; // to keep all of a device busy

/// A block's tile, and the part of each warp.
struct Shape {
  int64_t rows, columns, stages;
  int64_t warpRows, warpColumns;

  int64_t warpsAcross() const { return columns / warpColumns; }
  int64_t threads() const { return rows / warpRows * warpsAcross() * kWarp; }
  int64_t stageBytes() const { return (rows + columns) * kRowBytes; }
};

constexpr Shape kShapes[] = {{128, 128, 3, 64, 32}, {64, 64, 4, 32, 32}, {32, 64, 4, 16, 32}};

Shape chooseShape(const Limits &limits, const LinearOperands &linear) {
  int64_t rows = limits.of(linear.result.extent);
  for (const Shape &shape : kShapes)
    if (llvm::divideCeil(rows, shape.rows) * llvm::divideCeil(linear.outputs, shape.columns) >= kEnoughBlocks)
      return shape;
  return std::end(kShapes)[-1];
}

class Kernel {
public:
  Kernel(GpuEmitter &e, const Shape &shape, const LinearOperands &linear, const LinearArguments &places,
         ValueRange arguments)
      : e(e), shape(shape), linear(linear), places(places), arguments(arguments), inputs(linear.x.width) {}

  void emit() {
    memory = e.shared(shape.stages * shape.stageBytes());
    rows = loadSize(e, arguments[places.sizes], sizeIndexOf(linear.result.extent));
    firstRow = e.mul(e.block(1), shape.rows);
    columnsOfTile = linear.swiglu ? shape.columns / 2 : shape.columns;
    firstColumn = e.mul(e.block(0), columnsOfTile);
    findSources();
    findFragments();

    // Slices under way: all stages but the one that is read.
    for (int64_t stage = 0; stage + 1 < shape.stages; ++stage) {
      if (stage * kSlice < inputs)
        copySlice(e.index(stage * kSlice), e.index(stage * shape.stageBytes()), /*always=*/true);
      e.commitCopies();
    }
    int64_t tiles = shape.warpRows / 16 * shape.warpColumns / 8;
    SmallVector<Value> carried(tiles * 4, e.scalar(0));
    carried.push_back(e.index(0));                                       // the stage to read
    carried.push_back(e.index((shape.stages - 1) * shape.stageBytes())); // the stage to fill
    carried = e.loop(e.index(0), e.index(inputs), kSlice, carried, [&](Value k, ValueRange values) {
      SmallVector<Value> sums(values.drop_back(2));
      Value read = values[values.size() - 2], fill = values.back();
      e.waitForCopies(shape.stages - 2);
      e.barrier(); // the slice is there for all, and the stage to fill is used up
      copySlice(e.add(k, (shape.stages - 1) * kSlice), fill, /*always=*/false);
      e.commitCopies();
      multiply(sums, read);
      sums.push_back(nextStage(read));
      sums.push_back(nextStage(fill));
      return sums;
    });
    e.waitForCopies(0);
    store(ArrayRef<Value>(carried).drop_back(2));
  }

private:
  Value nextStage(Value stage) {
    Value next = e.add(stage, shape.stageBytes());
    return e.select(e.equal(next, e.index(shape.stages * shape.stageBytes())), e.index(0), next);
  }

  /// The output whose weights lie in a row of the slice. Of a SwiGLU each warp has as many columns of the gate as of
  /// the other half, and the same ones. A thread gets two neighbours of each eight columns that are multiplied; of 16
  /// outputs those are chosen that give it four neighbours, so that four threads write whole sectors.
  Value outputOf(Value row) {
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

  /// Which chunks this thread copies: one of each of some rows.
  void findSources() {
    chunk = e.bitAnd(e.thread(), kChunks - 1);
    Value ownRow = e.divFloor(e.thread(), kChunks);
    int64_t step = shape.threads() / kChunks;
    for (int64_t first = 0; first < shape.rows + shape.columns; first += step) {
      Value row = e.add(ownRow, first);
      bool isWeight = first >= shape.rows;
      const Matrix &matrix = isWeight ? linear.weight : linear.x;
      Value line = isWeight ? outputOf(e.sub(row, e.index(shape.rows)))
                            : e.minimum(e.add(firstRow, row), e.sub(rows, e.index(1)));
      sources.push_back(e.add(e.mul(line, matrix.stride), e.mul(chunk, kChunk)));
      Value place = e.bitXor(chunk, e.bitAnd(e.shiftRight(row, 1), kChunks - 1));
      targets.push_back(e.add(e.mul(row, kRowBytes), e.mul(place, 16)));
    }
  }

  void copySlice(Value k, Value stage, bool always) {
    int64_t step = shape.threads() / kChunks;
    bool whole = inputs % kSlice == 0;
    auto copy = [&] {
      for (size_t i = 0; i < sources.size(); ++i) {
        bool isWeight = int64_t(i) * step >= shape.rows;
        const Matrix &matrix = isWeight ? linear.weight : linear.x;
        Value from = arguments[isWeight ? places.weight : places.x];
        Value to = e.address(memory, e.b.getI8Type(), e.add(stage, targets[i]));
        if (whole) {
          e.copyAsync(to, e.address(from, matrix.element, e.add(sources[i], k)));
          continue;
        }
        // Beyond the last input there are zeros; the address is then that of the row's start.
        Value inside = e.less(e.add(k, e.mul(chunk, kChunk)), e.index(inputs));
        Value at = e.select(inside, e.add(sources[i], k), e.sub(sources[i], e.mul(chunk, kChunk)));
        e.copyAsyncIf(inside, to, e.address(from, matrix.element, at));
      }
    };
    if (always)
      copy();
    else
      e.when(e.less(k, e.index(inputs)), copy);
  }

  /// The addresses of this lane's rows for ldmatrix, within a stage, for the first 16 inputs of a slice.
  void findFragments() {
    Value lane = e.lane(), warp = e.warp();
    Value warpRow = e.mul(e.divFloor(warp, shape.warpsAcross()), shape.warpRows);
    Value warpColumn = e.mul(e.remainder(warp, shape.warpsAcross()), shape.warpColumns);
    // All rows begin at multiples of 8, so the permutation depends on the lane alone.
    Value permutation = e.bitAnd(e.shiftRight(lane, 1), kChunks - 1);
    auto place = [&](Value row, Value chunk) {
      return e.add(e.mul(row, kRowBytes), e.mul(e.bitXor(chunk, permutation), 16));
    };
    xFragment = place(e.add(warpRow, e.bitAnd(lane, 15)), e.shiftRight(lane, 4));
    Value weightRow = e.add(e.bitAnd(lane, 7), e.mul(e.shiftRight(lane, 4), 8));
    weightFragment = place(e.add(e.add(warpColumn, weightRow), shape.rows), e.bitAnd(e.shiftRight(lane, 3), 1));
    resultRow = e.add(e.add(firstRow, warpRow), e.shiftRight(lane, 2));
    Value columnOfWarp = linear.swiglu ? e.divFloor(warpColumn, 2) : warpColumn;
    resultColumn = e.add(e.add(firstColumn, columnOfWarp), e.mul(e.bitAnd(lane, 3), 4));
  }

  void multiply(MutableArrayRef<Value> sums, Value stage) {
    int64_t down = shape.warpRows / 16, across = shape.warpColumns / 8;
    auto at = [&](Value fragment, int64_t row, int64_t step) {
      Value offset = e.add(e.bitXor(fragment, step * 32), row * kRowBytes);
      return e.address(memory, e.b.getI8Type(), e.add(stage, offset));
    };
    for (int64_t step = 0; step < kSlice / 16; ++step) {
      SmallVector<SmallVector<Value>> x, weight;
      for (int64_t m = 0; m < down; ++m)
        x.push_back(e.loadMatrices(at(xFragment, m * 16, step), 4));
      for (int64_t n = 0; n < across; n += 2) {
        SmallVector<Value> two = e.loadMatrices(at(weightFragment, n * 8, step), 4);
        weight.push_back({two[0], two[1]});
        weight.push_back({two[2], two[3]});
      }
      for (int64_t m = 0; m < down; ++m)
        for (int64_t n = 0; n < across; ++n)
          e.multiplyAccumulate(x[m], weight[n], sums.slice((m * across + n) * 4, 4));
    }
  }

  void store(ArrayRef<Value> sums) {
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
              auto write = [&] { epilogue.store(e, row, column, own, gated); };
              if (tail)
                e.when(e.less(column, e.index(linear.result.width)), write);
              else
                write();
            }
        });
      }
  }

  GpuEmitter &e;
  const Shape &shape;
  const LinearOperands &linear;
  const LinearArguments &places;
  ValueRange arguments;
  int64_t inputs, columnsOfTile = 0;
  Value memory, rows, firstRow, firstColumn, chunk;
  Value xFragment, weightFragment, resultRow, resultColumn;
  SmallVector<Value> sources, targets;
};

} // namespace

bool samba::fitsLinearTensor(const LinearOperands &linear) {
  return linear.x.element.isBF16() && linear.weight.element.isBF16() && linear.x.vectorWidth(kChunk) == kChunk &&
         linear.weight.vectorWidth(kChunk) == kChunk;
}

void samba::launchLinearTensor(StepBuilder &s, const LinearOperands &linear) {
  Shape shape = chooseShape(s.limits(), linear);
  LinearArguments places(linear);
  StepBuilder::Spec spec{"linear_tensor", llvm::formatv("{0} {1}x{2}", describe(linear), shape.rows, shape.columns),
                         shape.threads()};
  spec.grid[0].times = llvm::divideCeil(linear.outputs, shape.columns);
  spec.grid[1] = {linear.result.extent, shape.rows};
  s.launch(spec, places.list,
           [&](GpuEmitter &e, ValueRange arguments) { Kernel(e, shape, linear, places, arguments).emit(); });
}
