//===- LinearDecode.cpp - products of few rows with a weight --------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With few rows a product takes as long as the weight takes to be read. A warp reads the inputs of one output side by
// side, 16 bytes a lane and several loads ahead, and multiplies them with the rows, which come from the cache. Where
// there are few outputs several warps share one.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/LinearInput.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kThreads = 256, kWarps = kThreads / kWarp;
constexpr int64_t kEnoughBlocks = 256; // to keep all of a device busy
constexpr int64_t kUnroll = 4;         // loads of a lane that are under way at once
constexpr int64_t kSharedBytes = 48 << 10;

/// How the work is divided, from the static sizes.
struct Shape {
  Shape(const Limits &limits, const LinearOperands &linear) {
    int64_t bytes = linear.weight.element.getIntOrFloatBitWidth() / 8;
    lanes = linear.weight.vectorWidth(16 / bytes);
    // What is read of x at once is no more than an access either, or a lane would leave every other sector to the next.
    if (!linear.norm.weight)
      lanes = std::min(lanes, linear.x.vectorWidth(kWidestAccess / linear.x.element.getIntOrFloatBitWidth()));
    rows = limits.of(linear.result.extent) == 1 ? 1 : 4;
    int64_t columns = linear.result.width, chunks = linear.x.width / lanes;
    for (sharing = 1; sharing < kWarps; sharing *= 2)
      if (columns * sharing / kWarps >= kEnoughBlocks || chunks < kWarp * sharing * 2)
        break;
  }
  int64_t lanes;                                       // inputs that a lane reads at once
  int64_t rows;                                        // that are multiplied at once
  int64_t sharing;                                     // warps that share an output
  int64_t columns() const { return kWarps / sharing; } // of a block
};

} // namespace

bool samba::fitsLinearDecode(const StepBuilder &s, const LinearOperands &linear) {
  constexpr int64_t kMostRows = 16;
  if (s.limits().of(linear.result.extent) > kMostRows)
    return false;
  if (!linear.norm.weight)
    return true;
  Shape shape(s.limits(), linear);
  // What lies in shared memory is read in the steps of the weight, 16 bytes at most.
  int64_t bytes = RowSource::bytes(linear, shape.rows);
  return bytes <= kSharedBytes - 1024 && shape.lanes * RowSource::bytes(linear, 1) <= 16 * linear.x.width &&
         linear.x.width % shape.lanes == 0;
}

void samba::launchLinearDecode(StepBuilder &s, const LinearOperands &linear) {
  Shape shape(s.limits(), linear);
  LinearArguments places(linear);
  bool single = s.limits().of(linear.result.extent) == 1;
  StepBuilder::Spec spec{"linear_decode", llvm::formatv("{0} {1}", describe(linear), shape.rows), kThreads};
  int64_t columns = linear.result.width;
  spec.grid[0].times = llvm::divideCeil(columns, shape.columns());
  spec.grid[1] = {linear.result.extent, shape.rows};
  int64_t chunks = linear.x.width / shape.lanes, stride = kWarp * shape.sharing;

  s.launch(spec, places.list, [&](GpuEmitter &e, ValueRange arguments) {
    Type f32 = e.b.getF32Type();
    Value rows = single ? e.index(1) : loadSize(e, arguments[places.sizes], sizeIndexOf(linear.result.extent));
    Value firstRow = single ? e.index(0) : e.mul(e.block(1), shape.rows);
    Value column = e.add(e.mul(e.block(0), shape.columns()), e.divFloor(e.warp(), shape.sharing));
    Value part = e.remainder(e.warp(), shape.sharing);
    bool tail = columns % shape.columns() != 0;
    Value safeColumn = tail ? e.minimum(column, e.index(columns - 1)) : column;

    RowSource source(e, linear, places, arguments, firstRow, rows, shape.rows);
    Value weightPointer = arguments[places.weight];
    // The outputs of this warp: one, or a gate and its partner.
    SmallVector<Value> outputs{e.mul(safeColumn, linear.weight.stride)};
    if (linear.swiglu)
      outputs.push_back(e.mul(e.add(safeColumn, columns), linear.weight.stride));

    auto multiply = [&](SmallVector<Value> &sums, ArrayRef<Value> columns, Value inside) {
      SmallVector<SmallVector<SmallVector<Value>>> weights;
      for (Value place : columns) { // all loads first
        weights.emplace_back();
        for (Value output : outputs)
          weights.back().push_back(e.load(weightPointer, linear.weight.element, e.add(output, place), shape.lanes));
      }
      for (auto [place, loaded] : llvm::zip(columns, weights))
        for (int64_t r = 0; r < shape.rows; ++r) {
          SmallVector<Value> x = e.load(source.pointer, source.element, e.add(source.starts[r], place), shape.lanes);
          for (auto [c, weight] : llvm::enumerate(loaded)) {
            Value &sum = sums[r * outputs.size() + c];
            Value added = sum;
            for (auto [a, b] : llvm::zip(x, weight))
              added = e.fma(a, b, added);
            sum = inside ? e.select(inside, added, sum) : added;
          }
        }
    };

    Value first = e.add(e.mul(part, kWarp), e.lane());
    int64_t whole = chunks / stride, unrolled = whole / kUnroll * kUnroll;
    SmallVector<Value> sums(shape.rows * outputs.size(), e.scalar(0));
    auto placeOf = [&](Value round, int64_t i) {
      return e.mul(e.add(e.mul(e.add(round, i), stride), first), shape.lanes);
    };
    if (unrolled)
      sums = e.loop(e.index(0), e.index(unrolled), kUnroll, sums, [&](Value round, ValueRange carried) {
        SmallVector<Value> sums(carried), places;
        for (int64_t i = 0; i < kUnroll; ++i)
          places.push_back(placeOf(round, i));
        multiply(sums, places, {});
        return sums;
      });
    SmallVector<Value> rest;
    for (int64_t round = unrolled; round < whole; ++round)
      rest.push_back(placeOf(e.index(round), 0));
    if (!rest.empty())
      multiply(sums, rest, {});
    if (chunks % stride != 0) {
      Value item = e.add(first, whole * stride), inside = e.less(item, e.index(chunks));
      multiply(sums, {e.mul(e.select(inside, item, e.index(0)), shape.lanes)}, inside);
    }

    for (Value &sum : sums)
      sum = e.warpSum(sum);
    if (shape.sharing > 1) {
      // Warp by warp to shared memory; the first of those that share an output adds them up.
      Value memory = e.shared(kWarps * sums.size() * 4);
      e.when(e.equal(e.lane(), e.index(0)), [&] {
        for (auto [i, sum] : llvm::enumerate(sums))
          e.store(sum, memory, f32, e.add(e.warp(), i * kWarps));
      });
      e.barrier();
      for (auto [i, sum] : llvm::enumerate(sums)) {
        sum = e.scalar(0);
        for (int64_t w = 0; w < shape.sharing; ++w)
          sum = e.addf(sum, e.load(memory, f32, e.add(e.add(e.sub(e.warp(), part), w), i * kWarps)));
      }
    }
    Value writes = e.equal(e.lane(), e.index(0));
    if (shape.sharing > 1)
      writes = e.both(writes, e.equal(part, e.index(0)));
    if (tail)
      writes = e.both(writes, e.less(column, e.index(columns)));
    LinearEpilogue epilogue(linear, places, arguments);
    e.when(writes, [&] {
      for (int64_t r = 0; r < shape.rows; ++r) {
        Value row = e.add(firstRow, r);
        ArrayRef<Value> own = ArrayRef<Value>(sums).slice(r * outputs.size(), 1), gated;
        if (linear.swiglu)
          gated = ArrayRef<Value>(sums).slice(r * outputs.size() + 1, 1);
        e.when(shape.rows == 1 ? Value() : e.less(row, rows),
               [&] { epilogue.storeOrConvolve(e, row, column, own, gated); });
      }
    });
  });
}
