//===- Convolution.cpp - depthwise causal convolution ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/Operations.h"

using namespace llvm;

namespace samba::reference {

template <class F>
Expected<Stepped<F>> causalConv1d(const Tensor<F> &x, const Tensor<F> &weight, const Tensor<F> *bias,
                                  const IntTensor &segments, const StateBatch<F> &state, bool activate) {
  if (Error error = checkRank("x", x.shape, 2))
    return error;
  if (Error error = checkRank("weight", weight.shape, 2))
    return error;
  int64_t tokens = x.shape[0], channels = x.shape[1], taps = weight.shape[1];
  if (Error error = checkShape("weight", weight.shape, {channels, taps}))
    return error;
  if (taps < 2)
    return makeError("expected at least 2 taps, got {0}", taps);
  if (bias)
    if (Error error = checkShape("bias", bias->shape, {channels}))
      return error;
  Expected<int64_t> sequences = checkSegments(segments, tokens);
  if (!sequences)
    return sequences.takeError();
  if (Error error = checkStates("state", state, *sequences, {taps - 1, channels}))
    return error;

  Stepped<F> out{Tensor<F>(x.shape), state};
  for (int64_t s = 0; s < *sequences; ++s) {
    int64_t begin = segments.data[s], length = segments.data[s + 1] - begin;
    const Tensor<F> &tail = state.sequences[s];
    // Input `i` of the sequence, counted from the first token of this step; those before it lie in the state.
    auto input = [&](int64_t i, int64_t c) { return i < 0 ? tail(taps - 1 + i, c) : x(begin + i, c); };
    for (int64_t t = 0; t < length; ++t)
      for (int64_t c = 0; c < channels; ++c) {
        F sum = bias ? bias->data[c] : F(0);
        for (int64_t m = 0; m < taps; ++m)
          sum += weight(c, m) * input(t - taps + 1 + m, c);
        out.result(begin + t, c) = activate ? silu(sum) : sum;
      }
    for (int64_t m = 0; m < taps - 1; ++m)
      for (int64_t c = 0; c < channels; ++c)
        out.state.sequences[s](m, c) = input(length - taps + 1 + m, c);
  }
  return out;
}

#define INSTANTIATE(F)                                                                                                 \
  template Expected<Stepped<F>> causalConv1d(const Tensor<F> &, const Tensor<F> &, const Tensor<F> *,                  \
                                             const IntTensor &, const StateBatch<F> &, bool);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

} // namespace samba::reference
