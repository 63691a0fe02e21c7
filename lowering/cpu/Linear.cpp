//===- Linear.cpp - matrix product with a packed weight ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The register tile: `tileRows` rows of x against one panel of `panelWidth` outputs, with the accumulators in the
// carried values of the loop over k. Per step of k one panel row is loaded and `tileRows` elements of x are broadcast.
// The parallel loop runs over panels, so each thread reads its part of the weights exactly once and in order, and a
// panel stays in cache for all rows. Fewer rows than a tile use smaller tiles (halves, down to one row) with several
// sets of accumulators, which keep as many multiplications in flight.
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace samba;

namespace {

class LinearEmitter {
public:
  LinearEmitter(Emitter &e, Value x, Value weight, Value bias, Value residual, Value result)
      : e(e), x(x), weight(weight), bias(bias), residual(residual), result(result) {
    auto type = cast<MemRefType>(weight.getType());
    panels = type.getDimSize(0);
    depth = type.getDimSize(1);
    panelWidth = type.getDimSize(2);
    outputs = cast<MemRefType>(result.getType()).getDimSize(1);
  }

  void emit() {
    e.parallel({e.index(panels)}, [&](ValueRange item) {
      panel = item[0];
      Value rows = e.rows(x);
      int64_t tile = e.target.tileRows;
      Value whole = e.sub(rows, e.remainder(rows, tile));
      e.loop(e.index(0), whole, tile, [&](Value row) { emitTile(row, tile); });
      // The rest, by the binary digits of what is left.
      Value row = whole;
      for (int64_t part = tile / 2; part >= 1; part /= 2) {
        Value rest = e.sub(rows, row);
        Value next = e.add(row, e.mul(e.divFloor(rest, part), part));
        e.loop(row, next, part, [&](Value start) { emitTile(start, part); });
        row = next;
      }
    });
  }

private:
  /// One step of k for all rows of a tile; `sums` are updated in place.
  void multiply(Value firstRow, Value k, MutableArrayRef<Value> sums) {
    Value w = e.load(weight, {panel, k, e.index(0)}, panelWidth);
    for (auto [i, sum] : llvm::enumerate(sums)) {
      Value element = e.loadScalar(x, {e.add(firstRow, int64_t(i)), k});
      sum = e.fma(e.broadcast(element, panelWidth), w, sum);
    }
  }

  void emitTile(Value firstRow, int64_t rows) {
    int64_t sets = std::min<int64_t>(depth, std::max<int64_t>(1, e.target.tileRows / (2 * rows)));
    SmallVector<Value> zero(sets * rows, e.splat(0, panelWidth));
    int64_t whole = depth - depth % sets;
    SmallVector<Value> sums =
        e.loop(e.index(0), e.index(whole), sets, zero, [&](Value k, ValueRange carried) {
          SmallVector<Value> next(carried.begin(), carried.end());
          for (int64_t s = 0; s < sets; ++s)
            multiply(firstRow, e.add(k, s), MutableArrayRef(next).slice(s * rows, rows));
          return next;
        });
    for (int64_t k = whole; k < depth; ++k)
      multiply(firstRow, e.index(k), MutableArrayRef(sums).take_front(rows));
    for (int64_t s = sets; s > 1; s = llvm::divideCeil(s, 2)) // pairwise, for accuracy
      for (int64_t i = 0; i < s / 2; ++i)
        for (int64_t r = 0; r < rows; ++r) {
          Value &sum = sums[i * rows + r];
          sum = e.addf(sum, sums[(llvm::divideCeil(s, 2) + i) * rows + r]);
        }
    e.strip(panel, outputs, panelWidth, [&](Value column, int64_t lanes) {
      for (int64_t r = 0; r < rows; ++r)
        finish(e.add(firstRow, r), column, e.head(sums[r], lanes), lanes);
    });
  }

  /// The epilogue.
  void finish(Value row, Value column, Value sum, int64_t lanes) {
    if (bias)
      sum = e.addf(sum, e.load(bias, column, lanes));
    if (residual)
      sum = e.addf(sum, e.load(residual, {row, column}, lanes));
    e.store(sum, result, {row, column});
  }

  Emitter &e;
  Value x, weight, bias, residual, result, panel;
  int64_t panels, depth, panelWidth, outputs;
};

} // namespace

void samba::emitLinear(Emitter &e, Value x, Value weight, Value bias, Value residual, Value result) {
  LinearEmitter(e, x, weight, bias, residual, result).emit();
}
