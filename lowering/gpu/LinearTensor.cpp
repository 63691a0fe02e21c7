//===- LinearTensor.cpp - matrix products on tensor cores -----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Both matrices are bf16 with their inputs side by side, as the instruction wants them. A block computes a tile of the
// result from slices of 32 inputs, which are copied to shared memory some slices ahead.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/TensorTile.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

namespace {

constexpr TileShape kShapes[] = {{128, 128, 3, 64, 32}, {64, 64, 4, 32, 32}, {32, 64, 4, 16, 32}};

class Kernel : TensorTile {
public:
  Kernel(GpuEmitter &e, const TileShape &shape, const LinearOperands &linear, const LinearArguments &places,
         ValueRange arguments)
      : TensorTile(e, shape, linear, places, arguments, /*parts=*/1) {}

  void emit() {
    findSources();

    // Slices under way: all stages but the one that is read.
    for (int64_t stage = 0; stage + 1 < shape.stages; ++stage) {
      if (stage * kSlice < inputs)
        copySlice(e.index(stage * kSlice), e.index(stage * stageBytes()), /*always=*/true);
      e.commitCopies();
    }
    SmallVector<Value> carried(countSums(), e.scalar(0));
    carried.push_back(e.index(0));                                 // the stage to read
    carried.push_back(e.index((shape.stages - 1) * stageBytes())); // the stage to fill
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
    // Of the groups that are left none has a copy.
    store(ArrayRef<Value>(carried).drop_back(2));
  }

private:
  /// Which chunks this thread copies: one of each of some rows.
  void findSources() {
    chunk = e.bitAnd(e.thread(), kChunks - 1);
    Value ownRow = e.divFloor(e.thread(), kChunks);
    int64_t step = shape.threads() / kChunks;
    for (int64_t first = 0; first < shape.rows + shape.columns; first += step) {
      Value row = e.add(ownRow, first);
      bool isWeight = first >= shape.rows;
      const Matrix &matrix = isWeight ? linear.weight : linear.x;
      Value line = isWeight ? outputOf(e.sub(row, e.index(shape.rows))) : rowOf(row);
      sources.push_back(e.add(e.mul(line, matrix.stride), e.mul(chunk, kChunk)));
      targets.push_back(placeOf(row, chunk));
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
    e.when(always ? Value() : e.less(k, e.index(inputs)), copy);
  }

  Value chunk;
  SmallVector<Value> sources, targets;
};

} // namespace

bool samba::fitsLinearTensor(const LinearOperands &linear) {
  return linear.x.element.isBF16() && linear.weight.element.isBF16() && linear.x.vectorWidth(8) == 8 &&
         linear.weight.vectorWidth(8) == 8;
}

void samba::launchLinearTensor(StepBuilder &s, const LinearOperands &linear) {
  TileShape shape = chooseTile(kShapes, s.limits(), linear);
  LinearArguments places(linear);
  StepBuilder::Spec spec{"linear_tensor", llvm::formatv("{0} {1}x{2}", describe(linear), shape.rows, shape.columns),
                         shape.threads()};
  spec.grid[0].times = llvm::divideCeil(linear.outputs, shape.columns);
  spec.grid[1] = {linear.result.extent, shape.rows};
  s.launch(spec, places.list,
           [&](GpuEmitter &e, ValueRange arguments) { Kernel(e, shape, linear, places, arguments).emit(); });
}
