//===- Norm.cpp - normalisation of rows -----------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/Norm.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

int64_t samba::lanesOfNorm(const Matrix &x, const NormOperands &norm) {
  int64_t lanes = x.vectorWidth(4);
  for (const Matrix *matrix : {&norm.weight, &norm.bias})
    if (*matrix)
      lanes = std::min(lanes, matrix->vectorWidth(4));
  return lanes;
}

std::string samba::describe(const NormOperands &norm) {
  return llvm::formatv("{0} {1} {2}{3}", norm.weight.describe(), norm.bias.describe(), norm.eps,
                       norm.centred ? " centred" : "");
}

// The mean is taken off before the squares are summed: they lose nothing to a mean far from zero.
void samba::emitNorm(GpuEmitter &e, const Matrix &x, const NormOperands &norm, const NormPointers &pointers, Value row,
                     int64_t lanes, llvm::function_ref<void(ValueRange values, Value column)> store) {
  int64_t vectors = x.width / lanes, rounds = llvm::divideCeil(vectors, e.threads);
  Value start = e.mul(row, x.stride);
  SmallVector<SmallVector<Value>> kept;
  // The last round may be for the first threads only: the others take the first column and count it as nothing.
  auto columnOf = [&](int64_t round) {
    Value item = e.add(e.thread(), round * e.threads);
    Value inside = (round + 1) * e.threads <= vectors ? Value() : e.less(item, e.index(vectors));
    return std::pair(e.mul(inside ? e.select(inside, item, e.index(0)) : item, lanes), inside);
  };
  auto sumOf = [&](llvm::function_ref<Value(Value counted, Value sum)> add, Value sum) {
    for (int64_t round = 0; round < rounds; ++round) {
      Value inside = columnOf(round).second;
      for (Value value : kept[round])
        sum = add(inside ? e.select(inside, value, e.scalar(0)) : value, sum);
    }
    return e.mulf(e.blockSum(sum), e.scalar(1.0 / x.width));
  };
  for (int64_t round = 0; round < rounds; ++round)
    kept.push_back(e.load(pointers.x, x.element, e.add(start, columnOf(round).first), lanes));
  if (norm.centred) {
    Value mean = sumOf([&](Value counted, Value sum) { return e.addf(counted, sum); }, e.scalar(0));
    for (SmallVector<Value> &values : kept)
      for (Value &value : values)
        value = e.subf(value, mean);
  }
  Value mean = sumOf([&](Value counted, Value sum) { return e.fma(counted, counted, sum); }, e.scalar(0));
  Value scale = e.reciprocalSqrt(e.addf(mean, e.scalar(norm.eps)));
  for (int64_t round = 0; round < rounds; ++round) {
    auto [columnValue, insideValue] = columnOf(round);
    Value column = columnValue, inside = insideValue;
    auto emit = [&] {
      SmallVector<Value> values;
      for (Value value : kept[round])
        values.push_back(e.mulf(value, scale));
      SmallVector<Value> terms;
      if (norm.bias)
        terms = e.load(pointers.bias, norm.bias.element, column, lanes);
      if (norm.weight)
        for (auto [i, factor] : llvm::enumerate(e.load(pointers.weight, norm.weight.element, column, lanes)))
          values[i] = norm.bias ? e.fma(values[i], factor, terms[i]) : e.mulf(values[i], factor);
      store(values, column);
    };
    e.when(inside, emit);
  }
}

// A block per row.
void samba::launchNorm(StepBuilder &s, const Matrix &x, const NormOperands &norm, const Matrix &result) {
  int64_t lanes = std::min(lanesOfNorm(x, norm), result.vectorWidth(4)), vectors = x.width / lanes;
  int64_t threads = std::clamp<int64_t>(llvm::PowerOf2Ceil(llvm::divideCeil(vectors, 2)), 32, 256);
  StepBuilder::Spec spec{norm.centred ? "layer_norm" : "rms_norm",
                         llvm::formatv("{0} {1} {2}", x.describe(), describe(norm), result.describe()), threads};
  spec.grid[0].of = x.extent;
  std::vector<LaunchArgument> places{x.base};
  for (const Matrix *matrix : {&norm.weight, &norm.bias})
    if (*matrix)
      places.push_back(matrix->base);
  places.push_back(result.base);
  s.launch(spec, places, [&](GpuEmitter &e, ValueRange arguments) {
    Value row = e.block(0), resultRow = e.mul(row, result.stride);
    NormPointers pointers{arguments[0], norm.weight ? arguments[1] : Value(), norm.bias ? arguments[2] : Value()};
    emitNorm(e, x, norm, pointers, row, lanes, [&](ValueRange values, Value column) {
      e.store(values, arguments.back(), result.element, e.add(resultRow, column));
    });
  });
}
