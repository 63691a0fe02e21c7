//===- Norms.cpp - norms of rows and of pairs of heads --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace samba;

namespace {

int64_t widthOf(Value memref) { return cast<MemRefType>(memref.getType()).getShape().back(); }

/// The sum over `width` columns of what `add` makes of a strip of them and of the sum so far.
Value sumOver(Emitter &e, int64_t width, llvm::function_ref<Value(Value column, int64_t lanes, Value sum)> add) {
  int64_t lanes = 2 * e.target.lanes(), whole = width - width % lanes;
  Value total = e.scalar(0);
  if (whole > 0)
    total = e.sum(e.loop(e.index(0), e.index(whole), lanes, e.splat(0, lanes), [&](Value column, ValueRange carried) {
      return SmallVector<Value>{add(column, lanes, carried[0])};
    })[0]);
  if (whole < width)
    total = e.addf(total, e.sum(add(e.index(whole), width - whole, e.splat(0, width - whole))));
  return total;
}

/// 1 / sqrt(sum / count + eps)
Value inverseRoot(Emitter &e, Value sum, int64_t count, double eps) {
  Value mean = e.addf(e.mulf(sum, e.scalar(1.0 / count)), e.scalar(eps));
  return e.divf(e.scalar(1), e.sqrt(mean));
}

} // namespace

EmitNormOfRow samba::rmsNorm(Emitter &e, Value x, Value weight, double eps, bool roundNormalised) {
  return [=, &e](Value row, Value result) {
    int64_t width = widthOf(x);
    Value squares = sumOver(e, width, [&](Value column, int64_t n, Value sum) {
      Value v = e.load(x, {row, column}, n);
      return e.fma(v, v, sum);
    });
    Value scale = inverseRoot(e, squares, width, eps);
    e.strips(width, 2 * e.target.lanes(), [&](Value column, int64_t n) {
      Value scaled = e.mulf(e.load(x, {row, column}, n), e.broadcast(scale, n));
      if (roundNormalised)
        scaled = e.roundToBf16(scaled);
      e.store(weight ? e.mulf(scaled, e.load(weight, column, n)) : scaled, result, {row, column});
    });
  };
}

// Two passes: the squares of what is left without the mean lose nothing to a mean far from zero.
EmitNormOfRow samba::layerNorm(Emitter &e, Value x, Value weight, Value bias, double eps) {
  return [=, &e](Value row, Value result) {
    int64_t width = widthOf(x);
    Value sum =
        sumOver(e, width, [&](Value column, int64_t n, Value sum) { return e.addf(e.load(x, {row, column}, n), sum); });
    Value mean = e.mulf(sum, e.scalar(1.0 / width));
    auto centred = [&](Value column, int64_t n) { return e.subf(e.load(x, {row, column}, n), e.broadcast(mean, n)); };
    Value squares = sumOver(e, width, [&](Value column, int64_t n, Value sum) {
      Value v = centred(column, n);
      return e.fma(v, v, sum);
    });
    Value scale = inverseRoot(e, squares, width, eps);
    e.strips(width, 2 * e.target.lanes(), [&](Value column, int64_t n) {
      Value scaled = e.mulf(centred(column, n), e.broadcast(scale, n)), factor = e.load(weight, column, n);
      e.store(bias ? e.fma(scaled, factor, e.load(bias, column, n)) : e.mulf(scaled, factor), result, {row, column});
    });
  };
}

EmitNormOfRow samba::differentialNorm(Emitter &e, Value x, Value lambda, Value weight, Value depth, int64_t pairs,
                                      double eps) {
  return [=, &e](Value row, Value result) {
    int64_t size = widthOf(lambda) / 4, lanes = widthOf(weight), runs = widthOf(x) / (2 * pairs * lanes);
    auto product = [&](int64_t first) {
      return sumOver(e, size, [&](Value column, int64_t n, Value sum) {
        Value q = e.load(lambda, e.add(column, first), n), k = e.load(lambda, e.add(column, first + size), n);
        return e.fma(q, k, sum);
      });
    };
    Value number = arith::IndexCastOp::create(e.b, e.loc, e.b.getI64Type(), depth);
    number = arith::SIToFPOp::create(e.b, e.loc, e.b.getF32Type(), number);
    Value start = e.fma(e.exp(e.mulf(number, e.scalar(-0.3))), e.scalar(-0.6), e.scalar(0.8));
    Value factor = e.addf(e.subf(e.exp(product(0)), e.exp(product(2 * size))), start);
    Value rest = e.subf(e.scalar(1), start);
    e.loop(e.index(0), e.index(runs), 1, [&](Value run) {
      e.loop(e.index(0), e.index(pairs), 1, [&](Value pair) {
        Value from = e.mul(e.add(e.mul(run, 2 * pairs), pair), lanes),
              to = e.mul(e.add(e.mul(run, pairs), pair), lanes);
        auto difference = [&](Value column, int64_t n) {
          Value first = e.load(x, {row, e.add(from, column)}, n);
          Value second = e.load(x, {row, e.add(e.add(from, column), pairs * lanes)}, n);
          return e.fma(e.broadcast(e.negf(factor), n), second, first);
        };
        Value squares = sumOver(e, lanes, [&](Value column, int64_t n, Value sum) {
          Value v = difference(column, n);
          return e.fma(v, v, sum);
        });
        Value scale = e.mulf(inverseRoot(e, squares, lanes, eps), rest);
        e.strips(lanes, 2 * e.target.lanes(), [&](Value column, int64_t n) {
          Value scaled = e.mulf(difference(column, n), e.broadcast(scale, n));
          e.store(e.mulf(scaled, e.load(weight, column, n)), result, {row, e.add(to, column)});
        });
      });
    });
  };
}

void samba::emitNorm(Emitter &e, Value rows, const EmitNormOfRow &emitRow, Value result) {
  e.parallel({rows}, [&](ValueRange item) { emitRow(item[0], result); });
}

// Outside of parallel loops every thread runs the code, here on its own memory.
Value samba::emitNormPrologue(Emitter &e, Value rows, const EmitNormOfRow &emitRow, Value result) {
  auto type = cast<MemRefType>(result.getType());
  int64_t rowBytes = type.getDimSize(1) * type.getElementTypeBitWidth() / 8;
  auto bytes = MemRefType::get({kPrologueRows * rowBytes}, e.b.getI8Type());
  Value memory = e.threadMemory(bytes);
  Value own = memref::ViewOp::create(e.b, e.loc, type, memory, e.index(0), ValueRange{rows});
  Value many = e.less(e.index(kPrologueRows), rows);
  e.whenElse(
      many, [&] { emitNorm(e, rows, emitRow, result); },
      [&] { e.loop(e.index(0), rows, 1, [&](Value row) { emitRow(row, own); }); });
  return arith::SelectOp::create(e.b, e.loc, many, result, own);
}
