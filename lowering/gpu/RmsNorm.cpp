//===- RmsNorm.cpp - root-mean-square normalisation -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/Kernels.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

// A block per row. `weight` may be null. The row stays in registers between the sum of squares and the scaling.
void samba::launchRmsNorm(StepBuilder &s, const Matrix &x, const Matrix &weight, double eps, const Matrix &result) {
  int64_t lanes = std::min({x.vectorWidth(4), weight ? weight.vectorWidth(4) : 4, result.vectorWidth(4)});
  int64_t vectors = x.width / lanes;
  int64_t threads = std::clamp<int64_t>(llvm::PowerOf2Ceil(llvm::divideCeil(vectors, 2)), 32, 256);
  StepBuilder::Spec spec{
      "rms_norm", llvm::formatv("{0} {1} {2} {3}", x.describe(), weight.describe(), result.describe(), eps), threads};
  spec.grid[0].of = x.extent;
  std::vector<LaunchArgument> places{x.base};
  if (weight)
    places.push_back(weight.base);
  places.push_back(result.base);
  s.launch(spec, places, [&](GpuEmitter &e, ValueRange arguments) {
    Value row = e.block(0), xRow = e.mul(row, x.stride), resultRow = e.mul(row, result.stride);
    int64_t rounds = llvm::divideCeil(vectors, threads);
    SmallVector<SmallVector<Value>> kept;
    Value sum = e.scalar(0);
    // The last round may be for the first threads only: the others take the first column and count it as nothing.
    auto columnOf = [&](int64_t round) {
      Value item = e.add(e.thread(), round * threads);
      Value inside = (round + 1) * threads <= vectors ? Value() : e.less(item, e.index(vectors));
      return std::pair(e.mul(inside ? e.select(inside, item, e.index(0)) : item, lanes), inside);
    };
    for (int64_t round = 0; round < rounds; ++round) {
      auto [column, inside] = columnOf(round);
      kept.push_back(e.load(arguments[0], x.element, e.add(xRow, column), lanes));
      for (Value value : kept.back()) {
        Value counted = inside ? e.select(inside, value, e.scalar(0)) : value;
        sum = e.fma(counted, counted, sum);
      }
    }
    Value mean = e.mulf(e.blockSum(sum), e.scalar(1.0 / x.width));
    Value scale = e.reciprocalSqrt(e.addf(mean, e.scalar(eps)));
    for (int64_t round = 0; round < rounds; ++round) {
      auto [columnValue, insideValue] = columnOf(round);
      Value column = columnValue, inside = insideValue;
      auto emit = [&] {
        SmallVector<Value> values;
        for (Value value : kept[round])
          values.push_back(e.mulf(value, scale));
        if (weight)
          for (auto [value, factor] : llvm::zip(values, e.load(arguments[1], weight.element, column, lanes)))
            value = e.mulf(value, factor);
        e.store(values, arguments.back(), result.element, e.add(resultRow, column));
      };
      if (inside)
        e.when(inside, emit);
      else
        emit();
    }
  });
}
