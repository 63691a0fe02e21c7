//===- Rows.cpp - row-wise operations ----------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace samba;

namespace {

int64_t widthOf(Value memref) { return cast<MemRefType>(memref.getType()).getShape().back(); }

/// Elementwise work is cut into pieces of this many columns, so that a single row also feeds all threads.
constexpr int64_t kColumnsPerPiece = 512;

/// A parallel loop over rows and pieces of columns, and within each piece over strips of two vectors.
void emitElementwise(Emitter &e, Value result, llvm::function_ref<void(ValueRange, int64_t)> body) {
  int64_t width = widthOf(result), lanes = 2 * e.target.lanes();
  Value pieces = e.index(llvm::divideCeil(width, kColumnsPerPiece));
  e.parallel({e.rows(result), pieces}, [&](ValueRange item) {
    e.strip(item[1], width, kColumnsPerPiece, [&](Value first, int64_t columns) {
      e.strips(columns, lanes, [&](Value column, int64_t n) { body({item[0], e.add(first, column)}, n); });
    });
  });
}

/// One element of a quantised panel.
Value loadQuantised(Emitter &e, Value table, QuantAttr quant, Value panel, Value lane, Value column) {
  int64_t group = quant.getGroup(), width = quant.getWidth(), halves = 8 / quant.getBits();
  Value block = e.divFloor(column, group), k = e.remainder(column, group);
  Value scale = e.extract(e.bitcast(e.loadRaw(table, {panel, block, e.mul(lane, 4)}, 4), e.b.getF32Type()), 0);
  Value half = e.divFloor(k, group / halves);
  k = e.remainder(k, group / halves);
  Value place = e.add(e.mul(e.add(e.mul(e.divFloor(k, 4), width), lane), 4), e.remainder(k, 4));
  Value byte = memref::LoadOp::create(e.b, e.loc, table, ValueRange{panel, block, e.add(place, 4 * width)});
  Value code = arith::IndexCastUIOp::create(e.b, e.loc, e.b.getIndexType(), byte);
  code = arith::ShRUIOp::create(e.b, e.loc, code, e.mul(half, quant.getBits()));
  code = arith::AndIOp::create(e.b, e.loc, code, e.index((int64_t(1) << quant.getBits()) - 1));
  Value centred = e.sub(code, e.index(int64_t(1) << (quant.getBits() - 1)));
  Value word = arith::IndexCastOp::create(e.b, e.loc, e.b.getI32Type(), centred);
  return e.mulf(arith::SIToFPOp::create(e.b, e.loc, e.b.getF32Type(), word), scale);
}

} // namespace

Value StateBuffer::slice(Emitter &e, Value sequence) const {
  auto pointerType = LLVM::LLVMPointerType::get(e.b.getContext());
  Value word = arith::IndexCastOp::create(e.b, e.loc, e.b.getI64Type(), sequence);
  Value slot = LLVM::GEPOp::create(e.b, e.loc, pointerType, pointerType, pointers, ValueRange{word});
  Value base = LLVM::LoadOp::create(e.b, e.loc, pointerType, slot);
  return e.memrefAt(e.pointerAdd(base, offset), MemRefType::get(type.getMemoryShape(), type.getElementType()));
}

Value samba::findSegment(Emitter &e, Value segments, Value row) {
  Value count = e.sub(e.rows(segments), e.index(1));
  auto search = scf::WhileOp::create(
      e.b, e.loc, TypeRange{e.b.getIndexType(), e.b.getIndexType()}, ValueRange{e.index(0), count},
      [&](OpBuilder &, Location, ValueRange bounds) {
        scf::ConditionOp::create(e.b, e.loc, e.less(bounds[0], bounds[1]), bounds);
      },
      [&](OpBuilder &, Location, ValueRange bounds) {
        Value middle = e.divFloor(e.add(bounds[0], bounds[1]), 2);
        Value next = e.add(middle, 1);
        Value before = e.less(row, e.loadIndex(segments, next));
        Value low = arith::SelectOp::create(e.b, e.loc, before, bounds[0], next);
        Value high = arith::SelectOp::create(e.b, e.loc, before, middle, bounds[1]);
        scf::YieldOp::create(e.b, e.loc, ValueRange{low, high});
      });
  return search.getResult(0);
}

// The table is row-major, or in panels when it is also the matrix of the head. In a panel the elements of a row are a
// panel's width apart: scalar loads, but of one row per token only.
void samba::emitEmbedding(Emitter &e, Value tokens, Value table, Attribute encoding, Value result) {
  int64_t width = widthOf(result);
  auto layout = dyn_cast_or_null<LayoutAttr>(encoding);
  auto quant = dyn_cast_or_null<QuantAttr>(encoding);
  e.parallel({e.rows(tokens)}, [&](ValueRange item) {
    Value row = e.loadIndex(tokens, item[0]);
    if (quant) {
      Value panel = e.divFloor(row, quant.getWidth()), lane = e.remainder(row, quant.getWidth());
      e.loop(e.index(0), e.index(width), 1, [&](Value column) {
        e.storeScalar(loadQuantised(e, table, quant, panel, lane, column), result, {item[0], column});
      });
      return;
    }
    if (!layout) {
      e.strips(width, 2 * e.target.lanes(),
               [&](Value column, int64_t n) { e.store(e.load(table, {row, column}, n), result, {item[0], column}); });
      return;
    }
    int64_t panel = layout.getWidth(), interleave = layout.getInterleave();
    Value block = e.divFloor(row, panel), lane = e.mul(e.remainder(row, panel), interleave);
    e.loop(e.index(0), e.index(width), 1, [&](Value column) {
      Value group = e.divFloor(column, interleave), place = e.add(lane, e.remainder(column, interleave));
      e.storeScalar(e.loadScalar(table, {block, group, place}), result, {item[0], column});
    });
  });
}

void samba::emitGatherRows(Emitter &e, Value x, Value rows, Value result) {
  emitElementwise(e, result, [&](ValueRange at, int64_t n) {
    Value row = e.loadIndex(rows, at[0]);
    e.store(e.load(x, {row, at[1]}, n), result, at);
  });
}

void samba::emitCopy(Emitter &e, Value x, Value result) {
  emitElementwise(e, result, [&](ValueRange at, int64_t n) { e.store(e.load(x, at, n), result, at); });
}

void samba::emitSwiglu(Emitter &e, Value gate, Value up, Value result) {
  emitElementwise(e, result, [&](ValueRange at, int64_t n) {
    e.store(e.mulf(e.silu(e.load(gate, at, n)), e.load(up, at, n)), result, at);
  });
}

void samba::emitAdd(Emitter &e, Value x, Value y, Value result) {
  emitElementwise(e, result,
                  [&](ValueRange at, int64_t n) { e.store(e.addf(e.load(x, at, n), e.load(y, at, n)), result, at); });
}
