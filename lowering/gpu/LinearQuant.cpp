//===- LinearQuant.cpp - many rows with a quantised weight ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// On tensor cores, with rows of bf16. A block computes a tile of the result from slices of 64 inputs, one group of the
// weight, which are copied to shared memory some slices ahead: the weight as it is, in blocks of integers and scales. A
// warp widens the integers in registers, exactly, multiplies a group and adds what comes out times the scales to its
// sums. In a block the words of eight outputs lie side by side, so lanes find theirs without conflicts.
//
// A word has four neighbouring inputs, so a lane has to have the same four of x: it reads them by itself, eight bytes
// of two rows. A row of a slice has 128 bytes; the 32 of a step lie at place s xor (row mod 4), so that the rows that
// are read at once lie in different banks.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/LinearEpilogue.h"
#include "lowering/gpu/QuantWeight.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kSlice = QuantWeight::kGroup, kRowBytes = kSlice * 2, kChunk = 8, kChunks = kSlice / kChunk;
constexpr int64_t kPanel = QuantWeight::kPanel, kStep = 16, kStepBytes = kStep * 2, kCopy = 16;

/// A block's tile, and the part of each warp.
struct Shape {
  int64_t rows, columns, stages;
  int64_t warpRows, warpColumns;

  int64_t warpsAcross() const { return columns / warpColumns; }
  int64_t threads() const { return rows / warpRows * warpsAcross() * kWarp; }
  int64_t panels() const { return columns / kPanel; }
};

constexpr Shape kShapes[] = {{128, 64, 2, 64, 32}, {64, 64, 3, 32, 32}, {32, 64, 4, 16, 32}};

class Kernel {
public:
  Kernel(GpuEmitter &e, const Shape &shape, const LinearOperands &linear, const LinearArguments &places,
         ValueRange arguments)
      : e(e), shape(shape), linear(linear), places(places), arguments(arguments), weight(linear.weight),
        inputs(linear.x.width), panelsOfTile(shape.panels() / (linear.swiglu ? 2 : 1)),
        weightBytes(shape.rows * kRowBytes), stageBytes(weightBytes + shape.panels() * weight.blockBytes) {}

  void emit() {
    memory = e.shared(shape.stages * stageBytes);
    rows = loadSize(e, arguments[places.sizes], sizeIndexOf(linear.result.extent));
    firstRow = e.mul(e.block(1), shape.rows);
    firstPanel = e.mul(e.block(0), panelsOfTile);
    findRows();
    findBlocks();
    findFragments();

    // Slices under way: all stages but the one that is read.
    for (int64_t stage = 0; stage + 1 < shape.stages; ++stage) {
      if (stage < weight.groups)
        copySlice(e.index(stage), e.index(stage * stageBytes), /*always=*/true);
      e.commitCopies();
    }
    int64_t tiles = shape.warpRows / 16 * shape.warpColumns / kPanel;
    SmallVector<Value> carried(tiles * 4, e.scalar(0));
    carried.push_back(e.index(0));                               // the stage to read
    carried.push_back(e.index((shape.stages - 1) * stageBytes)); // the stage to fill
    carried = e.loop(e.index(0), e.index(weight.groups), 1, carried, [&](Value group, ValueRange values) {
      SmallVector<Value> sums(values.drop_back(2));
      Value read = values[values.size() - 2], fill = values.back();
      e.waitForCopies(shape.stages - 2);
      e.barrier(); // the slice is there for all, and the stage to fill is used up
      copySlice(e.add(group, shape.stages - 1), fill, /*always=*/false);
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
  Value nextStage(Value stage) {
    Value next = e.add(stage, stageBytes);
    return e.select(e.equal(next, e.index(shape.stages * stageBytes)), e.index(0), next);
  }

  Value inMemory(Value place) { return e.address(memory, e.b.getI8Type(), place); }

  /// Which pieces of rows this thread copies: one of each of some rows. Rows beyond the last are that one.
  void findRows() {
    chunk = e.bitAnd(e.thread(), kChunks - 1);
    Value ownRow = e.divFloor(e.thread(), kChunks);
    for (int64_t first = 0; first < shape.rows; first += shape.threads() / kChunks) {
      Value row = e.add(ownRow, first), line = e.minimum(e.add(firstRow, row), e.sub(rows, e.index(1)));
      rowSources.push_back(e.add(e.mul(line, linear.x.stride), e.mul(chunk, kChunk)));
      Value place = e.bitXor(chunk, e.mul(e.bitAnd(row, 3), 2));
      rowTargets.push_back(e.add(e.mul(row, kRowBytes), e.mul(place, 16)));
    }
  }

  /// The panel that lies at a place of the slice. Of a SwiGLU each warp has as many of the gate as of the other half,
  /// and the same ones. Panels beyond the last are that one and are not stored.
  Value panelAt(Value place) {
    int64_t last = llvm::divideCeil(linear.result.width, kPanel) - 1;
    if (!linear.swiglu)
      return e.minimum(e.add(firstPanel, place), e.index(last));
    int64_t ofWarp = shape.warpColumns / kPanel, each = ofWarp / 2;
    Value inWarp = e.bitAnd(place, ofWarp - 1), second = e.less(e.index(each - 1), inWarp);
    Value column = e.add(e.mul(e.divFloor(place, ofWarp), each), e.bitAnd(inWarp, each - 1));
    Value panel = e.minimum(e.add(firstPanel, column), e.index(last));
    return e.add(panel, e.select(second, e.index(linear.result.width / kPanel), e.index(0)));
  }

  /// Which pieces of the weight this thread copies: 16 bytes of some blocks.
  void findBlocks() {
    int64_t pieces = weight.blockBytes / kCopy, all = shape.panels() * pieces;
    for (int64_t first = 0; first < all; first += shape.threads()) {
      Value item = e.add(e.thread(), first), inside;
      if (first + shape.threads() > all) {
        inside = e.less(item, e.index(all));
        item = e.select(inside, item, e.index(0));
      }
      Value place = e.divFloor(item, pieces), piece = e.remainder(item, pieces);
      blockSources.push_back(e.add(weight.block(e, panelAt(place), e.index(0)), e.mul(piece, kCopy)));
      blockTargets.push_back(e.add(e.mul(item, kCopy), weightBytes));
      blockGuards.push_back(inside);
    }
  }

  void copySlice(Value group, Value stage, bool always) {
    bool whole = inputs % kSlice == 0;
    Type byte = e.b.getI8Type();
    auto copy = [&] {
      Value k = e.mul(group, kSlice), bytes = e.mul(group, weight.blockBytes);
      for (auto [source, target] : llvm::zip(rowSources, rowTargets)) {
        Value to = inMemory(e.add(stage, target)), from = arguments[places.x];
        if (whole) {
          e.copyAsync(to, e.address(from, linear.x.element, e.add(source, k)));
          continue;
        }
        // Beyond the last input there are zeros; the address is then that of the row's start.
        Value inside = e.less(e.add(k, e.mul(chunk, kChunk)), e.index(inputs));
        Value at = e.select(inside, e.add(source, k), e.sub(source, e.mul(chunk, kChunk)));
        e.copyAsyncIf(inside, to, e.address(from, linear.x.element, at));
      }
      for (size_t i = 0; i < blockSources.size(); ++i) {
        e.when(blockGuards[i], [&] {
          Value from = e.address(arguments[places.weight], byte, e.add(blockSources[i], bytes));
          e.copyAsync(inMemory(e.add(stage, blockTargets[i])), from);
        });
      }
    };
    e.when(always ? Value() : e.less(group, e.index(weight.groups)), copy);
  }

  /// Where this lane reads within a stage, and where its results belong.
  void findFragments() {
    Value inTile = e.shiftRight(e.lane(), 2), inRow = e.bitAnd(e.lane(), 3);
    Value down = e.divFloor(e.warp(), shape.warpsAcross()), across = e.remainder(e.warp(), shape.warpsAcross());
    Value row = e.add(e.mul(down, shape.warpRows), inTile);
    // All tiles begin at multiples of 8, so the permutation depends on the lane alone.
    xFragment = e.add(e.add(e.mul(row, kRowBytes), e.mul(inRow, 8)), e.mul(e.bitAnd(inTile, 3), kStepBytes));
    Value block = e.add(e.mul(e.mul(across, shape.warpColumns / kPanel), weight.blockBytes), weightBytes);
    scalePlace = e.add(block, e.mul(inRow, 8));
    codePlace = e.add(e.add(block, e.mul(e.add(e.mul(inRow, kPanel), inTile), 4)), QuantWeight::kScaleBytes);
    resultRow = e.add(firstRow, row);
    int64_t columns = linear.swiglu ? shape.warpColumns / 2 : shape.warpColumns;
    resultColumn = e.add(e.add(e.mul(firstPanel, kPanel), e.mul(across, columns)), e.mul(inRow, 2));
  }

  /// Four inputs of the lane's row and of the one eight further down, as the instruction wants them.
  SmallVector<Value> loadRows(Value stage, int64_t firstRow, int64_t step) {
    Type word = e.b.getI32Type();
    SmallVector<Value> words[2];
    for (int64_t half = 0; half < 2; ++half) {
      Value place = e.add(e.bitXor(xFragment, step * kStepBytes), (firstRow + half * 8) * kRowBytes);
      Value two = e.loadRaw(inMemory(e.add(stage, place)), VectorType::get({2}, word), 8);
      for (int64_t i = 0; i < 2; ++i)
        words[half].push_back(LLVM::ExtractElementOp::create(e.b, e.loc, two, e.integer(i)));
    }
    return {words[0][0], words[1][0], words[0][1], words[1][1]};
  }

  void multiply(MutableArrayRef<Value> sums, Value stage) {
    Type word = e.b.getI32Type(), f32 = e.b.getF32Type();
    int64_t down = shape.warpRows / 16, across = shape.warpColumns / kPanel, steps = kSlice / kStep;
    SmallVector<SmallVector<Value>> x;
    for (int64_t m = 0; m < down; ++m)
      for (int64_t step = 0; step < steps; ++step)
        x.push_back(loadRows(stage, m * 16, step));
    for (int64_t n = 0; n < across; ++n) {
      Value block = e.add(stage, n * weight.blockBytes);
      SmallVector<Value> products(down * 4, e.scalar(0)), words;
      for (int64_t i = 0; i < weight.words / 4; ++i)
        words.push_back(e.loadRaw(inMemory(e.add(e.add(block, codePlace), i * 4 * kPanel * 4)), word, 4));
      for (int64_t step = 0; step < steps; ++step) {
        int64_t perHalf = words.size();
        auto [low, high] = weight.widenPairs(e, words[step % perHalf], step / perHalf);
        for (int64_t m = 0; m < down; ++m)
          e.multiplyAccumulate(x[m * steps + step], {low, high}, MutableArrayRef<Value>(products).slice(m * 4, 4));
      }
      SmallVector<Value> scales = e.load(inMemory(e.add(block, scalePlace)), f32, e.index(0), 2);
      for (int64_t m = 0; m < down; ++m)
        for (int64_t i = 0; i < 4; ++i) {
          Value &sum = sums[(m * across + n) * 4 + i];
          sum = e.fma(products[m * 4 + i], scales[i % 2], sum);
        }
    }
  }

  /// Two columns of bf16 in each of two panels would fill half of a sector. Neighbouring lanes exchange a pair, so that
  /// the first has four columns of the first panel and the other of the second.
  SmallVector<Value> exchanged(ArrayRef<Value> first, ArrayRef<Value> second) {
    Value odd = e.equal(e.bitAnd(e.lane(), 1), e.index(1));
    SmallVector<Value> low, high;
    for (auto [a, b] : llvm::zip(first, second)) {
      Value kept = e.select(odd, b, a), got = e.shuffleXor(e.select(odd, a, b), 1);
      low.push_back(e.select(odd, got, kept));
      high.push_back(e.select(odd, kept, got));
    }
    low.append(high);
    return low;
  }

  void storeExchanged(ArrayRef<Value> sums, const LinearEpilogue &epilogue) {
    int64_t across = shape.warpColumns / kPanel, stored = linear.swiglu ? across / 2 : across;
    bool tail = linear.result.width % (panelsOfTile * kPanel) != 0;
    Value inRow = e.bitAnd(e.lane(), 3), panel = e.bitAnd(inRow, 1);
    Value inPanels = e.add(e.mul(panel, kPanel), e.mul(e.shiftRight(inRow, 1), 4));
    Value first = e.add(e.sub(resultColumn, e.mul(inRow, 2)), inPanels);
    for (int64_t m = 0; m < shape.warpRows / 16; ++m)
      for (int64_t half = 0; half < 2; ++half) {
        Value row = e.add(resultRow, m * 16 + half * 8);
        for (int64_t n = 0; n < stored; n += 2) {
          auto pairAt = [&](int64_t n) { return sums.slice((m * across + n) * 4 + half * 2, 2); };
          SmallVector<Value> own = exchanged(pairAt(n), pairAt(n + 1)), gated;
          if (linear.swiglu)
            gated = exchanged(pairAt(n + stored), pairAt(n + stored + 1));
          Value column = e.add(first, n * kPanel), inside = e.less(row, rows);
          if (tail)
            inside = e.both(inside, e.less(column, e.index(linear.result.width)));
          e.when(inside, [&] { epilogue.store(e, row, column, own, gated); });
        }
      }
  }

  void store(ArrayRef<Value> sums) {
    LinearEpilogue epilogue(linear, places, arguments);
    if (!linear.result.element.isF32() && epilogue.vectorWidth(4) == 4)
      return storeExchanged(sums, epilogue);
    int64_t across = shape.warpColumns / kPanel, lanes = epilogue.vectorWidth(2);
    int64_t stored = linear.swiglu ? across / 2 : across;
    bool tail = linear.result.width % (panelsOfTile * kPanel) != 0;
    for (int64_t m = 0; m < shape.warpRows / 16; ++m)
      for (int64_t half = 0; half < 2; ++half) {
        Value row = e.add(resultRow, m * 16 + half * 8);
        e.when(e.less(row, rows), [&] {
          for (int64_t n = 0; n < stored; ++n)
            for (int64_t i = 0; i < 2; i += lanes) {
              Value column = e.add(resultColumn, n * kPanel + i);
              ArrayRef<Value> own = sums.slice((m * across + n) * 4 + half * 2 + i, lanes), gated;
              if (linear.swiglu)
                gated = sums.slice((m * across + n + stored) * 4 + half * 2 + i, lanes);
              epilogue.storeInside(e, row, column, own, gated, tail);
            }
        });
      }
  }

  GpuEmitter &e;
  const Shape &shape;
  const LinearOperands &linear;
  const LinearArguments &places;
  ValueRange arguments;
  QuantWeight weight;
  int64_t inputs, panelsOfTile;    // panelsOfTile: of results
  int64_t weightBytes, stageBytes; // weightBytes: where the weight begins in a stage
  Value memory, rows, firstRow, firstPanel, chunk;
  Value xFragment, scalePlace, codePlace, resultRow, resultColumn;
  SmallVector<Value> rowSources, rowTargets, blockSources, blockTargets, blockGuards;
};

} // namespace

void samba::launchLinearQuant(StepBuilder &s, const LinearOperands &linear) {
  Shape shape = chooseTile(kShapes, s.limits(), linear);
  LinearArguments places(linear);
  StepBuilder::Spec spec{"linear_quant", llvm::formatv("{0} {1}x{2}", describe(linear), shape.rows, shape.columns),
                         shape.threads()};
  spec.grid[0].times = llvm::divideCeil(linear.outputs, shape.columns);
  spec.grid[1] = {linear.result.extent, shape.rows};
  s.launch(spec, places.list,
           [&](GpuEmitter &e, ValueRange arguments) { Kernel(e, shape, linear, places, arguments).emit(); });
}
