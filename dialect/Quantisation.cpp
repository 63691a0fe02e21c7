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

/// Rounds `values / scale` to integers and returns the squared error.
float round(llvm::ArrayRef<float> values, float scale, float low, float high, int8_t *codes) {
  float inverse = scale == 0 ? 0 : 1 / scale, error = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    float code = std::min(std::max(std::nearbyint(values[i] * inverse), low), high);
    float difference = values[i] - code * scale;
    error += difference * difference;
    codes[i] = static_cast<int8_t>(code);
  }
  return error;
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
  if (bits == 8) {
    float scale = std::abs(extreme) / 127;
    round(values, scale, -127, 127, codes);
    return scale;
  }
  float best = 0, smallest = INFINITY;
  for (float target = -8; target <= -5.5f; target += 0.25f) {
    float scale = extreme / target, error = round(values, scale, -8, 7, codes);
    if (error < smallest) {
      smallest = error;
      best = scale;
    }
  }
  round(values, best, -8, 7, codes);
  return best;
}
