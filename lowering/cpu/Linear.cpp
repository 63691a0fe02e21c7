//===- Linear.cpp - matrix product with a packed weight ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The register tile: `tileRows` rows of x against one panel of outputs, with the accumulators in the carried values of
// the loop over the depth. Per step one group of the panel is loaded (one input of all its outputs, or a pair of
// inputs in narrow panels) and multiplied with the elements of x, each broadcast to all lanes. Tiles of few rows have
// several sets of accumulators, which keep as many multiplications in flight.
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/LinearTiles.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace samba;

namespace {

class LinearEmitter {
public:
  LinearEmitter(Emitter &e, Value x, ArrayRef<LinearPart> products, LayoutAttr layout, const LinearEpilogue &epilogue)
      : e(e), x(x), panelWidth(layout.getWidth()), lanes(panelWidth % e.target.lanes() ? panelWidth : e.target.lanes()),
        parts(panelWidth / lanes), tileRows(e.target.tileRowsFor(panelWidth)),
        tiles(e, products, epilogue, panelWidth, lanes, tileRows) {
    pairs = layout.getInterleave() == 2;
    depth = cast<MemRefType>(x.getType()).getDimSize(1);
    bool narrowRows = cast<MemRefType>(x.getType()).getElementType().isBF16();
    dot = pairs && narrowRows && !e.target.bf16Dot.empty() && lanes == e.target.lanes();
  }

  void emit() {
    tiles.emit(e.rows(x), [&](const LinearPart &part, Value panelNumber, ArrayRef<Value> tile) {
      weight = part.weight;
      panel = panelNumber;
      rows = tile;
      for (Value row : rows)
        tiles.prefetch(row);
      return sums();
    });
  }

private:
  /// Accumulators of a tile: `parts` vectors for each row.
  using Sums = MutableArrayRef<Value>;

  /// One group of the panel against all rows of a tile. The last group of an odd depth holds one input only.
  void multiply(Value group, Sums sums, bool half = false) {
    tiles.askAhead(rows.size(), weight, {panel, group, e.index(0)}, cast<MemRefType>(weight.getType()).getDimSize(2));
    for (int64_t part = 0; part < parts; ++part) {
      auto sum = [&](int64_t row) -> Value & { return sums[row * parts + part]; };
      int64_t height = rows.size();
      if (!pairs) {
        Value w = e.load(weight, {panel, group, e.index(part * lanes)}, lanes);
        for (int64_t r = 0; r < height; ++r)
          sum(r) = e.fma(broadcastRow(rows[r], group), w, sum(r));
        continue;
      }
      Value raw = e.loadRaw(weight, {panel, group, e.index(2 * part * lanes)}, 2 * lanes);
      Value k = e.mul(group, 2);
      if (dot && !half) {
        for (int64_t r = 0; r < height; ++r)
          sum(r) = dotProduct(sum(r), broadcastPair(rows[r], k), raw);
        continue;
      }
      // A bf16 is the upper half of an f32.
      Value words = e.bitcast(raw, e.b.getI32Type());
      Value low = arith::ShLIOp::create(e.b, e.loc, words, words32(16));
      Value first = e.bitcast(low, e.b.getF32Type());
      for (int64_t r = 0; r < height; ++r)
        sum(r) = e.fma(broadcastRow(rows[r], k), first, sum(r));
      if (half)
        continue;
      Value high = arith::AndIOp::create(e.b, e.loc, words, words32(0xffff0000));
      Value second = e.bitcast(high, e.b.getF32Type());
      for (int64_t r = 0; r < height; ++r)
        sum(r) = e.fma(broadcastRow(rows[r], e.add(k, 1)), second, sum(r));
    }
  }

  Value words32(uint32_t word) {
    auto type = VectorType::get({lanes}, e.b.getI32Type());
    return arith::ConstantOp::create(e.b, e.loc, DenseElementsAttr::get(type, APInt(32, word)));
  }

  Value broadcastRow(Value row, Value k) { return e.broadcast(e.loadScalar(x, {row, k}), lanes); }

  Value broadcastPair(Value row, Value k) {
    Value pair = e.bitcast(e.loadRaw(x, {row, k}, 2), e.b.getI32Type());
    return e.bitcast(e.broadcast(e.extract(pair, 0), lanes), e.b.getBF16Type());
  }

  Value dotProduct(Value sum, Value a, Value b) {
    auto call = LLVM::CallIntrinsicOp::create(e.b, e.loc, sum.getType(), e.b.getStringAttr(e.target.bf16Dot),
                                              ValueRange{sum, a, b});
    return call.getResults();
  }

  SmallVector<Value> sums() {
    int64_t groups = pairs ? depth / 2 : depth, height = rows.size(), size = height * parts;
    int64_t sets = std::clamp<int64_t>(tileRows / (2 * height), 1, std::max<int64_t>(1, groups));
    int64_t whole = groups - groups % sets;
    SmallVector<Value> zero(sets * size, e.splat(0, lanes));
    SmallVector<Value> sums = e.loop(e.index(0), e.index(whole), sets, zero, [&](Value group, ValueRange carried) {
      SmallVector<Value> next(carried.begin(), carried.end());
      for (int64_t s = 0; s < sets; ++s)
        multiply(e.add(group, s), Sums(next).slice(s * size, size));
      return next;
    });
    for (int64_t group = whole; group < groups; ++group)
      multiply(e.index(group), Sums(sums).take_front(size));
    if (pairs && depth % 2)
      multiply(e.index(groups), Sums(sums).take_front(size), /*half=*/true);
    while (sets > 1) { // pairwise, for accuracy
      int64_t kept = llvm::divideCeil(sets, 2);
      for (int64_t i = 0; i < (sets - kept) * size; ++i)
        sums[i] = e.addf(sums[i], sums[kept * size + i]);
      sets = kept;
    }
    sums.resize(size);
    return sums;
  }

  Emitter &e;
  Value x, weight, panel; // weight, panel, rows: those that are being multiplied
  ArrayRef<Value> rows;
  int64_t panelWidth;
  int64_t lanes, parts; // of an accumulator; accumulators per row of a tile
  int64_t tileRows;     // at most
  LinearTiles tiles;
  int64_t depth;
  bool pairs, dot;
};

} // namespace

void LinearEpilogue::emit(Emitter &e, ArrayRef<LinearPart> parts, Value row, Value column, ValueRange sums,
                          int64_t lanes) const {
  SmallVector<Value> values;
  for (auto [part, sum] : llvm::zip_equal(parts, sums)) {
    values.push_back(e.head(sum, lanes));
    if (part.bias)
      values.back() = e.addf(values.back(), e.load(part.bias, e.add(column, part.firstColumn), lanes));
  }
  Value value = values.size() == 2 ? e.mulf(e.silu(values[0]), values[1]) : values[0];
  if (residual)
    value = e.addf(value, e.load(residual, {row, column}, lanes));
  e.store(value, result, {row, column});
}

void samba::emitLinear(Emitter &e, Value x, ArrayRef<LinearPart> parts, LayoutAttr layout,
                       const LinearEpilogue &epilogue) {
  LinearEmitter(e, x, parts, layout, epilogue).emit();
}
