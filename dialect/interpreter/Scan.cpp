//===- Scan.cpp - selective scan ------------------------------------------===//
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

template <class F> Error checkScanShapes(const ScanInputs<F> &in) {
  if (Error error = checkRank("u", in.u.shape, 2))
    return error;
  if (Error error = checkRank("A", in.A.shape, 2))
    return error;
  int64_t tokens = in.u.shape[0], channels = in.u.shape[1], states = in.A.shape[1];
  if (Error error = checkShape("delta", in.delta.shape, {tokens, channels}))
    return error;
  if (Error error = checkShape("A", in.A.shape, {channels, states}))
    return error;
  if (Error error = checkShape("B", in.B.shape, {tokens, states}))
    return error;
  if (Error error = checkShape("C", in.C.shape, {tokens, states}))
    return error;
  if (in.D)
    if (Error error = checkShape("D", in.D->shape, {channels}))
      return error;
  if (in.deltaBias)
    if (Error error = checkShape("delta_bias", in.deltaBias->shape, {channels}))
      return error;
  if (in.z)
    return checkShape("z", in.z->shape, {tokens, channels});
  return Error::success();
}

/// What is left of exp(-|v|) after it was added to 1 in f32.
template <class F> F plainSoftplus(F v) {
  float sum = 1.0f + float(std::exp(-std::abs(v)));
  return std::max(v, F(0)) + std::log1p(F(sum - 1.0f));
}

} // namespace

template <class F>
Expected<Stepped<F>> selectiveScan(const ScanInputs<F> &in, const IntTensor &segments, const StateBatch<F> &state) {
  if (Error error = checkScanShapes(in))
    return error;
  int64_t tokens = in.u.shape[0], channels = in.u.shape[1], states = in.A.shape[1];
  Expected<int64_t> sequences = checkSegments(segments, tokens);
  if (!sequences)
    return sequences.takeError();
  if (Error error = checkStates("state", state, *sequences, {states, channels}))
    return error;

  auto round = [&](F value) { return in.roundOutput ? toBf16(value) : value; };
  Stepped<F> out{Tensor<F>(in.u.shape), state};
  for (int64_t s = 0; s < *sequences; ++s) {
    Tensor<F> &h = out.state.sequences[s];
    for (int64_t t = segments.data[s]; t < segments.data[s + 1]; ++t)
      for (int64_t c = 0; c < channels; ++c) {
        F dt = in.delta(t, c);
        if (in.deltaBias)
          dt += in.deltaBias->data[c];
        if (in.deltaSoftplus)
          dt = in.plainLog ? plainSoftplus(dt) : softplus(dt);
        F y = 0;
        for (int64_t n = 0; n < states; ++n) {
          h(n, c) = std::exp(dt * in.A(c, n)) * h(n, c) + dt * in.u(t, c) * in.B(t, n);
          y += in.C(t, n) * round(h(n, c));
        }
        y = round(y);
        if (in.D)
          y = round(y + round(round(in.D->data[c]) * in.u(t, c)));
        if (in.z)
          y = round(y * round(silu((*in.z)(t, c))));
        out.result(t, c) = y;
      }
  }
  return out;
}

#define INSTANTIATE(F)                                                                                                 \
  template Expected<Stepped<F>> selectiveScan(const ScanInputs<F> &, const IntTensor &, const StateBatch<F> &);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

} // namespace samba::reference
