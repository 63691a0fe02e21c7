//===- AttentionMerge.cpp - one result of the parts of a ring -------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A softmax over parts: the largest score of all scales what each part has summed. A part without keys has the lowest
// score and sums of zero.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/AttentionKeys.h"

using namespace mlir;
using namespace samba;

void samba::launchAttentionMerge(StepBuilder &s, const AttentionOperands &attention, int64_t splits,
                                 const Matrix &parts) {
  SplitAttention shape(attention, splits);
  const Matrix &result = attention.result;
  int64_t threads = std::min<int64_t>(256, llvm::alignTo(shape.valueDim, kWarp));
  StepBuilder::Spec spec{"attention_merge",
                         llvm::formatv("{0} {1}x{2}x{3}", result.describe(), shape.heads, splits, shape.valueDim),
                         threads};
  spec.grid[0].times = shape.heads;
  spec.grid[1].of = parts.extent;
  std::vector<LaunchArgument> places{parts.base, result.base};
  if (!attention.isCross())
    places.push_back(StepBuilder::input("segments"));
  else
    spec.key += " cross";
  s.launch(spec, places, [&](GpuEmitter &e, ValueRange arguments) {
    Type f32 = e.b.getF32Type();
    Value head = e.block(0), start = e.mul(e.block(1), shape.width()), first = e.mul(head, splits);
    auto merge = [&](Value row) {
      SmallVector<SmallVector<Value>> scalars; // the largest score and the sum of each part
      for (int64_t i = 0; i < splits; ++i)
        scalars.push_back(
            e.load(arguments[0], f32, e.add(start, e.add(e.mul(e.add(first, i), 2), shape.scalars())), 2));
      Value largest = scalars[0][0], sum = e.scalar(0);
      for (auto &part : scalars)
        largest = e.maxf(largest, part[0]);
      SmallVector<Value> keep;
      for (auto &part : scalars) {
        keep.push_back(e.exp2(e.subf(part[0], largest)));
        sum = e.fma(part[1], keep.back(), sum);
      }
      Value inverse = e.reciprocal(sum);
      e.loop(e.thread(), e.index(shape.valueDim), threads, [&](Value lane) {
        Value total = e.scalar(0);
        for (int64_t i = 0; i < splits; ++i) {
          Value place = e.add(start, e.add(e.mul(e.add(first, i), shape.valueDim), lane));
          total = e.fma(e.load(arguments[0], f32, place), keep[i], total);
        }
        Value place = e.add(e.mul(row, result.stride), e.add(e.mul(head, shape.valueDim), lane));
        e.store(e.mulf(total, inverse), arguments[1], result.element, place);
      });
    };
    if (attention.isCross())
      return merge(e.block(1));
    Value row = e.loadIndex(arguments[2], 64, e.block(1)), end = e.loadIndex(arguments[2], 64, e.add(e.block(1), 1));
    e.when(e.less(row, end), [&] { merge(row); });
  });
}
