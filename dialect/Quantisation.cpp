//===- Quantisation.cpp - groups of integers with a scale -----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Quantisation.h"

#include <algorithm>
#include <cmath>

namespace {

/// The nearest integer of a small number, ties to even: adding and subtracting 1.5 * 2^23 leaves no room for fractions.
float nearest(float value) { return (value + 12582912.0f) - 12582912.0f; }

float code(float value, float inverse, float low, float high) {
  return std::min(std::max(nearest(value * inverse), low), high);
}

/// The squared error of rounding to multiples of `scale`. Summed in eight lanes, so that compilers can use vectors.
float errorOf(llvm::ArrayRef<float> values, float scale, float low, float high) {
  float inverse = 1 / scale, lanes[8] = {};
  auto square = [&](size_t i) {
    float difference = values[i] - code(values[i], inverse, low, high) * scale;
    return difference * difference;
  };
  size_t i = 0;
  for (; i + 8 <= values.size(); i += 8)
    for (size_t lane = 0; lane < 8; ++lane)
      lanes[lane] += square(i + lane);
  for (; i < values.size(); ++i)
    lanes[i % 8] += square(i);
  float error = 0;
  for (float lane : lanes)
    error += lane;
  return error;
}

void round(llvm::ArrayRef<float> values, float scale, float low, float high, int8_t *codes) {
  float inverse = 1 / scale;
  for (size_t i = 0; i < values.size(); ++i)
    codes[i] = static_cast<int8_t>(static_cast<int32_t>(code(values[i], inverse, low, high)));
}

} // namespace

float samba::quantiseWeights(llvm::ArrayRef<float> values, int64_t bits, int8_t *codes) {
  float extreme = 0;
  for (float value : values) {
    if (!std::isfinite(value)) {
      std::fill(codes, codes + values.size(), 0);
      return value;
    }
    if (std::abs(value) > std::abs(extreme))
      extreme = value;
  }
  if (extreme == 0) {
    std::fill(codes, codes + values.size(), 0);
    return 0;
  }
  if (bits == 8) {
    float scale = std::abs(extreme) / 127;
    round(values, scale, -127, 127, codes);
    return scale;
  }
  float best = 0, smallest = INFINITY;
  for (float target = -8; target <= -5.5f; target += 0.5f) {
    float scale = extreme / target, error = errorOf(values, scale, -8, 7);
    if (error < smallest) {
      smallest = error;
      best = scale;
    }
  }
  round(values, best, -8, 7, codes);
  return best;
}
