//===- DifferentialNorm.cpp - norms of differences of heads ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A group of neighbouring threads takes a pair of heads of a row, whose difference stays in its registers. Each group
// computes lambda for itself: it is four short vectors, which all of them find in the cache.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

namespace {

/// exp(q1 . k1) - exp(q2 . k2) and what is added to it, as all threads of a group know them.
Value differenceOfExponentials(GpuEmitter &e, const Matrix &lambda, Value pointer, int64_t group) {
  int64_t size = lambda.width / 4;
  Value own = e.bitAnd(e.thread(), group - 1);
  auto product = [&](int64_t first) {
    Value sum = e.scalar(0);
    for (int64_t i = 0; i < size; i += group) {
      Value lane = e.add(own, i), inside = i + group <= size ? Value() : e.less(lane, e.index(size));
      Value at = inside ? e.select(inside, lane, e.index(0)) : lane;
      Value q = e.load(pointer, lambda.element, e.add(at, first));
      Value k = e.load(pointer, lambda.element, e.add(at, first + size));
      Value next = e.fma(q, k, sum);
      sum = inside ? e.select(inside, next, sum) : next;
    }
    return e.exp(e.warpSum(sum, group));
  };
  return e.subf(product(0), product(2 * size));
}

} // namespace

std::pair<Value, Value> samba::emitDifferentialFactors(GpuEmitter &e, const Matrix &lambda, Value pointer, Value depth,
                                                       int64_t group) {
  Value number = arith::SIToFPOp::create(e.b, e.loc, e.b.getF32Type(), depth);
  Value start = e.fma(e.exp(e.mulf(number, e.scalar(-0.3))), e.scalar(-0.6), e.scalar(0.8));
  Value factor = e.addf(differenceOfExponentials(e, lambda, pointer, group), start);
  return {factor, e.subf(e.scalar(1), start)};
}

void samba::launchDifferentialNorm(StepBuilder &s, const DifferentialNormOperands &norm) {
  constexpr int64_t kThreads = 128;
  int64_t size = norm.weight.width, count = norm.result.width / size; // lanes of a head, pairs of a row
  int64_t lanes = std::min({norm.x.vectorWidth(4), norm.weight.vectorWidth(4), norm.result.vectorWidth(4)});
  int64_t vectors = size / lanes, group = std::min<int64_t>(kWarp, vectors & -vectors), rounds = vectors / group;
  int64_t perBlock = kThreads / group;
  StepBuilder::Spec spec{"differential_norm",
                         llvm::formatv("{0} {1} {2} {3} {4} {5}", norm.x.describe(), norm.lambda.describe(),
                                       norm.weight.describe(), norm.result.describe(), norm.pairs, norm.eps),
                         kThreads};
  spec.grid[0].times = llvm::divideCeil(count, perBlock);
  spec.grid[1].of = norm.x.extent;
  s.launch(spec, {norm.x.base, norm.lambda.base, norm.weight.base, norm.result.base, norm.depth},
           [&](GpuEmitter &e, ValueRange arguments) {
             Value row = e.block(1), pair = e.add(e.mul(e.block(0), perBlock), e.divFloor(e.thread(), group));
             // Groups without a pair take the last one along, because they shuffle.
             Value inside = count % perBlock == 0 ? Value() : e.less(pair, e.index(count));
             if (inside)
               pair = e.select(inside, pair, e.index(count - 1));
             auto [factor, rest] = emitDifferentialFactors(e, norm.lambda, arguments[1], arguments[4], group);
             Value run = e.divFloor(pair, norm.pairs), first = e.add(e.mul(run, norm.pairs), pair);
             Value from = e.add(e.mul(row, norm.x.stride), e.mul(first, size));
             SmallVector<SmallVector<Value>> kept;
             Value sum = e.scalar(0), minus = e.negf(factor);
             auto columnOf = [&](int64_t round) {
               return e.mul(e.add(e.bitAnd(e.thread(), group - 1), round * group), lanes);
             };
             for (int64_t round = 0; round < rounds; ++round) {
               Value at = e.add(from, columnOf(round));
               kept.push_back(e.load(arguments[0], norm.x.element, at, lanes));
               SmallVector<Value> second = e.load(arguments[0], norm.x.element, e.add(at, norm.pairs * size), lanes);
               for (auto [value, other] : llvm::zip(kept.back(), second)) {
                 value = e.fma(minus, other, value);
                 sum = e.fma(value, value, sum);
               }
             }
             Value mean = e.mulf(e.warpSum(sum, group), e.scalar(1.0 / size));
             Value scale = e.reciprocalSqrt(e.addf(mean, e.scalar(norm.eps)));
             scale = e.mulf(scale, rest);
             auto store = [&] {
               for (int64_t round = 0; round < rounds; ++round) {
                 Value column = columnOf(round);
                 SmallVector<Value> values;
                 for (auto [value, weight] :
                      llvm::zip(kept[round], e.load(arguments[2], norm.weight.element, column, lanes)))
                   values.push_back(e.mulf(e.mulf(value, scale), weight));
                 Value to = e.add(e.add(e.mul(row, norm.result.stride), e.mul(pair, size)), column);
                 e.store(values, arguments[3], norm.result.element, to);
               }
             };
             e.when(inside, store);
           });
}
