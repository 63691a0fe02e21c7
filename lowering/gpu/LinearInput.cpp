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

#include "lowering/gpu/Norm.h"

using namespace mlir;
using namespace samba;

static Type elementOf(const LinearOperands &linear) { return linear.roundedTo ? linear.roundedTo : linear.x.element; }

int64_t RowSource::bytes(const LinearOperands &linear, int64_t count) {
  return count * linear.x.width * (elementOf(linear).getIntOrFloatBitWidth() / 8);
}

RowSource::RowSource(GpuEmitter &e, const LinearOperands &linear, const LinearArguments &places, ValueRange arguments,
                     Value firstRow, Value rows, int64_t count)
    : pointer(arguments[places.x]), element(linear.x.element) {
  Value memory = linear.norm.weight ? e.shared(bytes(linear, count)) : Value();
  for (int64_t r = 0; r < count; ++r) {
    Value row = count == 1 ? firstRow : e.minimum(e.add(firstRow, r), e.sub(rows, e.index(1)));
    if (!memory) {
      starts.push_back(e.mul(row, linear.x.stride));
      continue;
    }
    int64_t first = r * linear.x.width;
    NormPointers pointers{pointer, arguments[places.normWeight],
                          linear.norm.bias ? arguments[places.normBias] : Value()};
    emitNorm(
        e, linear.x, linear.norm, pointers, row, lanesOfNorm(linear.x, linear.norm),
        [&](ValueRange values, Value column) { e.store(values, memory, elementOf(linear), e.add(column, first)); });
    starts.push_back(e.index(first));
  }
  if (!memory)
    return;
  e.barrier();
  pointer = memory;
  element = elementOf(linear);
}
