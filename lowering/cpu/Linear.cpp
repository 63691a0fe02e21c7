//===- Linear.cpp - matrix product with a packed weight ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The register tile: `tileRows` rows of x against one panel of outputs, with the accumulators in the carried values of
// the loop over the depth. Per step one group of the panel is loaded (one input of all its outputs, or a pair of
// inputs in narrow panels) and multiplied with the elements of x, each broadcast to all lanes. The parallel loop runs
// over panels, so each thread reads its part of the weights exactly once and in order, and a panel stays in cache for
// all rows. Fewer rows than a tile use smaller tiles (halves, down to one row) with several sets of accumulators, which
// keep as many multiplications in flight.
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace samba;

namespace {

class LinearEmitter {
public:
  LinearEmitter(Emitter &e, Value x, ArrayRef<LinearPart> products, LayoutAttr layout, const LinearEpilogue &epilogue)
      : e(e), x(x), products(products), epilogue(epilogue) {
    panelWidth = layout.getWidth();
    pairs = layout.getInterleave() == 2;
    depth = cast<MemRefType>(x.getType()).getDimSize(1);
    outputs = cast<MemRefType>(epilogue.result.getType()).getDimSize(1);
    lanes = panelWidth % e.target.lanes() ? panelWidth : e.target.lanes();
    parts = panelWidth / lanes;
    tileRows = e.target.tileRowsFor(panelWidth);
    bool narrowRows = cast<MemRefType>(x.getType()).getElementType().isBF16();
    dot = pairs && narrowRows && !e.target.bf16Dot.empty() && lanes == e.target.lanes();
  }

  void emit() {
    e.parallel({e.index(llvm::divideCeil(outputs, panelWidth))}, [&](ValueRange item) {
      block = item[0];
      forRowTiles(e, e.rows(x), tileRows, [&](Value row, int64_t rows) { emitTile(row, rows); });
    });
  }

private:
  /// Accumulators of a tile: `parts` vectors for each row.
  using Sums = MutableArrayRef<Value>;

  /// One group of the panel against all rows of a tile. The last group of an odd depth holds one input only.
  void multiply(Value firstRow, Value group, Sums sums, bool half = false) {
    for (int64_t part = 0; part < parts; ++part) {
      auto sum = [&](int64_t row) -> Value & { return sums[row * parts + part]; };
      int64_t rows = sums.size() / parts;
      if (!pairs) {
        Value w = e.load(weight, {panel, group, e.index(part * lanes)}, lanes);
        for (int64_t r = 0; r < rows; ++r)
          sum(r) = e.fma(broadcastRow(firstRow, r, group), w, sum(r));
        continue;
      }
      Value raw = e.loadRaw(weight, {panel, group, e.index(2 * part * lanes)}, 2 * lanes);
      Value k = e.mul(group, 2);
      if (dot && !half) {
        for (int64_t r = 0; r < rows; ++r)
          sum(r) = dotProduct(sum(r), broadcastPair(firstRow, r, k), raw);
        continue;
      }
      // A bf16 is the upper half of an f32.
      Value words = e.bitcast(raw, e.b.getI32Type());
      Value low = arith::ShLIOp::create(e.b, e.loc, words, words32(16));
      Value first = e.bitcast(low, e.b.getF32Type());
      for (int64_t r = 0; r < rows; ++r)
        sum(r) = e.fma(broadcastRow(firstRow, r, k), first, sum(r));
      if (half)
        continue;
      Value high = arith::AndIOp::create(e.b, e.loc, words, words32(0xffff0000));
      Value second = e.bitcast(high, e.b.getF32Type());
      for (int64_t r = 0; r < rows; ++r)
        sum(r) = e.fma(broadcastRow(firstRow, r, e.add(k, 1)), second, sum(r));
    }
  }

  Value words32(uint32_t word) {
    auto type = VectorType::get({lanes}, e.b.getI32Type());
    return arith::ConstantOp::create(e.b, e.loc, DenseElementsAttr::get(type, APInt(32, word)));
  }

  Value broadcastRow(Value firstRow, int64_t row, Value k) {
    return e.broadcast(e.loadScalar(x, {e.add(firstRow, row), k}), lanes);
  }

  Value broadcastPair(Value firstRow, int64_t row, Value k) {
    Value pair = e.bitcast(e.loadRaw(x, {e.add(firstRow, row), k}, 2), e.b.getI32Type());
    return e.bitcast(e.broadcast(e.extract(pair, 0), lanes), e.b.getBF16Type());
  }

  Value dotProduct(Value sum, Value a, Value b) {
    auto call = LLVM::CallIntrinsicOp::create(e.b, e.loc, sum.getType(), e.b.getStringAttr(e.target.bf16Dot),
                                              ValueRange{sum, a, b});
    return call.getResults();
  }

  /// The products of a tile with the panel of one part.
  SmallVector<Value> sumsOf(const LinearPart &product, Value firstRow, int64_t rows) {
    weight = product.weight;
    panel = e.add(block, product.firstColumn / panelWidth);
    int64_t groups = pairs ? depth / 2 : depth, size = rows * parts;
    int64_t sets = std::clamp<int64_t>(tileRows / (2 * rows), 1, std::max<int64_t>(1, groups));
    int64_t whole = groups - groups % sets;
    SmallVector<Value> zero(sets * size, e.splat(0, lanes));
    SmallVector<Value> sums = e.loop(e.index(0), e.index(whole), sets, zero, [&](Value group, ValueRange carried) {
      SmallVector<Value> next(carried.begin(), carried.end());
      for (int64_t s = 0; s < sets; ++s)
        multiply(firstRow, e.add(group, s), Sums(next).slice(s * size, size));
      return next;
    });
    for (int64_t group = whole; group < groups; ++group)
      multiply(firstRow, e.index(group), Sums(sums).take_front(size));
    if (pairs && depth % 2)
      multiply(firstRow, e.index(groups), Sums(sums).take_front(size), /*half=*/true);
    while (sets > 1) { // pairwise, for accuracy
      int64_t kept = llvm::divideCeil(sets, 2);
      for (int64_t i = 0; i < (sets - kept) * size; ++i)
        sums[i] = e.addf(sums[i], sums[kept * size + i]);
      sets = kept;
    }
    sums.resize(size);
    return sums;
  }

  // One panel after the other: two streams of weights at once are slower than one. The sums of the first wait.
  void emitTile(Value firstRow, int64_t rows) {
    SmallVector<SmallVector<Value>> sums;
    for (const LinearPart &product : products)
      sums.push_back(sumsOf(product, firstRow, rows));
    e.strip(block, outputs, panelWidth, [&](Value column, int64_t present) {
      for (int64_t r = 0; r < rows; ++r)
        for (int64_t part = 0; part * lanes < present; ++part) {
          auto own = llvm::map_to_vector(sums, [&](ArrayRef<Value> all) { return all[r * parts + part]; });
          epilogue.emit(e, products, e.add(firstRow, r), e.add(column, part * lanes), own,
                        std::min(lanes, present - part * lanes));
        }
    });
  }

  Emitter &e;
  Value x, block;      // block: the number of the panel of results
  Value weight, panel; // of the part that is being multiplied
  ArrayRef<LinearPart> products;
  LinearEpilogue epilogue;
  int64_t depth, panelWidth, outputs;
  int64_t lanes, parts; // of an accumulator; accumulators per row of a tile
  int64_t tileRows;     // at most
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

void samba::forRowTiles(Emitter &e, Value rows, int64_t tileRows,
                        llvm::function_ref<void(Value firstRow, int64_t rows)> body) {
  Value row = e.sub(rows, e.remainder(rows, tileRows));
  e.loop(e.index(0), row, tileRows, [&](Value first) { body(first, tileRows); });
  // The rest, by the binary digits of what is left.
  for (int64_t part = tileRows / 2; part >= 1; part /= 2) {
    Value next = e.add(row, e.mul(e.divFloor(e.sub(rows, row), part), part));
    e.loop(row, next, part, [&](Value first) { body(first, part); });
    row = next;
  }
}

void samba::emitLinear(Emitter &e, Value x, ArrayRef<LinearPart> parts, LayoutAttr layout,
                       const LinearEpilogue &epilogue) {
  LinearEmitter(e, x, parts, layout, epilogue).emit();
}
