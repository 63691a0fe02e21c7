//===- Rotary.cpp - rotary embedding ---------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include <cmath>

using namespace mlir;
using namespace samba;

// Frequencies are constants in the code, in f64: an f32 frequency would be wrong by a radian at position 10^7.
void samba::emitRotaryTable(Emitter &e, Value segments, Value positions, double theta, bool narrowAngles,
                            Value result) {
  int64_t headDim = cast<MemRefType>(result.getType()).getDimSize(1), half = headDim / 2;
  e.parallel({e.rows(result)}, [&](ValueRange item) {
    Value row = item[0], sequence = findSegment(e, segments, row);
    Value position = e.add(e.loadIndex(positions, sequence), e.sub(row, e.loadIndex(segments, sequence)));
    Value word = arith::IndexCastOp::create(e.b, e.loc, e.b.getI64Type(), position);
    Type real = narrowAngles ? Type(e.b.getF32Type()) : e.b.getF64Type();
    Value p = arith::SIToFPOp::create(e.b, e.loc, real, word);
    if (narrowAngles)
      p = arith::ExtFOp::create(e.b, e.loc, e.b.getF64Type(), p);
    for (auto [first, lanes] : Emitter::stripList(half, e.target.lanes() / 2)) {
      SmallVector<double> frequencies;
      for (int64_t i = first; i < first + lanes; ++i)
        frequencies.push_back(std::pow(theta, -2.0 * i / headDim));
      if (narrowAngles)
        for (double &frequency : frequencies)
          frequency = float(frequency);
      auto type = VectorType::get({lanes}, e.b.getF64Type());
      Value frequency =
          arith::ConstantOp::create(e.b, e.loc, DenseElementsAttr::get(type, ArrayRef<double>(frequencies)));
      Value angle = e.mulf(e.broadcast(p, lanes), frequency); // exact, of two f32 values
      if (narrowAngles) {
        Value narrow = arith::TruncFOp::create(e.b, e.loc, VectorType::get({lanes}, e.b.getF32Type()), angle);
        angle = arith::ExtFOp::create(e.b, e.loc, type, narrow);
      }
      auto [cosine, sine] = e.cosSin(angle);
      e.store(cosine, result, {row, e.index(first)});
      e.store(sine, result, {row, e.index(half + first)});
    }
  });
}

// Heads of several values are items of one loop.
void samba::emitRotary(Emitter &e, ArrayRef<RotaryPart> parts, Value table, bool roundProducts) {
  int64_t headDim = cast<MemRefType>(table.getType()).getDimSize(1), half = headDim / 2, heads = 0;
  SmallVector<int64_t> ends;
  for (const RotaryPart &part : parts)
    ends.push_back(heads += cast<MemRefType>(part.x.getType()).getDimSize(1) / headDim);
  e.parallel({e.rows(parts.front().x), e.index(heads)}, [&](ValueRange item) {
    Value row = item[0];
    auto rotate = [&](Value x, Value result, Value head) {
      e.strips(half, e.target.lanes(), [&](Value column, int64_t n) {
        Value low = e.add(head, column), high = e.add(low, half);
        Value a = e.load(x, {row, low}, n), b = e.load(x, {row, high}, n);
        Value c = e.load(table, {row, column}, n), s = e.load(table, {row, e.add(column, half)}, n);
        if (roundProducts) {
          auto product = [&](Value x, Value y) { return e.roundToBf16(e.mulf(x, y)); };
          e.store(e.roundToBf16(e.subf(product(a, c), product(b, s))), result, {row, low});
          e.store(e.roundToBf16(e.addf(product(a, s), product(b, c))), result, {row, high});
          return;
        }
        e.store(e.subf(e.mulf(a, c), e.mulf(b, s)), result, {row, low});
        e.store(e.fma(a, s, e.mulf(b, c)), result, {row, high});
      });
    };
    auto emitHead = [&](const RotaryPart &part, Value number) {
      Value head = e.mul(number, headDim), x = part.x;
      if (part.rotated) {
        rotate(x, part.rotated, head);
        x = part.rotated;
      }
      if (part.rounded && part.quant)
        emitQuantizeGroup(e, x, row, number, part.quant, part.rounded);
      else if (part.rounded)
        e.strips(headDim, e.target.lanes(), [&](Value column, int64_t n) {
          Value place = e.add(head, column);
          e.store(e.load(x, {row, place}, n), part.rounded, {row, place});
        });
    };
    std::function<void(size_t)> choose = [&](size_t i) {
      int64_t begin = i ? ends[i - 1] : 0;
      auto own = [&] { emitHead(parts[i], e.sub(item[1], e.index(begin))); };
      if (i + 1 == parts.size())
        return own();
      e.whenElse(e.less(item[1], e.index(ends[i])), own, [&] { choose(i + 1); });
    };
    choose(0);
  });
}
