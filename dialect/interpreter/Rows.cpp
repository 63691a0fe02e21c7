//===- Rows.cpp - operations that look at one row at a time ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/Operations.h"

#include "llvm/ADT/APFloat.h"
#include <algorithm>
#include <cmath>

using namespace llvm;

namespace samba::reference {

namespace {

/// Rows of `source`, one for each index; `what` and `of` name them in the message.
template <class F>
Expected<Tensor<F>> selectRows(const Tensor<F> &source, const IntTensor &indices, StringRef what, StringRef of) {
  if (Error error = checkRank(of, source.shape, 2))
    return error;
  if (Error error = checkRank(what, indices.shape, 1))
    return error;
  int64_t rows = source.shape[0], width = source.shape[1];
  Tensor<F> y({indices.shape[0], width});
  for (int64_t t = 0; t < indices.shape[0]; ++t) {
    int64_t row = indices.data[t];
    if (row < 0 || row >= rows)
      return makeError("expected {0} between 0 and {1}, the rows of {2} less one; got {3} at {4}", what, rows - 1, of,
                       row, t);
    for (int64_t i = 0; i < width; ++i)
      y(t, i) = source(row, i);
  }
  return y;
}

} // namespace

template <class F> F silu(F v) { return v / (1 + std::exp(-v)); }

template <class F> F toBf16(F v) {
  APFloat number(v);
  bool lossy;
  number.convert(APFloat::BFloat(), APFloat::rmNearestTiesToEven, &lossy);
  number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
  return F(number.convertToDouble());
}

template <class F> F softplus(F v) { return std::max(v, F(0)) + std::log1p(std::exp(-std::abs(v))); }

template <class F> Expected<Tensor<F>> embedding(const IntTensor &tokens, const Tensor<F> &table) {
  return selectRows(table, tokens, "tokens", "table");
}

template <class F> Expected<Tensor<F>> gatherRows(const Tensor<F> &x, const IntTensor &rows) {
  return selectRows(x, rows, "rows", "x");
}

template <class F> Expected<Tensor<F>> rmsNorm(const Tensor<F> &x, const Tensor<F> *weight, F eps) {
  if (Error error = checkRank("x", x.shape, 2))
    return error;
  int64_t tokens = x.shape[0], width = x.shape[1];
  if (weight)
    if (Error error = checkShape("weight", weight->shape, {width}))
      return error;
  Tensor<F> y(x.shape);
  for (int64_t t = 0; t < tokens; ++t) {
    F squares = 0;
    for (int64_t j = 0; j < width; ++j)
      squares += x(t, j) * x(t, j);
    F root = std::sqrt(squares / F(width) + eps);
    for (int64_t i = 0; i < width; ++i)
      y(t, i) = x(t, i) / root * (weight ? weight->data[i] : F(1));
  }
  return y;
}

template <class F>
Expected<Tensor<F>> layerNorm(const Tensor<F> &x, const Tensor<F> &weight, const Tensor<F> *bias, F eps) {
  if (Error error = checkRank("x", x.shape, 2))
    return error;
  int64_t tokens = x.shape[0], width = x.shape[1];
  if (Error error = checkShape("weight", weight.shape, {width}))
    return error;
  if (bias)
    if (Error error = checkShape("bias", bias->shape, {width}))
      return error;
  Tensor<F> y(x.shape);
  for (int64_t t = 0; t < tokens; ++t) {
    F sum = 0, squares = 0;
    for (int64_t j = 0; j < width; ++j)
      sum += x(t, j);
    F mean = sum / F(width);
    for (int64_t j = 0; j < width; ++j)
      squares += (x(t, j) - mean) * (x(t, j) - mean);
    F root = std::sqrt(squares / F(width) + eps);
    for (int64_t i = 0; i < width; ++i)
      y(t, i) = (x(t, i) - mean) / root * weight.data[i] + (bias ? bias->data[i] : F(0));
  }
  return y;
}

template <class F>
Expected<Tensor<F>> differentialNorm(const Tensor<F> &x, const Tensor<F> &lambda, const Tensor<F> &weight,
                                     int64_t depth, int64_t pairs, F eps) {
  if (Error error = checkRank("x", x.shape, 2))
    return error;
  if (Error error = checkRank("weight", weight.shape, 1))
    return error;
  if (Error error = checkRank("lambda", lambda.shape, 1))
    return error;
  int64_t tokens = x.shape[0], width = x.shape[1], lanes = weight.shape[0], size = lambda.shape[0] / 4;
  if (pairs < 1 || lanes < 1 || width % (2 * pairs * lanes))
    return makeError("expected x to have a multiple of {0} heads of {1} lanes, got a width of {2}", 2 * pairs, lanes,
                     width);
  if (Error error = checkShape("lambda", lambda.shape, {4 * size}))
    return error;
  F first = 0, second = 0;
  for (int64_t p = 0; p < size; ++p) {
    first += lambda.data[p] * lambda.data[size + p];
    second += lambda.data[2 * size + p] * lambda.data[3 * size + p];
  }
  F start = F(0.8) - F(0.6) * std::exp(F(-0.3) * F(depth));
  F factor = std::exp(first) - std::exp(second) + start;
  Tensor<F> y({tokens, width / 2});
  std::vector<F> difference(lanes);
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t pair = 0; pair < width / (2 * lanes); ++pair) {
      int64_t head = pair / pairs * 2 * pairs + pair % pairs;
      F squares = 0;
      for (int64_t i = 0; i < lanes; ++i) {
        difference[i] = x(t, head * lanes + i) - factor * x(t, (head + pairs) * lanes + i);
        squares += difference[i] * difference[i];
      }
      F root = std::sqrt(squares / F(lanes) + eps);
      for (int64_t i = 0; i < lanes; ++i)
        y(t, pair * lanes + i) = difference[i] / root * weight.data[i] * (1 - start);
    }
  return y;
}

template <class F> Expected<Tensor<F>> linear(const Tensor<F> &x, const Tensor<F> &weight, const Tensor<F> *bias) {
  if (Error error = checkRank("x", x.shape, 2))
    return error;
  if (Error error = checkRank("weight", weight.shape, 2))
    return error;
  int64_t tokens = x.shape[0], inputs = x.shape[1], outputs = weight.shape[0];
  if (Error error = checkShape("weight", weight.shape, {outputs, inputs}))
    return error;
  if (bias)
    if (Error error = checkShape("bias", bias->shape, {outputs}))
      return error;
  Tensor<F> y({tokens, outputs});
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t n = 0; n < outputs; ++n) {
      F sum = 0;
      for (int64_t k = 0; k < inputs; ++k)
        sum += x(t, k) * weight(n, k);
      y(t, n) = bias ? sum + bias->data[n] : sum;
    }
  return y;
}

template <class F> Expected<Tensor<F>> swiglu(const Tensor<F> &gate, const Tensor<F> &up) {
  if (Error error = checkRank("gate", gate.shape, 2))
    return error;
  if (Error error = checkShape("up", up.shape, gate.shape))
    return error;
  Tensor<F> y(gate.shape);
  for (size_t i = 0; i < y.data.size(); ++i)
    y.data[i] = silu(gate.data[i]) * up.data[i];
  return y;
}

template <class F> Expected<Tensor<F>> quantizeRows(const Tensor<F> &x, int64_t group) {
  if (Error error = checkRank("x", x.shape, 2))
    return error;
  Tensor<F> y(x.shape);
  for (int64_t t = 0; t < x.shape[0]; ++t)
    for (int64_t first = 0; first < x.shape[1]; first += group) {
      int64_t last = std::min(first + group, x.shape[1]);
      F largest = 0;
      for (int64_t k = first; k < last; ++k)
        largest = std::max(largest, std::abs(x(t, k)));
      F scale = largest / 127;
      for (int64_t k = first; k < last; ++k)
        y(t, k) = scale == 0 ? F(0) : scale * std::nearbyint(x(t, k) / scale);
    }
  return y;
}

#define INSTANTIATE(F)                                                                                                 \
  template F silu(F);                                                                                                  \
  template F softplus(F);                                                                                              \
  template F toBf16(F);                                                                                                \
  template Expected<Tensor<F>> embedding(const IntTensor &, const Tensor<F> &);                                        \
  template Expected<Tensor<F>> gatherRows(const Tensor<F> &, const IntTensor &);                                       \
  template Expected<Tensor<F>> layerNorm(const Tensor<F> &, const Tensor<F> &, const Tensor<F> *, F);                  \
  template Expected<Tensor<F>> differentialNorm(const Tensor<F> &, const Tensor<F> &, const Tensor<F> &, int64_t,      \
                                                int64_t, F);                                                           \
  template Expected<Tensor<F>> rmsNorm(const Tensor<F> &, const Tensor<F> *, F);                                       \
  template Expected<Tensor<F>> linear(const Tensor<F> &, const Tensor<F> &, const Tensor<F> *);                        \
  template Expected<Tensor<F>> swiglu(const Tensor<F> &, const Tensor<F> &);                                           \
  template Expected<Tensor<F>> quantizeRows(const Tensor<F> &, int64_t);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

} // namespace samba::reference
