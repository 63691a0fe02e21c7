//===- Rotary.cpp - rotary position embedding -----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/Operations.h"

#include <cmath>

using namespace llvm;

namespace samba::reference {

namespace {
constexpr int64_t kMaxTokens = int64_t(1) << 24;
}

template <class F>
Expected<Tensor<F>> rotaryTable(const IntTensor &segments, const IntTensor &positions, int64_t headDim, double theta,
                                bool narrowAngles) {
  if (headDim < 2 || headDim % 2)
    return makeError("expected an even positive head dimension, got {0}", headDim);
  int64_t tokens = segments.data.empty() ? 0 : segments.data.back();
  // Nothing else bounds the size of the table.
  if (tokens > kMaxTokens)
    return makeError("expected at most {0} tokens, got {1}", kMaxTokens, tokens);
  Expected<int64_t> sequences = checkSegments(segments, tokens);
  if (!sequences)
    return sequences.takeError();
  if (Error error = checkPositions(positions, segments, *sequences))
    return error;

  Tensor<F> table({tokens, headDim});
  for (int64_t s = 0; s < *sequences; ++s)
    for (int64_t t = segments.data[s]; t < segments.data[s + 1]; ++t) {
      int64_t position = positions.data[s] + (t - segments.data[s]);
      for (int64_t i = 0; i < headDim / 2; ++i) {
        double frequency = std::pow(theta, -2.0 * double(i) / double(headDim));
        double angle = narrowAngles ? float(position) * float(frequency) : double(position) * frequency;
        table(t, i) = F(std::cos(angle));
        table(t, headDim / 2 + i) = F(std::sin(angle));
      }
    }
  return table;
}

template <class F> Expected<Tensor<F>> rotary(const Tensor<F> &x, const Tensor<F> &table, bool roundProducts) {
  if (Error error = checkRank("x", x.shape, 2))
    return error;
  if (Error error = checkRank("table", table.shape, 2))
    return error;
  int64_t tokens = x.shape[0], headDim = table.shape[1];
  if (Error error = checkShape("table", table.shape, {tokens, headDim}))
    return error;
  if (headDim < 2 || headDim % 2 || x.shape[1] % headDim)
    return makeError("expected an even head dimension that divides the width of x, {0}; got {1}", x.shape[1], headDim);

  int64_t heads = x.shape[1] / headDim, half = headDim / 2;
  auto round = [&](F value) { return roundProducts ? toBf16(value) : value; };
  Tensor<F> y(x.shape);
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t h = 0; h < heads; ++h)
      for (int64_t i = 0; i < half; ++i) {
        F c = table(t, i), s = table(t, half + i);
        F a = x(t, h * headDim + i), b = x(t, h * headDim + i + half);
        y(t, h * headDim + i) = round(round(a * c) - round(b * s));
        y(t, h * headDim + i + half) = round(round(a * s) + round(b * c));
      }
  return y;
}

#define INSTANTIATE(F)                                                                                                 \
  template Expected<Tensor<F>> rotaryTable(const IntTensor &, const IntTensor &, int64_t, double, bool);               \
  template Expected<Tensor<F>> rotary(const Tensor<F> &, const Tensor<F> &, bool);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

} // namespace samba::reference
