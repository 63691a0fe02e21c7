//===- LinearHopper.cpp - matrix products on sm_90a -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block computes a tile of the result from slices of 64 inputs. Its last warp has the copy engine fill a ring of
// stages, each with a slice of both matrices; each of the other warpgroups multiplies 64 rows, with the products of
// one slice under way while the next one is waited for. Two barriers a stage say that it is full and that it is empty.
// What lies beyond the matrices is zero, so there are no tails but at the end.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/HopperEmitter.h"
#include "lowering/gpu/LinearEpilogue.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kStages = 4;

/// A block's tile.
struct Shape {
  int64_t rows, columns;

  int64_t multipliers() const { return rows / kProductRows * kWarpgroup; } // threads
  int64_t threads() const { return multipliers() + kWarp; }
  int64_t stageBytes() const { return (rows + columns) * kTileRowBytes; }
  int64_t sharedBytes() const { return kStages * (stageBytes() + 2 * kBarrierBytes); }
};

constexpr Shape kShapes[] = {{128, 128}, {64, 128}, {64, 64}};

class Kernel {
public:
  Kernel(GpuEmitter &e, const Shape &shape, const LinearOperands &linear, const LinearArguments &places,
         ValueRange arguments)
      : e(e), hopper(e), shape(shape), linear(linear), places(places), arguments(arguments),
        slices(llvm::divideCeil(linear.x.width, kTileColumns)) {}

  void emit() {
    memory = e.dynamicShared();
    barriers = e.address(memory, e.b.getI8Type(), kStages * shape.stageBytes());
    firstRow = e.mul(e.block(1), shape.rows);
    columnsOfTile = linear.swiglu ? shape.columns / 2 : shape.columns;
    firstColumn = e.mul(e.block(0), columnsOfTile);
    e.when(e.equal(e.thread(), e.index(0)), [&] {
      for (int64_t stage = 0; stage < kStages; ++stage) {
        hopper.initialise(full(e.index(stage)), 1);
        hopper.initialise(empty(e.index(stage)), shape.multipliers() / kWarp);
      }
    });
    hopper.publishBarriers();
    e.whenElse(
        e.less(e.thread(), e.index(shape.multipliers())), [&] { multiply(); },
        [&] { e.when(e.equal(e.lane(), e.index(0)), [&] { copy(); }); });
  }

private:
  Value full(Value stage) { return e.address(barriers, e.b.getI64Type(), stage); }
  Value empty(Value stage) { return full(e.add(stage, kStages)); }
  Value bytesOf(Value stage) { return e.mul(stage, shape.stageBytes()); }

  void copy() {
    Value x = arguments[places.x], weight = arguments[places.weight];
    // At first all stages are empty.
    e.loop(e.index(0), e.index(slices), 1, {e.index(0), e.index(1)}, [&](Value slice, ValueRange values) {
      Value stage = values[0], column = e.mul(slice, kTileColumns), barrier = full(stage);
      e.when(e.less(e.index(kStages - 1), slice), [&] { hopper.wait(empty(stage), values[1]); });
      hopper.arriveExpecting(barrier, shape.stageBytes());
      Value to = e.address(memory, e.b.getI8Type(), bytesOf(stage));
      hopper.copyBox(to, x, column, firstRow, barrier);
      to = e.address(to, e.b.getI8Type(), shape.rows * kTileRowBytes);
      hopper.copyBox(to, weight, column, firstColumn, barrier);
      if (linear.swiglu) // the other half of the outputs
        hopper.copyBox(e.address(to, e.b.getI8Type(), columnsOfTile * kTileRowBytes), weight, column,
                       e.add(firstColumn, linear.result.width), barrier);
      auto [following, parity] = hopper.nextStage(stage, values[1], kStages);
      return SmallVector<Value>{following, parity};
    });
  }

  void multiply() {
    Value warpgroup = e.divFloor(e.thread(), kWarpgroup);
    Value ownRows = e.mul(warpgroup, kProductRows * kTileRowBytes);
    Value x = hopper.describe(e.address(memory, e.b.getI8Type(), ownRows));
    Value weight = hopper.describe(e.address(memory, e.b.getI8Type(), shape.rows * kTileRowBytes));
    SmallVector<Value> carried(shape.columns / 2, e.scalar(0));
    hopper.publishRegisters(carried);                     // from here on only products write the sums
    carried.append({e.index(0), e.index(0), e.index(0)}); // the stage, its parity, the stage before
    carried = e.loop(e.index(0), e.index(slices), 1, carried, [&](Value slice, ValueRange values) {
      SmallVector<Value> sums(values.drop_back(3));
      ValueRange ring = values.take_back(3);
      hopper.wait(full(ring[0]), ring[1]);
      Value bytes = bytesOf(ring[0]);
      Value ownX = hopper.advance(x, bytes), ownWeight = hopper.advance(weight, bytes);
      for (int64_t step = 0; step < kTileColumns; step += kProductDepth)
        hopper.multiply(sums, hopper.advance(ownX, step * 2), hopper.advance(ownWeight, step * 2));
      hopper.commit();
      // The stage of the slice before is given back when its products are done, if there is another slice for it.
      Value releases = e.both(e.less(e.index(0), slice), e.less(slice, e.index(slices - kStages + 1)));
      e.when(releases, [&] {
        hopper.waitForProducts(1);
        e.when(e.equal(e.lane(), e.index(0)), [&] { hopper.arrive(empty(ring[2])); });
      });
      auto [following, parity] = hopper.nextStage(ring[0], ring[1], kStages);
      sums.append({following, parity, ring[0]});
      return sums;
    });
    MutableArrayRef<Value> sums = MutableArrayRef<Value>(carried).drop_back(3);
    hopper.waitForProducts(sums);
    store(sums, warpgroup);
  }

  void store(ArrayRef<Value> sums, Value warpgroup) {
    LinearEpilogue epilogue(linear, places, arguments);
    Value rows = loadSize(e, arguments[places.sizes], sizeIndexOf(linear.result.extent)), lane = e.lane();
    Value warpRow = e.add(e.mul(warpgroup, kProductRows), e.mul(e.remainder(e.warp(), kWarpgroup / kWarp), 16));
    Value ownRow = e.add(e.add(firstRow, warpRow), e.shiftRight(lane, 2));
    Value ownColumn = e.add(firstColumn, e.mul(e.bitAnd(lane, 3), 2));
    int64_t lanes = epilogue.vectorWidth(2);
    bool tail = linear.result.width % columnsOfTile != 0;
    for (int64_t half = 0; half < 2; ++half) {
      Value row = e.add(ownRow, half * 8);
      e.when(e.less(row, rows), [&] {
        for (int64_t n = 0; n < columnsOfTile / 8; ++n)
          for (int64_t i = 0; i < 2; i += lanes) {
            Value column = e.add(ownColumn, n * 8 + i);
            ArrayRef<Value> own = sums.slice(n * 4 + half * 2 + i, lanes), gated;
            if (linear.swiglu)
              gated = sums.slice((n + columnsOfTile / 8) * 4 + half * 2 + i, lanes);
            epilogue.storeInside(e, row, column, own, gated, tail);
          }
      });
    }
  }

  GpuEmitter &e;
  HopperEmitter hopper;
  const Shape &shape;
  const LinearOperands &linear;
  const LinearArguments &places;
  ValueRange arguments;
  int64_t slices, columnsOfTile = 0;
  Value memory, barriers, firstRow, firstColumn;
};

} // namespace

bool samba::fitsLinearHopper(const StepBuilder &s, const LinearOperands &linear) {
  return s.isHopper() && fitsLinearTensor(linear);
}

void samba::launchLinearHopper(StepBuilder &s, const LinearOperands &linear) {
  Shape shape = chooseTile(kShapes, s.limits(), linear);
  LinearArguments places(linear);
  places.list[places.x] = mapOf(linear.x, {linear.x.extent}, shape.rows);
  places.list[places.weight] =
      mapOf(linear.weight, {Extent::One, 1, linear.outputs}, linear.swiglu ? shape.columns / 2 : shape.columns);
  StepBuilder::Spec spec{"linear_hopper", llvm::formatv("{0} {1}x{2}", describe(linear), shape.rows, shape.columns),
                         shape.threads()};
  spec.grid[0].times = llvm::divideCeil(linear.outputs, shape.columns);
  spec.grid[1] = {linear.result.extent, shape.rows};
  spec.sharedBytes = shape.sharedBytes();
  spec.hopper = true;
  s.launch(spec, places.list,
           [&](GpuEmitter &e, ValueRange arguments) { Kernel(e, shape, linear, places, arguments).emit(); });
}
