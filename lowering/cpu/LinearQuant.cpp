//===- LinearQuant.cpp - matrix product of quantised operands -------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For each group of the depth, integers are multiplied and summed exactly in i32; the sum is scaled by the scales of
// the row's and the weight's group and added in f32. The dot product of most machines takes unsigned bytes on one side:
// those of the weights, which carry a bias (128, or 8 for 4 bits). What the bias adds is the same for all outputs, the
// bias times the sum of the row's integers, so the accumulators start at its negative. Where both sides are signed, the
// bias is taken off the bytes.
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/LinearTiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <numeric>

using namespace mlir;
using namespace samba;

namespace {

/// Where the parts of a quantised row of `columns` elements begin, in bytes.
struct RowPlaces {
  int64_t scales, sums;

  RowPlaces(QuantAttr quant, int64_t columns)
      : scales(quant.groupsOf(columns) * quant.getGroup()), sums(scales + 4 * quant.groupsOf(columns)) {}
};

/// Four bytes of a row as a scalar of another type.
Value loadWord(Emitter &e, Value row, ValueRange place, Type type) {
  return e.extract(e.bitcast(e.loadRaw(row, place, 4), type), 0);
}

void storeWord(Emitter &e, Value scalar, Value memory, ValueRange place) {
  e.store(e.bitcast(e.broadcast(scalar, 1), e.b.getI8Type()), memory, place);
}

class QuantLinearEmitter {
public:
  QuantLinearEmitter(Emitter &e, Value x, ArrayRef<LinearPart> products, QuantAttr quant,
                     const LinearEpilogue &epilogue)
      : e(e), x(x), quant(quant), groups(cast<MemRefType>(products.front().weight.getType()).getDimSize(1)),
        lanes(quant.getWidth() % e.target.lanes() ? quant.getWidth() : e.target.lanes()),
        parts(quant.getWidth() / lanes), machineDot(!e.target.byteDot.empty() && lanes == e.target.lanes()),
        tiles(e, products, epilogue, quant.getWidth(), lanes, tileRows()) {}

  void emit() {
    tiles.emit(e.rows(x), [&](const LinearPart &part, Value panelNumber, ArrayRef<Value> tile) {
      weight = part.weight;
      panel = panelNumber;
      rows = tile;
      return sums();
    });
  }

private:
  /// After a short group the integer sums go to f32 so soon that both should stay in registers, which half the rows do.
  int64_t tileRows() const {
    int64_t rows = e.target.tileRowsFor(quant.getWidth());
    return quant.getGroup() < 128 ? std::max<int64_t>(1, rows / 2) : rows;
  }

  SmallVector<Value> sums() {
    SmallVector<Value> zero(rows.size() * parts, e.splat(0, lanes));
    return e.loop(e.index(0), e.index(groups), 1, zero, [&](Value group, ValueRange carried) {
      for (int64_t i = 0, height = rows.size(), count = llvm::divideCeil(height, groups); i < count; ++i) {
        Value row = e.add(rows.front(), e.remainder(e.add(e.mul(group, count), i), height));
        tiles.prefetch(e.minimum(row, rows.back()));
      }
      SmallVector<Value> products = multiplyGroup(group), scales, next;
      for (int64_t part = 0; part < parts; ++part)
        scales.push_back(e.bitcast(loadWeights(group, e.index(4 * part * lanes)), e.b.getF32Type()));
      Value place = e.add(e.mul(group, 4), groups * quant.getGroup());
      for (auto [r, row] : llvm::enumerate(rows)) {
        Value scale = e.broadcast(loadWord(e, x, {row, place}, e.b.getF32Type()), lanes);
        for (int64_t part = 0; part < parts; ++part) {
          Value product = arith::SIToFPOp::create(e.b, e.loc, e.vectorType(lanes), products[r * parts + part]);
          next.push_back(e.fma(product, e.mulf(scales[part], scale), carried[r * parts + part]));
        }
      }
      return next;
    });
  }

  /// The integer products of one group: i32 vectors by row and part.
  SmallVector<Value> multiplyGroup(Value group) {
    SmallVector<Value> sums;
    Value place = e.add(e.mul(group, 4), groups * (quant.getGroup() + 4));
    bool biased = !(machineDot && e.target.byteDotSignedWeights);
    for (Value row : rows) {
      if (!biased) {
        sums.append(parts, constant(0));
        continue;
      }
      Value sum = loadWord(e, x, {row, place}, e.b.getI32Type());
      Value factor = arith::ConstantOp::create(e.b, e.loc, e.b.getI32IntegerAttr(-bias()));
      Value start = e.broadcast(arith::MulIOp::create(e.b, e.loc, sum, factor), lanes);
      sums.append(parts, start);
    }
    // Loops of about equally many products whatever the height of the tile.
    int64_t quads = quant.getGroup() * quant.getBits() / 32,
            unrolled = std::gcd<int64_t>(quads, rows.size() > 2 ? 4 : 8);
    return e.loop(e.index(0), e.index(quads), unrolled, sums, [&](Value quad, ValueRange carried) {
      SmallVector<Value> next(carried);
      Value word = e.mul(quad, 4 * quant.getWidth()), column = e.add(e.mul(group, quant.getGroup()), e.mul(quad, 4));
      for (int64_t i = 0; i < unrolled; ++i)
        multiplyQuad(group, e.add(word, 4 * quant.getWidth() * (i + 1)), e.add(column, 4 * i), next);
      return next;
    });
  }

  /// The weights' words of one quad of the depth or (4 bits) of two that are half a group apart.
  void multiplyQuad(Value group, Value word, Value column, MutableArrayRef<Value> sums) {
    int64_t halves = 8 / quant.getBits();
    for (int64_t part = 0; part < parts; ++part) {
      Value bytes = loadWeights(group, e.add(word, 4 * part * lanes));
      Value words = e.bitcast(bytes, e.b.getI32Type());
      for (int64_t half = 0; half < halves; ++half) {
        Value codes = halves == 1 ? words : nibbles(words, half), place = e.add(column, half * quant.getGroup() / 2);
        for (auto [r, row] : llvm::enumerate(rows)) {
          Value &sum = sums[r * parts + part];
          sum = dot(sum, codes, loadWord(e, x, {row, place}, e.b.getI32Type()));
        }
      }
    }
  }

  /// A vector's worth of bytes of the panel, scales or integers; those further on are asked for.
  Value loadWeights(Value group, Value place) {
    tiles.askAhead(rows.size(), weight, {panel, group, place}, 4 * lanes);
    return e.loadRaw(weight, {panel, group, place}, 4 * lanes);
  }

  /// What the weights' unsigned integers carry too much.
  int64_t bias() const { return int64_t(1) << (quant.getBits() - 1); }

  Value biasOf(Type bytes) {
    return arith::ConstantOp::create(e.b, e.loc, DenseElementsAttr::get(cast<VectorType>(bytes), APInt(8, bias())));
  }

  Value constant(uint32_t word) {
    auto type = VectorType::get({lanes}, e.b.getI32Type());
    return arith::ConstantOp::create(e.b, e.loc, DenseElementsAttr::get(type, APInt(32, word)));
  }

  Value nibbles(Value words, int64_t half) {
    if (half)
      words = arith::ShRUIOp::create(e.b, e.loc, words, constant(4));
    return arith::AndIOp::create(e.b, e.loc, words, constant(0x0f0f0f0f));
  }

  /// sum + the dot product of four unsigned bytes of each lane of `codes` with the four signed bytes of `row`.
  Value dot(Value sum, Value codes, Value row) {
    if (machineDot) {
      Value bytes = e.bitcast(codes, e.b.getI8Type());
      if (e.target.byteDotSignedWeights)
        bytes = arith::SubIOp::create(e.b, e.loc, bytes, biasOf(bytes.getType()));
      Value rowBytes = e.bitcast(e.broadcast(row, lanes), e.b.getI8Type());
      auto call = LLVM::CallIntrinsicOp::create(e.b, e.loc, sum.getType(), e.b.getStringAttr(e.target.byteDot),
                                                ValueRange{sum, bytes, rowBytes});
      return call.getResults();
    }
    auto scalar = [&](int64_t value) -> Value {
      return arith::ConstantOp::create(e.b, e.loc, e.b.getI32IntegerAttr(value));
    };
    for (int64_t i = 0; i < 4; ++i) {
      Value code = arith::ShRUIOp::create(e.b, e.loc, codes, constant(8 * i));
      code = arith::AndIOp::create(e.b, e.loc, code, constant(0xff));
      Value high = arith::ShLIOp::create(e.b, e.loc, row, scalar(24 - 8 * i));
      Value element = arith::ShRSIOp::create(e.b, e.loc, high, scalar(24));
      Value product = arith::MulIOp::create(e.b, e.loc, code, e.broadcast(element, lanes));
      sum = arith::AddIOp::create(e.b, e.loc, sum, product);
    }
    return sum;
  }

  Emitter &e;
  Value x, weight, panel; // weight, panel, rows: those that are being multiplied
  ArrayRef<Value> rows;
  QuantAttr quant;
  int64_t groups, lanes, parts;
  bool machineDot; // the target's dot product of bytes fits
  LinearTiles tiles;
};

/// Quantises one group of a row: `count` elements from its first on, the rest of the group is zero.
void quantiseGroup(Emitter &e, Value x, Value result, Value row, Value group, int64_t count, QuantAttr quant,
                   const RowPlaces &places) {
  int64_t size = quant.getGroup();
  Value first = e.mul(group, size), zero = e.scalar(0), largest = zero;
  SmallVector<std::pair<Value, int64_t>> strips; // values and their first column
  for (auto [column, n] : Emitter::stripList(count, e.target.lanes())) {
    Value values = e.load(x, {row, e.add(first, column)}, n);
    strips.emplace_back(values, column);
    largest = e.maxf(e.largest(math::AbsFOp::create(e.b, e.loc, values)), largest);
  }
  Value scale = e.mulf(largest, e.scalar(1.0 / 127));
  Value isZero = arith::CmpFOp::create(e.b, e.loc, arith::CmpFPredicate::OEQ, largest, zero);
  Value inverse = arith::SelectOp::create(e.b, e.loc, isZero, zero, e.divf(e.scalar(127), largest));
  Value total = arith::ConstantOp::create(e.b, e.loc, e.b.getI32IntegerAttr(0));
  for (auto [values, column] : strips) {
    int64_t n = cast<VectorType>(values.getType()).getNumElements();
    Value rounded = math::RoundEvenOp::create(e.b, e.loc, e.mulf(values, e.broadcast(inverse, n)));
    Value words = arith::FPToSIOp::create(e.b, e.loc, VectorType::get({n}, e.b.getI32Type()), rounded);
    Value sum = vector::ReductionOp::create(e.b, e.loc, vector::CombiningKind::ADD, words);
    total = arith::AddIOp::create(e.b, e.loc, total, sum);
    Value bytes = arith::TruncIOp::create(e.b, e.loc, VectorType::get({n}, e.b.getI8Type()), words);
    e.store(bytes, result, {row, e.add(first, column)});
  }
  if (count < size) {
    auto type = VectorType::get({size - count}, e.b.getI8Type());
    Value padding = arith::ConstantOp::create(e.b, e.loc, DenseElementsAttr::get(type, APInt(8, 0)));
    e.store(padding, result, {row, e.add(first, count)});
  }
  Value offset = e.mul(group, 4);
  storeWord(e, scale, result, {row, e.add(offset, places.scales)});
  storeWord(e, total, result, {row, e.add(offset, places.sums)});
}

} // namespace

int64_t samba::scalesOf(QuantAttr quant, int64_t columns) { return RowPlaces(quant, columns).scales; }

void samba::emitQuantizeGroup(Emitter &e, Value x, Value row, Value group, QuantAttr quant, Value result) {
  RowPlaces places(quant, cast<MemRefType>(x.getType()).getDimSize(1));
  quantiseGroup(e, x, result, row, group, quant.getGroup(), quant, places);
}

void samba::emitQuantizeRows(Emitter &e, Value x, QuantAttr quant, Value result) {
  int64_t columns = cast<MemRefType>(x.getType()).getDimSize(1), whole = columns / quant.getGroup();
  int64_t tail = columns % quant.getGroup();
  RowPlaces places(quant, columns);
  e.parallel({e.rows(x), e.index(quant.groupsOf(columns))}, [&](ValueRange item) {
    auto group = [&](int64_t count) { quantiseGroup(e, x, result, item[0], item[1], count, quant, places); };
    if (!tail)
      return group(quant.getGroup());
    if (!whole)
      return group(tail);
    e.whenElse(e.less(item[1], e.index(whole)), [&] { group(quant.getGroup()); }, [&] { group(tail); });
  });
}

void samba::emitQuantLinear(Emitter &e, Value x, ArrayRef<LinearPart> parts, QuantAttr quant,
                            const LinearEpilogue &epilogue) {
  QuantLinearEmitter(e, x, parts, quant, epilogue).emit();
}
