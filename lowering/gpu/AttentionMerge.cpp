//===- AttentionMerge.cpp - one result of the parts of a ring -------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A softmax over parts: the largest score of all scales what each part has summed. A part without keys has the lowest
// score and sums of zero. A norm of differences that follows is computed here, by a block for each pair of heads.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/AttentionKeys.h"

using namespace mlir;
using namespace samba;

namespace {

class Kernel {
public:
  Kernel(GpuEmitter &e, const AttentionOperands &a, const SplitAttention &shape, const Matrix &result,
         ValueRange arguments)
      : e(e), a(a), shape(shape), result(result), arguments(arguments), f32(e.b.getF32Type()) {}

  void emit() {
    if (a.isCross())
      return merge(e.block(1));
    Value row = e.loadIndex(arguments[2], 64, e.block(1)), end = e.loadIndex(arguments[2], 64, e.add(e.block(1), 1));
    e.when(e.less(row, end), [&] { merge(row); });
  }

private:
  /// A query head: where its parts begin, and what each of them and their sum is multiplied with.
  struct Head {
    Value first, inverse;
    SmallVector<Value> keep;
  };

  void merge(Value row) {
    start = e.mul(e.block(1), shape.width());
    if (a.differences)
      return normalise(row, *a.differences);
    Head head = headOf(e.block(0));
    e.loop(e.thread(), e.index(shape.valueDim), e.threads, [&](Value lane) {
      Value place = e.add(e.mul(row, result.stride), e.add(e.mul(e.block(0), shape.valueDim), lane));
      e.store(laneOf(head, lane), arguments[1], result.element, place);
    });
  }

  Head headOf(Value number) {
    Head head{e.mul(number, shape.splits), {}, {}};
    SmallVector<SmallVector<Value>> scalars; // the largest score and the sum of each part
    for (int64_t i = 0; i < shape.splits; ++i)
      scalars.push_back(
          e.load(arguments[0], f32, e.add(start, e.add(e.mul(e.add(head.first, i), 2), shape.scalars())), 2));
    Value largest = scalars[0][0], sum = e.scalar(0);
    for (auto &part : scalars)
      largest = e.maxf(largest, part[0]);
    for (auto &part : scalars) {
      head.keep.push_back(e.exp2(e.subf(part[0], largest)));
      sum = e.fma(part[1], head.keep.back(), sum);
    }
    head.inverse = e.reciprocal(sum);
    return head;
  }

  Value laneOf(const Head &head, Value lane) {
    Value total = e.scalar(0);
    for (int64_t i = 0; i < shape.splits; ++i) {
      Value place = e.add(start, e.add(e.mul(e.add(head.first, i), shape.valueDim), lane));
      total = e.fma(e.load(arguments[0], f32, place), head.keep[i], total);
    }
    return e.mulf(total, head.inverse);
  }

  void normalise(Value row, const DifferentialNormOperands &norm) {
    auto [lambda, weight, depth] = std::tuple(arguments.take_back(3)[0], arguments.take_back(2)[0], arguments.back());
    auto [factor, rest] = emitDifferentialFactors(e, norm.lambda, lambda, depth, kWarp);
    Value pair = e.block(0), first = e.add(e.mul(e.divFloor(pair, norm.pairs), norm.pairs), pair);
    Head one = headOf(first), other = headOf(e.add(first, norm.pairs));
    Value minus = e.negf(factor), sum = e.scalar(0);
    SmallVector<Value> lanes, insides, kept;
    for (int64_t begin = 0; begin < shape.valueDim; begin += e.threads) {
      Value lane = e.add(e.thread(), begin), inside;
      if (begin + e.threads > shape.valueDim) {
        inside = e.less(lane, e.index(shape.valueDim));
        lane = e.select(inside, lane, e.index(0));
      }
      kept.push_back(e.fma(minus, laneOf(other, lane), laneOf(one, lane)));
      Value counted = inside ? e.select(inside, kept.back(), e.scalar(0)) : kept.back();
      sum = e.fma(counted, counted, sum);
      lanes.push_back(lane);
      insides.push_back(inside);
    }
    Value mean = e.mulf(e.blockSum(sum), e.scalar(1.0 / shape.valueDim));
    Value scale = e.mulf(e.reciprocalSqrt(e.addf(mean, e.scalar(norm.eps))), rest);
    for (size_t i = 0; i < lanes.size(); ++i) {
      auto store = [&, weight = weight] {
        Value value = e.mulf(e.mulf(kept[i], scale), e.load(weight, norm.weight.element, lanes[i]));
        Value place = e.add(e.mul(row, result.stride), e.add(e.mul(pair, shape.valueDim), lanes[i]));
        e.store(value, arguments[1], result.element, place);
      };
      e.when(insides[i], store);
    }
  }

  GpuEmitter &e;
  const AttentionOperands &a;
  const SplitAttention &shape;
  const Matrix &result;
  ValueRange arguments;
  Type f32;
  Value start;
};

} // namespace

void samba::launchAttentionMerge(StepBuilder &s, const AttentionOperands &attention, int64_t splits,
                                 const Matrix &parts) {
  SplitAttention shape(attention, splits);
  const auto &norm = attention.differences;
  const Matrix &result = norm ? norm->result : attention.result;
  // A power of two, as sums of blocks want it.
  int64_t threads = std::clamp<int64_t>(llvm::PowerOf2Ceil(shape.valueDim), kWarp, 256);
  StepBuilder::Spec spec{"attention_merge",
                         llvm::formatv("{0} {1}x{2}x{3}", result.describe(), shape.heads, splits, shape.valueDim),
                         threads};
  spec.grid[0].times = norm ? shape.heads / 2 : shape.heads;
  spec.grid[1].of = parts.extent;
  std::vector<LaunchArgument> places{parts.base, result.base};
  if (!attention.isCross())
    places.push_back(StepBuilder::input("segments"));
  else
    spec.key += " cross";
  if (norm) {
    places.insert(places.end(), {norm->lambda.base, norm->weight.base, norm->depth});
    spec.key +=
        llvm::formatv(" {0} {1} {2} {3}", norm->lambda.describe(), norm->weight.describe(), norm->pairs, norm->eps);
  }
  s.launch(spec, places,
           [&](GpuEmitter &e, ValueRange arguments) { Kernel(e, attention, shape, result, arguments).emit(); });
}
