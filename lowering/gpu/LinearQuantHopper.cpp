//===- LinearQuantHopper.cpp - quantised weights on sm_90a ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The product is computed the other way round, weight times x: the first operand of a warpgroup's product may lie in
// registers, which is where integers are widened. The last warp of a block has the copy engine fill a ring of stages
// with slices of 64 inputs, one group of the weight: rows of x, and blocks of integers with their scales. Each of the
// other warpgroups has 64 outputs, 16 a warp: two panels, of a SwiGLU one of the gate and the same one of the other
// half, so that a lane has both. While the products of a slice are under way the integers of the next one are widened,
// exactly; what comes out of a slice is added times the scales.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/HopperEmitter.h"
#include "lowering/gpu/LinearEpilogue.h"
#include "lowering/gpu/QuantWeight.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kStages = 4, kPanel = QuantWeight::kPanel, kSteps = kTileColumns / kProductDepth;
constexpr int64_t kPanelsOfWarp = 2;
static_assert(QuantWeight::kGroup == kTileColumns, "a slice is a group");

/// A block's tile: rows of x, and outputs.
struct Shape {
  int64_t rows, columns;

  int64_t multipliers() const { return columns / kProductRows * kWarpgroup; } // threads
  int64_t threads() const { return multipliers() + kWarp; }
  int64_t panels() const { return columns / kPanel; }
  int64_t xBytes() const { return rows * kTileRowBytes; }
  int64_t filledBytes(const QuantWeight &weight) const { return xBytes() + panels() * weight.blockBytes; }
  int64_t stageBytes(const QuantWeight &weight) const { return llvm::alignTo(filledBytes(weight), kTileAlignment); }
  int64_t sharedBytes(const QuantWeight &weight) const { return kStages * (stageBytes(weight) + 2 * kBarrierBytes); }
};

// With 128 rows sums, products and operands would not fit the 168 registers that a thread of 288 may have.
constexpr Shape kShapes[] = {{96, 128}, {64, 128}, {64, 64}};

class Kernel {
public:
  Kernel(GpuEmitter &e, const Shape &shape, const LinearOperands &linear, const LinearArguments &places,
         ValueRange arguments)
      : e(e), hopper(e), shape(shape), linear(linear), places(places), arguments(arguments), weight(linear.weight),
        stageBytes(shape.stageBytes(weight)), panelsOfTile(shape.panels() / (linear.swiglu ? 2 : 1)) {}

  void emit() {
    memory = e.dynamicShared();
    barriers = at(memory, e.index(kStages * stageBytes));
    firstRow = e.mul(e.block(1), shape.rows);
    firstPanel = e.mul(e.block(0), panelsOfTile);
    e.when(e.equal(e.thread(), e.index(0)), [&] {
      for (int64_t stage = 0; stage < kStages; ++stage) {
        hopper.initialise(full(e.index(stage)), 1);
        hopper.initialise(empty(e.index(stage)), shape.multipliers());
      }
    });
    hopper.publishBarriers();
    e.whenElse(
        e.less(e.thread(), e.index(shape.multipliers())), [&] { multiply(); },
        [&] { e.when(e.equal(e.lane(), e.index(0)), [&] { copy(); }); });
  }

private:
  Value at(Value pointer, Value bytes) { return e.address(pointer, e.b.getI8Type(), bytes); }
  Value full(Value stage) { return e.address(barriers, e.b.getI64Type(), stage); }
  Value empty(Value stage) { return full(e.add(stage, kStages)); }
  Value bytesOf(Value stage) { return e.mul(stage, stageBytes); }

  /// The panel that lies at a place of a stage. Panels beyond the last are that one and are not stored.
  Value panelAt(int64_t place) {
    int64_t last = llvm::divideCeil(linear.result.width, kPanel) - 1;
    if (!linear.swiglu)
      return e.minimum(e.add(firstPanel, place), e.index(last));
    Value panel = e.minimum(e.add(firstPanel, place / 2), e.index(last));
    return place % 2 ? e.add(panel, linear.result.width / kPanel) : panel;
  }

  void copy() {
    Value x = arguments[places.x];
    SmallVector<Value> sources;
    for (int64_t place = 0; place < shape.panels(); ++place)
      sources.push_back(weight.block(e, panelAt(place), e.index(0)));
    // At first all stages are empty.
    e.loop(e.index(0), e.index(weight.groups), 1, {e.index(0), e.index(1)}, [&](Value slice, ValueRange values) {
      Value stage = values[0], barrier = full(stage), to = at(memory, bytesOf(stage));
      e.when(e.less(e.index(kStages - 1), slice), [&] { hopper.wait(empty(stage), values[1]); });
      hopper.arriveExpecting(barrier, shape.filledBytes(weight));
      hopper.copyBox(to, x, e.mul(slice, kTileColumns), firstRow, barrier);
      Value inPanel = e.mul(slice, weight.blockBytes);
      for (auto [place, source] : llvm::enumerate(sources))
        hopper.copyBytes(at(to, e.index(shape.xBytes() + place * weight.blockBytes)),
                         at(arguments[places.weight], e.add(source, inPanel)), weight.blockBytes, barrier);
      auto [following, parity] = hopper.nextStage(stage, values[1], kStages);
      return SmallVector<Value>{following, parity};
    });
  }

  /// What a lane has of a slice of the weight: four words for each step, and the scales of both its outputs.
  struct Operands {
    SmallVector<Value> words, scales;
  };

  /// A product wants inputs 2q and 8 + 2q of lane q, and those after them: each is half of a word.
  Operands load(Value stage) {
    Type word = e.b.getI32Type();
    Value inTile = e.shiftRight(e.lane(), 2), inRow = e.bitAnd(e.lane(), 3);
    Value blocks = e.add(e.mul(e.warp(), kPanelsOfWarp * weight.blockBytes), shape.xBytes());
    Value own = at(memory, e.add(bytesOf(stage), e.add(blocks, e.mul(inTile, 4))));
    Value codes = at(own, e.add(e.mul(e.shiftRight(inRow, 1), kPanel * 4), QuantWeight::kScaleBytes));
    Value second = e.equal(e.bitAnd(inRow, 1), e.index(1));
    Operands result;
    result.words.resize(kSteps * 4);
    for (int64_t panel = 0; panel < kPanelsOfWarp; ++panel) {
      int64_t block = panel * weight.blockBytes, stored = kSteps / weight.halves;
      for (int64_t step = 0; step < stored; ++step)
        for (int64_t high = 0; high < 2; ++high) {
          Value four = e.loadRaw(at(codes, e.index(block + (step * 4 + high * 2) * kPanel * 4)), word, 4);
          for (int64_t half = 0; half < weight.halves; ++half)
            result.words[(half * stored + step) * 4 + high * 2 + panel] = weight.widenPair(e, four, half, second);
        }
      result.scales.push_back(e.load(at(own, e.index(block)), e.b.getF32Type(), e.index(0)));
    }
    return result;
  }

  void multiply() {
    Value x = hopper.describe(memory), start = e.index(0);
    hopper.wait(full(start), start);
    Operands first = load(start);
    size_t sumCount = shape.rows / 2, wordCount = first.words.size();
    SmallVector<Value> carried(sumCount, e.scalar(0));
    carried.append(first.words);
    carried.append(first.scales);
    carried.append({start, start}); // the stage and its parity
    carried = e.loop(e.index(0), e.index(weight.groups - 1), 1, carried, [&](Value slice, ValueRange values) {
      SmallVector<Value> now(values.take_front(sumCount));
      Operands own{SmallVector<Value>(values.slice(sumCount, wordCount)),
                   SmallVector<Value>(values.take_back(4).take_front(2))};
      Value stage = values[values.size() - 2], parity = values.back();
      Operands next;
      auto [following, nextParity] = hopper.nextStage(stage, parity, kStages);
      Value nextStage = following, itsParity = nextParity;
      add(now, own, x, stage, [&] {
        hopper.wait(full(nextStage), itsParity);
        next = load(nextStage);
      });
      // The stage is given back if there is another slice for it.
      if (weight.groups > kStages)
        e.when(e.less(slice, e.index(weight.groups - kStages)), [&] { hopper.arrive(empty(stage)); });
      now.append(next.words);
      now.append(next.scales);
      now.append({nextStage, itsParity});
      return now;
    });
    ValueRange last(carried);
    SmallVector<Value> sums(last.take_front(sumCount));
    add(sums,
        {SmallVector<Value>(last.slice(sumCount, wordCount)), SmallVector<Value>(last.take_back(4).take_front(2))}, x,
        last[last.size() - 2], [] {});
    store(sums);
  }

  /// Adds a slice; `meanwhile` is done while its products are under way.
  void add(MutableArrayRef<Value> sums, Operands own, Value x, Value stage, llvm::function_ref<void()> meanwhile) {
    SmallVector<Value> products(sums.size(), e.scalar(0));
    hopper.settle(own.words);
    hopper.publishRegisters(products);
    Value rows = hopper.advance(x, bytesOf(stage));
    for (int64_t step = 0; step < kSteps; ++step)
      hopper.multiply(products, ArrayRef<Value>(own.words).slice(step * 4, 4),
                      hopper.advance(rows, step * kProductDepth * 2));
    hopper.commit();
    meanwhile();
    hopper.waitForProducts(products, own.words);
    for (auto [i, product] : llvm::enumerate(products))
      sums[i] = e.fma(product, own.scales[i / 2 % 2], sums[i]);
  }

  /// A lane has two rows of x for each eight of them, and an output of both panels.
  void store(ArrayRef<Value> sums) {
    LinearEpilogue epilogue(linear, places, arguments);
    Value rows = loadSize(e, arguments[places.sizes], sizeIndexOf(linear.result.extent)), lane = e.lane();
    int64_t stored = linear.swiglu ? 1 : kPanelsOfWarp;
    Value ownRow = e.add(firstRow, e.mul(e.bitAnd(lane, 3), 2));
    Value ownColumn = e.add(e.mul(e.add(firstPanel, e.mul(e.warp(), stored)), kPanel), e.shiftRight(lane, 2));
    bool tail = linear.result.width % (panelsOfTile * kPanel) != 0;
    for (int64_t n = 0; n < shape.rows / 8; ++n)
      for (int64_t i = 0; i < 2; ++i) {
        Value row = e.add(ownRow, n * 8 + i);
        e.when(e.less(row, rows), [&] {
          for (int64_t panel = 0; panel < stored; ++panel) {
            Value column = e.add(ownColumn, panel * kPanel);
            ArrayRef<Value> own = sums.slice(n * 4 + panel * 2 + i, 1), gated;
            if (linear.swiglu)
              gated = sums.slice(n * 4 + 2 + i, 1);
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
  QuantWeight weight;
  int64_t stageBytes, panelsOfTile; // panelsOfTile: of results
  Value memory, barriers, firstRow, firstPanel;
};

} // namespace

void samba::launchLinearQuantHopper(StepBuilder &s, const LinearOperands &linear) {
  Shape shape = chooseTile(kShapes, s.limits(), linear);
  LinearArguments places(linear);
  places.list[places.x] = mapOf(linear.x, {linear.x.extent}, shape.rows);
  StepBuilder::Spec spec{"linear_quant_hopper",
                         llvm::formatv("{0} {1}x{2}", describe(linear), shape.rows, shape.columns), shape.threads()};
  spec.grid[0].times = llvm::divideCeil(linear.outputs, shape.columns);
  spec.grid[1] = {linear.result.extent, shape.rows};
  spec.sharedBytes = shape.sharedBytes(QuantWeight(linear.weight));
  spec.hopper = true;
  s.launch(spec, places.list,
           [&](GpuEmitter &e, ValueRange arguments) { Kernel(e, shape, linear, places, arguments).emit(); });
}
