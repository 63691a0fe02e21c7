//===- LinearFew.cpp - products of 2 to 16 rows with a weight -------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Steps of some sequences with one token each. All rows fit one tile of the tensor cores, 16 of them, so the weight is
// read once, from memory into the registers in which the instruction wants it. That works because the order of the
// inputs in a product is free: a lane reads 16 bytes of a row, and what lies there are, by definition, its inputs of
// two instructions; the same is done with x. The warps of a block have the same outputs and divide the inputs.
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

constexpr int64_t kThreads = 256, kWarps = kThreads / kWarp;
constexpr int64_t kEnoughBlocks = 256; // to keep all of a device busy
constexpr int64_t kMostRows = 16, kTile = 8, kPiece = 32;
constexpr int64_t kLane = 8; // inputs of a lane in a piece

/// Tiles of a block: as many as leave enough blocks. For a SwiGLU half of them are of the gate. Of results of 16 bits
/// it takes two to fill sectors.
int64_t chooseTiles(const LinearOperands &linear) {
  int64_t tiles = 4, least = (linear.swiglu ? 2 : 1) * (linear.result.element.isF32() ? 1 : 2);
  while (tiles > least && llvm::divideCeil(linear.outputs, tiles * kTile) < kEnoughBlocks)
    tiles /= 2;
  return tiles;
}

class Kernel {
public:
  Kernel(GpuEmitter &e, int64_t tiles, const LinearOperands &linear, const LinearArguments &places,
         ValueRange arguments)
      : e(e), tiles(tiles), linear(linear), places(places), arguments(arguments), inputs(linear.x.width) {
    if (linear.weight.quant)
      quant.emplace(linear.weight);
    pieces = quant ? QuantWeight::kGroup / kPiece : 1;
    chunks = llvm::divideCeil(inputs, pieces * kPiece);
  }

  void emit() {
    rows = loadSize(e, arguments[places.sizes], sizeIndexOf(linear.result.extent));
    inRow = e.bitAnd(e.lane(), 3);
    inTile = e.shiftRight(e.lane(), 2);
    for (int64_t half = 0; half < 2; ++half) { // rows beyond the last read that one and are not stored
      Value row = e.minimum(e.add(inTile, half * 8), e.sub(rows, e.index(1)));
      xRows.push_back(e.mul(row, linear.x.stride));
    }
    stored = linear.swiglu ? tiles / 2 : tiles;
    firstColumn = e.mul(e.block(0), stored * kTile);
    for (int64_t tile = 0; tile < tiles; ++tile)
      weightRows.push_back(weightRowOf(tile));

    int64_t whole = chunks / kWarps;
    SmallVector<Value> sums(tiles * 4, e.scalar(0));
    if (whole)
      sums = e.loop(e.index(0), e.index(whole), 1, sums, [&](Value round, ValueRange carried) {
        SmallVector<Value> sums(carried);
        multiply(sums, e.add(e.mul(round, kWarps), e.warp()), {});
        return sums;
      });
    if (chunks % kWarps) {
      Value chunk = e.add(e.warp(), whole * kWarps), inside = e.less(chunk, e.index(chunks));
      multiply(sums, e.select(inside, chunk, e.index(0)), inside);
    }
    store(sums);
  }

private:
  /// Where this lane's weights of a tile are: the first element of its output, or its panel. Outputs beyond the last
  /// are not stored.
  Value weightRowOf(int64_t tile) {
    bool second = tile >= stored;
    Value column = e.add(firstColumn, (second ? tile - stored : tile) * kTile);
    if (quant) {
      int64_t count = llvm::divideCeil(linear.result.width, kTile);
      Value panel = e.minimum(e.divFloor(column, kTile), e.index(count - 1));
      return second ? e.add(panel, count) : panel;
    }
    Value output = e.minimum(e.add(column, inTile), e.index(linear.result.width - 1));
    return e.mul(second ? e.add(output, linear.result.width) : output, linear.weight.stride);
  }

  SmallVector<Value> loadWords(Value from, int64_t count) {
    Type word = e.b.getI32Type();
    Value vector = e.loadRaw(from, VectorType::get({count}, word), count * 4);
    SmallVector<Value> words;
    for (int64_t i = 0; i < count; ++i)
      words.push_back(LLVM::ExtractElementOp::create(e.b, e.loc, vector, e.integer(i)));
    return words;
  }

  /// The four words of a lane in a piece of both its rows. Beyond the last input there are zeros.
  SmallVector<SmallVector<Value>> loadInputs(Value place, Value inside) {
    if (inputs % (pieces * kPiece)) {
      Value exists = e.less(place, e.index(inputs));
      place = e.select(exists, place, e.index(0));
      inside = inside ? e.both(inside, exists) : exists;
    }
    SmallVector<SmallVector<Value>> words;
    for (Value row : xRows) {
      words.push_back(loadWords(e.address(arguments[places.x], linear.x.element, e.add(row, place)), 4));
      if (inside)
        for (Value &word : words.back())
          word = e.select(inside, word, e.integer(0));
    }
    return words;
  }

  void multiply(SmallVector<Value> &sums, Value chunk, Value inside) {
    Value first = e.add(e.mul(chunk, pieces * kPiece), e.mul(inRow, kLane));
    SmallVector<SmallVector<Value>> weights, scales; // by tile: all loads first
    for (Value row : weightRows)
      quant ? loadBlock(row, chunk, weights, scales) : loadPiece(row, first, weights);
    SmallVector<SmallVector<SmallVector<Value>>> x;
    for (int64_t piece = 0; piece < pieces; ++piece)
      x.push_back(loadInputs(e.add(first, piece * kPiece), inside));
    for (int64_t tile = 0; tile < tiles; ++tile) {
      MutableArrayRef<Value> own = MutableArrayRef<Value>(sums).slice(tile * 4, 4);
      if (!quant) {
        multiplyPiece(x[0], weights[tile], own);
        continue;
      }
      // Integers are multiplied exactly; what a block adds up to is scaled, each column by its scale.
      SmallVector<Value> products(4, e.scalar(0));
      for (int64_t piece = 0; piece < pieces; ++piece)
        multiplyPiece(x[piece], widened(weights[tile], piece), products);
      for (int64_t i = 0; i < 4; ++i)
        own[i] = e.fma(products[i], scales[tile][i % 2], own[i]);
    }
  }

  void loadPiece(Value row, Value place, SmallVector<SmallVector<Value>> &weights) {
    if (inputs % kPiece) // what is read instead is multiplied with zeros
      place = e.select(e.less(place, e.index(inputs)), place, e.index(0));
    weights.push_back(loadWords(e.address(arguments[places.weight], linear.weight.element, e.add(row, place)), 4));
  }

  /// Two words of the lane's output in each piece, or for both pieces together.
  void loadBlock(Value panel, Value group, SmallVector<SmallVector<Value>> &weights,
                 SmallVector<SmallVector<Value>> &scales) {
    Type word = e.b.getI32Type();
    Value block = e.address(arguments[places.weight], e.b.getI8Type(), quant->block(e, panel, group));
    scales.push_back(e.load(block, e.b.getF32Type(), e.mul(inRow, 2), 2));
    Value own = e.add(e.add(e.mul(inRow, 2 * QuantWeight::kPanel), inTile), QuantWeight::kScaleBytes / 4);
    auto &words = weights.emplace_back();
    for (int64_t piece = 0; piece < pieces / quant->halves; ++piece)
      for (int64_t i = 0; i < 2; ++i) {
        Value at = e.add(own, (piece * kPiece / 4 + i) * QuantWeight::kPanel);
        words.push_back(e.loadRaw(e.address(block, word, at), word, 4));
      }
  }

  SmallVector<Value> widened(ArrayRef<Value> words, int64_t piece) {
    bool shared = quant->halves == 2; // a piece is one half of the words
    SmallVector<Value> pairs;
    for (Value word : words.slice(shared ? 0 : piece * 2, 2)) {
      auto [low, high] = quant->widenPairs(e, word, shared ? piece : 0);
      pairs.append({low, high});
    }
    return pairs;
  }

  /// 16 rows times 32 inputs times 8 outputs.
  void multiplyPiece(ArrayRef<SmallVector<Value>> x, ArrayRef<Value> weight, MutableArrayRef<Value> sums) {
    for (int64_t i = 0; i < 4; i += 2)
      e.multiplyAccumulate({x[0][i], x[1][i], x[0][i + 1], x[1][i + 1]}, weight.slice(i, 2), sums);
  }

  /// Where a warp leaves a sum of a tile, of those of all lanes of the same number. Neighbouring columns lie in odd and
  /// even ones, so the lanes are permuted: then lanes that read columns side by side find them in different banks.
  Value placeOf(Value tile, Value number, Value lane) {
    Value permuted = e.bitXor(lane, e.add(e.mul(e.bitAnd(number, 1), 16), e.mul(e.bitAnd(tile, 1), 8)));
    return e.add(e.mul(e.add(e.mul(tile, 4), number), kWarp), permuted);
  }

  /// The warps leave their sums, then each adds up some: of four rows of a tile a column for each lane, or of two rows
  /// of two tiles, where results of 16 bits would fill half a sector.
  void store(ArrayRef<Value> sums) {
    Type f32 = e.b.getF32Type();
    int64_t perWarp = tiles * 4 * kWarp;
    Value memory = e.shared(kWarps * perWarp * 4), own = e.mul(e.warp(), perWarp);
    for (int64_t tile = 0; tile < tiles; ++tile)
      for (int64_t i = 0; i < 4; ++i)
        e.store(sums[tile * 4 + i], memory, f32, e.add(own, placeOf(e.index(tile), e.index(i), e.lane())));
    e.barrier();
    int64_t across = linear.result.element.isF32() || stored % 2 ? 1 : 2, columns = across * kTile;
    int64_t rowsOfUnit = kWarp / columns, down = kMostRows / rowsOfUnit, units = stored / across * down;
    Value inUnit = e.bitAnd(e.lane(), columns - 1), column = e.bitAnd(inUnit, kTile - 1);
    LinearEpilogue epilogue(linear, places, arguments);
    for (int64_t first = 0; first < units; first += kWarps) {
      Value unit = e.add(e.warp(), first), group = e.divFloor(unit, down);
      Value row = e.add(e.mul(e.remainder(unit, down), rowsOfUnit), e.divFloor(e.lane(), columns));
      Value tile = e.add(e.mul(group, across), e.divFloor(inUnit, kTile));
      Value result = e.add(firstColumn, e.add(e.mul(group, columns), inUnit));
      Value works = e.both(e.less(row, rows), e.less(result, e.index(linear.result.width)));
      if (units < kWarps)
        works = e.both(works, e.less(unit, e.index(units)));
      e.when(works, [&] {
        Value number = e.add(e.mul(e.divFloor(row, kTile), 2), e.bitAnd(column, 1));
        Value lane = e.add(e.mul(e.bitAnd(row, kTile - 1), 4), e.shiftRight(column, 1));
        auto sumOf = [&](Value tile) {
          Value sum = e.scalar(0), at = placeOf(tile, number, lane);
          for (int64_t w = 0; w < kWarps; ++w)
            sum = e.addf(sum, e.load(memory, f32, e.add(at, w * perWarp)));
          return sum;
        };
        Value finished = sumOf(tile), gated = linear.swiglu ? sumOf(e.add(tile, stored)) : Value();
        epilogue.storeOrConvolve(e, row, result, finished, gated ? ArrayRef<Value>(gated) : ArrayRef<Value>());
      });
    }
  }

  GpuEmitter &e;
  int64_t tiles, stored = 0; // stored: tiles of results
  const LinearOperands &linear;
  const LinearArguments &places;
  ValueRange arguments;
  std::optional<QuantWeight> quant;
  int64_t inputs, pieces, chunks; // chunks have so many pieces of inputs
  Value rows, inRow, inTile, firstColumn;
  SmallVector<Value> xRows, weightRows;
};

} // namespace

bool samba::fitsLinearFew(const StepBuilder &s, const LinearOperands &linear) {
  int64_t rows = s.limits().of(linear.result.extent);
  if (rows < 2 || rows > kMostRows || linear.x.width % kLane)
    return false;
  bool rounded = linear.norm.weight ? linear.roundedTo && linear.roundedTo.isBF16()
                                   : linear.x.element.isBF16() && linear.x.vectorWidth(kLane) == kLane;
  return rounded &&
         (linear.weight.quant || (linear.weight.element.isBF16() && linear.weight.vectorWidth(kLane) == kLane));
}

void samba::launchLinearFew(StepBuilder &s, const LinearOperands &linear) {
  int64_t tiles = chooseTiles(linear);
  LinearArguments places(linear);
  StepBuilder::Spec spec{"linear_few", llvm::formatv("{0} {1}", describe(linear), tiles), kThreads};
  spec.grid[0].times = llvm::divideCeil(linear.outputs, tiles * kTile);
  spec.grid[1] = {linear.result.extent, kMostRows}; // none without rows
  s.launch(spec, places.list,
           [&](GpuEmitter &e, ValueRange arguments) { Kernel(e, tiles, linear, places, arguments).emit(); });
}
