//===- Attention.cpp - sliding-window attention ---------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/Operations.h"

#include <algorithm>
#include <cmath>

using namespace llvm;

namespace samba::reference {

template <class F>
Expected<AttentionOutputs<F>> slidingWindowAttention(const Tensor<F> &q, const Tensor<F> &k, const Tensor<F> &v,
                                                     const IntTensor &segments, const IntTensor &positions,
                                                     const StateBatch<F> &keys, const StateBatch<F> &values,
                                                     ArrayRef<int64_t> ringShape, bool windowed) {
  if (Error error = checkRank("the ring", ringShape, 3))
    return error;
  int64_t kvHeads = ringShape[0], slots = ringShape[1], headDim = ringShape[2];
  if (kvHeads < 1 || slots < 1 || headDim < 1)
    return makeError("expected a ring of positive sizes, got {0}", shapeText(ringShape));
  if (Error error = checkRank("q", q.shape, 2))
    return error;
  int64_t tokens = q.shape[0], heads = q.shape[1] / headDim;
  if (q.shape[1] % (kvHeads * headDim))
    return makeError("expected q of a width that is a multiple of {0}, got {1}", kvHeads * headDim, q.shape[1]);
  if (Error error = checkShape("k", k.shape, {tokens, kvHeads * headDim}))
    return error;
  if (Error error = checkShape("v", v.shape, {tokens, kvHeads * headDim}))
    return error;
  Expected<int64_t> sequences = checkSegments(segments, tokens);
  if (!sequences)
    return sequences.takeError();
  if (Error error = checkPositions(positions, segments, *sequences))
    return error;
  if (Error error = checkStates("key_state", keys, *sequences, ringShape))
    return error;
  if (Error error = checkStates("value_state", values, *sequences, ringShape))
    return error;

  AttentionOutputs<F> out{Tensor<F>(q.shape), keys, values};
  F root = std::sqrt(F(headDim));
  for (int64_t s = 0; s < *sequences; ++s) {
    int64_t begin = segments.data[s], length = segments.data[s + 1] - begin, start = positions.data[s];
    if (!windowed && start > slots - length)
      return makeError("expected at most {0} tokens in sequence {1}, the capacity of its state; got {2}", slots, s,
                       start + length);

    // Lane `p` of head `g` at position `j`. The rings are those before the step, so nothing is overwritten yet.
    auto at = [&](const Tensor<F> &rows, const Tensor<F> &ring, int64_t j, int64_t g, int64_t p) {
      return j < start ? ring(g, j % slots, p) : rows(begin + j - start, g * headDim + p);
    };
    for (int64_t t = 0; t < length; ++t) {
      int64_t i = start + t, first = windowed ? std::max<int64_t>(0, i - slots + 1) : 0;
      for (int64_t h = 0; h < heads; ++h) {
        int64_t g = h / (heads / kvHeads);
        std::vector<F> scores(i - first + 1);
        F largest = -INFINITY, sum = 0;
        for (int64_t j = first; j <= i; ++j) {
          F dot = 0;
          for (int64_t p = 0; p < headDim; ++p)
            dot += q(begin + t, h * headDim + p) * at(k, keys.sequences[s], j, g, p);
          scores[j - first] = dot / root;
          largest = std::max(largest, scores[j - first]);
        }
        for (F &score : scores)
          sum += score = std::exp(score - largest);
        for (int64_t p = 0; p < headDim; ++p) {
          F y = 0;
          for (int64_t j = first; j <= i; ++j)
            y += scores[j - first] / sum * at(v, values.sequences[s], j, g, p);
          out.result(begin + t, h * headDim + p) = y;
        }
      }
    }

    for (int64_t t = std::max<int64_t>(0, length - slots); t < length; ++t)
      for (int64_t g = 0; g < kvHeads; ++g)
        for (int64_t p = 0; p < headDim; ++p) {
          int64_t slot = (start + t) % slots;
          out.keys.sequences[s](g, slot, p) = k(begin + t, g * headDim + p);
          out.values.sequences[s](g, slot, p) = v(begin + t, g * headDim + p);
        }
  }
  return out;
}

#define INSTANTIATE(F)                                                                                                 \
  template Expected<AttentionOutputs<F>> slidingWindowAttention(                                                       \
      const Tensor<F> &, const Tensor<F> &, const Tensor<F> &, const IntTensor &, const IntTensor &,                   \
      const StateBatch<F> &, const StateBatch<F> &, ArrayRef<int64_t>, bool);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

} // namespace samba::reference
