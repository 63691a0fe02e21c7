//===- LinearQuantDecode.cpp - products with a quantised weight -----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For one row, where the time is that of reading the weight, and for shapes that tensor cores do not take. A warp reads
// the blocks of a panel side by side, 16 bytes a lane: words of four outputs, which share their inputs. Integers are
// widened exactly, products summed in f32 and scaled once a block. Where there are few panels several warps share one.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/LinearInput.h"
#include "lowering/gpu/QuantWeight.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kThreads = 256, kWarps = kThreads / kWarp;
constexpr int64_t kEnoughBlocks = 256; // to keep all of a device busy
constexpr int64_t kUnroll = 4;         // loads of a lane that are under way at once
constexpr int64_t kPanel = QuantWeight::kPanel, kGroup = QuantWeight::kGroup;
constexpr int64_t kOwn = 4; // outputs of a lane

struct Shape {
  Shape(int64_t mostRows, const LinearOperands &linear, const QuantWeight &weight) {
    rows = mostRows == 1 ? 1 : 4;
    lanes = weight.words * 2;
    together = kWarp / lanes;
    int64_t count = llvm::divideCeil(linear.result.width, kPanel);
    for (sharing = 1; sharing < kWarps; sharing *= 2)
      if (count * sharing / kWarps >= kEnoughBlocks || weight.groups < sharing * together * 2)
        break;
  }
  int64_t rows;                                       // that are multiplied at once
  int64_t lanes;                                      // that read a block
  int64_t together;                                   // blocks that a warp reads at once
  int64_t sharing;                                    // warps that share a panel
  int64_t panels() const { return kWarps / sharing; } // of a block of threads
};

class Kernel {
public:
  Kernel(GpuEmitter &e, const Shape &shape, const LinearOperands &linear, const LinearArguments &places,
         ValueRange arguments)
      : e(e), shape(shape), linear(linear), places(places), arguments(arguments), weight(linear.weight),
        sets(linear.swiglu ? 2 : 1) {}

  void emit(bool single) {
    rows = single ? e.index(1) : loadSize(e, arguments[places.sizes], sizeIndexOf(linear.result.extent));
    firstRow = single ? e.index(0) : e.mul(e.block(1), shape.rows);
    source.emplace(e, linear, places, arguments, firstRow, rows, shape.rows);
    findBlocks();

    int64_t stride = shape.sharing * shape.together; // groups of a round
    int64_t whole = weight.groups / stride, unrolled = whole / kUnroll * kUnroll;
    SmallVector<Value> sums(shape.rows * sets * kOwn, e.scalar(0));
    auto groupOf = [&](Value round, int64_t i) { return e.add(e.mul(e.add(round, i), stride), firstGroup); };
    if (unrolled)
      sums = e.loop(e.index(0), e.index(unrolled), kUnroll, sums, [&](Value round, ValueRange carried) {
        SmallVector<Value> sums(carried), groups;
        for (int64_t i = 0; i < kUnroll; ++i)
          groups.push_back(groupOf(round, i));
        multiply(sums, groups, {});
        return sums;
      });
    SmallVector<Value> rest;
    for (int64_t round = unrolled; round < whole; ++round)
      rest.push_back(groupOf(e.index(round), 0));
    if (!rest.empty())
      multiply(sums, rest, {});
    if (weight.groups % stride) {
      Value group = groupOf(e.index(whole), 0), inside = e.less(group, e.index(weight.groups));
      multiply(sums, e.select(inside, group, e.index(0)), inside);
    }
    store(sums);
  }

private:
  /// What this lane reads of which panel.
  void findBlocks() {
    int64_t count = llvm::divideCeil(linear.result.width, kPanel);
    Value panel = e.add(e.mul(e.block(0), shape.panels()), e.divFloor(e.warp(), shape.sharing));
    if (count % shape.panels())
      panel = e.minimum(panel, e.index(count - 1));
    panels.push_back(panel);
    if (linear.swiglu)
      panels.push_back(e.add(panel, linear.result.width / kPanel));
    Value inBlock = e.bitAnd(e.lane(), shape.lanes - 1);
    firstGroup = e.add(e.mul(e.remainder(e.warp(), shape.sharing), shape.together), e.divFloor(e.lane(), shape.lanes));
    firstInput = e.mul(e.divFloor(inBlock, 2), 4);
    scalePlace = e.mul(e.bitAnd(e.lane(), 1), 16);
    codePlace = e.add(e.mul(inBlock, 16), QuantWeight::kScaleBytes);
  }

  SmallVector<Value> loadFour(Value block, Value place, Type element) {
    Value vector = e.loadRaw(e.address(block, e.b.getI8Type(), place), VectorType::get({kOwn}, element), 16);
    SmallVector<Value> values;
    for (int64_t i = 0; i < kOwn; ++i)
      values.push_back(LLVM::ExtractElementOp::create(e.b, e.loc, vector, e.integer(i)));
    return values;
  }

  /// Four inputs of a row; beyond the last there are zeros.
  SmallVector<Value> inputs(int64_t row, Value column) {
    int64_t lanes = linear.norm.weight ? (linear.x.width % 4 ? 1 : 4) : linear.x.vectorWidth(4);
    SmallVector<Value> values;
    for (int64_t i = 0; i < 4; i += lanes) {
      Value at = e.add(column, i), inside;
      if (linear.x.width % kGroup) {
        inside = e.less(at, e.index(linear.x.width));
        at = e.select(inside, at, e.index(0));
      }
      for (Value value : e.load(source->pointer, source->element, e.add(source->starts[row], at), lanes))
        values.push_back(inside ? e.select(inside, value, e.scalar(0)) : value);
    }
    return values;
  }

  void multiply(SmallVector<Value> &sums, ArrayRef<Value> groups, Value inside) {
    SmallVector<SmallVector<Value>> scales, words; // by group and set
    for (Value group : groups)                     // all loads first
      for (Value panel : panels) {
        Value block = e.address(arguments[places.weight], e.b.getI8Type(), weight.block(e, panel, group));
        scales.push_back(loadFour(block, scalePlace, e.b.getF32Type()));
        words.push_back(loadFour(block, codePlace, e.b.getI32Type()));
      }
    for (auto [g, group] : llvm::enumerate(groups)) {
      SmallVector<SmallVector<Value>> x; // by row and half
      for (int64_t r = 0; r < shape.rows; ++r)
        for (int64_t half = 0; half < weight.halves; ++half)
          x.push_back(inputs(r, e.add(e.add(e.mul(group, kGroup), firstInput), half * weight.words * 4)));
      for (int64_t set = 0; set < sets; ++set)
        for (int64_t i = 0; i < kOwn; ++i) {
          SmallVector<Value> products(shape.rows, e.scalar(0));
          for (int64_t half = 0; half < weight.halves; ++half) {
            SmallVector<Value> codes = weight.widen(e, words[g * sets + set][i], half);
            for (int64_t r = 0; r < shape.rows; ++r)
              for (auto [a, b] : llvm::zip(x[r * weight.halves + half], codes))
                products[r] = e.fma(a, b, products[r]);
          }
          for (int64_t r = 0; r < shape.rows; ++r) {
            Value &sum = sums[(r * sets + set) * kOwn + i];
            Value added = e.fma(scales[g * sets + set][i], products[r], sum);
            sum = inside ? e.select(inside, added, sum) : added;
          }
        }
    }
  }

  /// Lanes of one parity have the same outputs. The first two of each warp leave the sums, those of the warps that
  /// share panels behind each other, `[sharing, set, row, outputs]`; then each thread finishes an output of a row, and
  /// neighbours read from neighbouring banks.
  void store(SmallVector<Value> &sums) {
    Type f32 = e.b.getF32Type();
    for (Value &sum : sums)
      for (int64_t mask = kWarp / 2; mask > 1; mask /= 2)
        sum = e.addf(sum, e.shuffleXor(sum, mask));
    int64_t outputs = shape.panels() * kPanel;
    auto placeOf = [&](int64_t set, int64_t row) { return (set * shape.rows + row) * outputs; };
    int64_t perShare = placeOf(sets, 0);
    Value memory = e.shared(shape.sharing * perShare * 4);
    e.when(e.less(e.lane(), e.index(2)), [&] {
      Value share = e.mul(e.remainder(e.warp(), shape.sharing), perShare);
      Value own = e.add(e.mul(e.divFloor(e.warp(), shape.sharing), kPanel), e.mul(e.lane(), kOwn));
      for (int64_t r = 0; r < shape.rows; ++r)
        for (int64_t set = 0; set < sets; ++set)
          e.store(ArrayRef<Value>(sums).slice((r * sets + set) * kOwn, kOwn), memory, f32,
                  e.add(e.add(share, own), placeOf(set, r)));
    });
    e.barrier();

    Value output = e.remainder(e.thread(), outputs), r = e.divFloor(e.thread(), outputs), row = e.add(firstRow, r);
    Value column = e.add(e.mul(e.block(0), outputs), output);
    Value exists = e.both(e.less(r, e.index(shape.rows)), e.less(column, e.index(linear.result.width)));
    e.when(e.both(exists, e.less(row, rows)), [&] {
      SmallVector<Value> finished(sets, e.scalar(0));
      Value own = e.add(e.mul(r, outputs), output);
      for (int64_t share = 0; share < shape.sharing; ++share)
        for (int64_t set = 0; set < sets; ++set)
          finished[set] = e.addf(finished[set], e.load(memory, f32, e.add(own, share * perShare + placeOf(set, 0))));
      ArrayRef<Value> all(finished);
      LinearEpilogue(linear, places, arguments).storeOrConvolve(e, row, column, all.take_front(), all.drop_front());
    });
  }

  GpuEmitter &e;
  const Shape &shape;
  const LinearOperands &linear;
  const LinearArguments &places;
  ValueRange arguments;
  QuantWeight weight;
  int64_t sets; // outputs that are multiplied for one: two for a SwiGLU
  Value rows, firstRow, firstGroup, firstInput, scalePlace, codePlace;
  SmallVector<Value> panels;
  std::optional<RowSource> source;
};

} // namespace

bool samba::fitsQuantDecodeNorm(const LinearOperands &linear) {
  constexpr int64_t kSharedBytes = (48 << 10) - 2048; // but for sums
  return RowSource::bytes(linear, 1) <= kSharedBytes;
}

void samba::launchLinearQuantDecode(StepBuilder &s, const LinearOperands &linear) {
  int64_t mostRows = s.limits().of(linear.result.extent);
  Shape shape(mostRows, linear, QuantWeight(linear.weight));
  LinearArguments places(linear);
  StepBuilder::Spec spec{"linear_quant_decode", llvm::formatv("{0} {1}", describe(linear), shape.rows), kThreads};
  spec.grid[0].times = llvm::divideCeil(linear.result.width, shape.panels() * kPanel);
  spec.grid[1] = {linear.result.extent, shape.rows};
  s.launch(spec, places.list, [&](GpuEmitter &e, ValueRange arguments) {
    Kernel(e, shape, linear, places, arguments).emit(mostRows == 1);
  });
}
