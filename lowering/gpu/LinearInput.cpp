//===- LinearInput.cpp - rows that a product of few rows reads ------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A norm before the product is computed by every block for itself: the row is small, and it saves a launch.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/LinearInput.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

static Type elementOf(const LinearOperands &linear) { return linear.roundedTo ? linear.roundedTo : linear.x.element; }

int64_t RowSource::bytes(const LinearOperands &linear, int64_t count) {
  return count * linear.x.width * (elementOf(linear).getIntOrFloatBitWidth() / 8);
}

/// Normalises a row into shared memory, from `column` of it on.
static void normalise(GpuEmitter &e, const LinearOperands &linear, Value x, Value normWeight, Value row, Value memory,
                      int64_t firstColumn) {
  int64_t width = linear.x.width;
  int64_t lanes = std::min(linear.x.vectorWidth(4), linear.normWeight.vectorWidth(4));
  int64_t vectors = width / lanes, rounds = llvm::divideCeil(vectors, e.threads);
  Value start = e.mul(row, linear.x.stride), sum = e.scalar(0);
  SmallVector<SmallVector<Value>> kept;
  auto columnOf = [&](int64_t round) {
    Value item = e.add(e.thread(), round * e.threads);
    Value inside = (round + 1) * e.threads <= vectors ? Value() : e.less(item, e.index(vectors));
    return std::pair(e.mul(inside ? e.select(inside, item, e.index(0)) : item, lanes), inside);
  };
  for (int64_t round = 0; round < rounds; ++round) {
    auto [column, inside] = columnOf(round);
    kept.push_back(e.load(x, linear.x.element, e.add(start, column), lanes));
    for (Value value : kept.back()) {
      Value counted = inside ? e.select(inside, value, e.scalar(0)) : value;
      sum = e.fma(counted, counted, sum);
    }
  }
  Value mean = e.mulf(e.blockSum(sum), e.scalar(1.0 / width));
  Value scale = e.reciprocalSqrt(e.addf(mean, e.scalar(linear.eps)));
  for (int64_t round = 0; round < rounds; ++round) {
    auto [columnValue, insideValue] = columnOf(round);
    Value column = columnValue, inside = insideValue;
    auto emit = [&] {
      SmallVector<Value> values;
      for (auto [value, factor] : llvm::zip(kept[round], e.load(normWeight, linear.normWeight.element, column, lanes)))
        values.push_back(e.mulf(e.mulf(value, scale), factor));
      e.store(values, memory, elementOf(linear), e.add(column, firstColumn));
    };
    if (inside)
      e.when(inside, emit);
    else
      emit();
  }
}

RowSource::RowSource(GpuEmitter &e, const LinearOperands &linear, const LinearArguments &places, ValueRange arguments,
                     Value firstRow, Value rows, int64_t count)
    : pointer(arguments[places.x]), element(linear.x.element) {
  Value memory = linear.normWeight ? e.shared(bytes(linear, count)) : Value();
  for (int64_t r = 0; r < count; ++r) {
    Value row = count == 1 ? firstRow : e.minimum(e.add(firstRow, r), e.sub(rows, e.index(1)));
    if (!memory) {
      starts.push_back(e.mul(row, linear.x.stride));
      continue;
    }
    normalise(e, linear, arguments[places.x], arguments[places.normWeight], row, memory, r * linear.x.width);
    starts.push_back(e.index(r * linear.x.width));
  }
  if (!memory)
    return;
  e.barrier();
  pointer = memory;
  element = elementOf(linear);
}
