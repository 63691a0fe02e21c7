//===- Attention.cpp - attention over rings of keys and values ------------===//
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

namespace {

/// What both kinds of attention check of queries, sequences and states; the number of sequences.
template <class F>
Expected<int64_t> checkAttention(const Tensor<F> &q, const IntTensor &segments, int64_t tokens,
                                 const IntTensor &positions, const StateBatch<F> &keys, const StateBatch<F> &values,
                                 const RingShape &ring) {
  if (Error error = checkRank("q", q.shape, 2))
    return error;
  if (q.shape[1] % (ring.kvHeads * ring.headDim))
    return makeError("expected q of a width that is a multiple of {0}, got {1}", ring.kvHeads * ring.headDim,
                     q.shape[1]);
  Expected<int64_t> sequences = checkSegments(segments, tokens);
  if (!sequences)
    return sequences.takeError();
  if (Error error = checkPositions(positions, segments, *sequences))
    return error;
  if (Error error = checkStates("key_state", keys, *sequences, {ring.kvHeads, ring.slots, ring.headDim}))
    return error;
  if (Error error = checkStates("value_state", values, *sequences, {ring.valueHeads, ring.slots, ring.valueDim()}))
    return error;
  return sequences;
}

/// Row `row` of `result`, from that of q, which sees the keys `first .. last`. `key(j, g, p)` and `value(j, u, p)` are
/// the lane `p` of a head of key or value `j`; `roundWeights`: to bf16.
template <class F, class Key, class Value>
void attend(const Tensor<F> &q, int64_t row, int64_t first, int64_t last, const RingShape &ring, bool roundWeights,
            Key key, Value value, Tensor<F> &result) {
  int64_t heads = q.shape[1] / ring.headDim;
  F root = std::sqrt(F(ring.headDim));
  for (int64_t h = 0; h < heads; ++h) {
    int64_t g = h / (heads / ring.kvHeads), u = g / (ring.kvHeads / ring.valueHeads);
    std::vector<F> scores(last - first + 1);
    F largest = -INFINITY, sum = 0;
    for (int64_t j = first; j <= last; ++j) {
      F dot = 0;
      for (int64_t p = 0; p < ring.headDim; ++p)
        dot += q(row, h * ring.headDim + p) * key(j, g, p);
      scores[j - first] = dot / root;
      largest = std::max(largest, scores[j - first]);
    }
    for (F &score : scores)
      sum += score = std::exp(score - largest);
    for (F &score : scores)
      score = roundWeights ? toBf16(score / sum) : score / sum;
    for (int64_t p = 0; p < ring.valueDim(); ++p) {
      F y = 0;
      for (int64_t j = first; j <= last; ++j)
        y += scores[j - first] * value(j, u, p);
      result(row, h * ring.valueDim() + p) = y;
    }
  }
}

} // namespace

Expected<RingShape> RingShape::of(ArrayRef<int64_t> keys, int64_t valueHeads) {
  if (Error error = checkRank("the ring", keys, 3))
    return error;
  RingShape ring{keys[0], keys[1], keys[2], valueHeads ? valueHeads : keys[0]};
  if (ring.kvHeads < 1 || ring.slots < 1 || ring.headDim < 1)
    return makeError("expected a ring of positive sizes, got {0}", shapeText(keys));
  if (ring.valueHeads < 1 || ring.kvHeads % ring.valueHeads)
    return makeError("expected a number of value heads that divides {0}, got {1}", ring.kvHeads, valueHeads);
  return ring;
}

template <class F>
Expected<AttentionOutputs<F>> slidingWindowAttention(const Tensor<F> &q, const Tensor<F> &k, const Tensor<F> &v,
                                                     const IntTensor &segments, const IntTensor &positions,
                                                     const StateBatch<F> &keys, const StateBatch<F> &values,
                                                     const RingShape &ring, bool windowed, bool roundWeights) {
  if (Error error = checkRank("q", q.shape, 2))
    return error;
  int64_t tokens = q.shape[0], slots = ring.slots, width = ring.kvHeads * ring.headDim;
  Expected<int64_t> sequences = checkAttention(q, segments, tokens, positions, keys, values, ring);
  if (!sequences)
    return sequences.takeError();
  if (Error error = checkShape("k", k.shape, {tokens, width}))
    return error;
  if (Error error = checkShape("v", v.shape, {tokens, width}))
    return error;

  int64_t heads = q.shape[1] / ring.headDim;
  AttentionOutputs<F> out{Tensor<F>({tokens, heads * ring.valueDim()}), keys, values};
  for (int64_t s = 0; s < *sequences; ++s) {
    int64_t begin = segments.data[s], length = segments.data[s + 1] - begin, start = positions.data[s];
    if (!windowed && start > slots - length)
      return makeError("expected at most {0} tokens in sequence {1}, the capacity of its state; got {2}", slots, s,
                       start + length);

    // The rings are those before the step, so nothing is overwritten yet.
    auto key = [&](int64_t j, int64_t g, int64_t p) {
      return j < start ? keys.sequences[s](g, j % slots, p) : k(begin + j - start, g * ring.headDim + p);
    };
    auto value = [&](int64_t j, int64_t u, int64_t p) {
      return j < start ? values.sequences[s](u, j % slots, p) : v(begin + j - start, u * ring.valueDim() + p);
    };
    for (int64_t t = 0; t < length; ++t) {
      int64_t i = start + t, first = windowed ? std::max<int64_t>(0, i - slots + 1) : 0;
      attend(q, begin + t, first, i, ring, roundWeights, key, value, out.result);
    }

    for (int64_t t = std::max<int64_t>(0, length - slots); t < length; ++t)
      for (int64_t column = 0; column < width; ++column) {
        int64_t slot = (start + t) % slots;
        out.keys.sequences[s](column / ring.headDim, slot, column % ring.headDim) = k(begin + t, column);
        out.values.sequences[s](column / ring.valueDim(), slot, column % ring.valueDim()) = v(begin + t, column);
      }
  }
  return out;
}

template <class F>
Expected<Tensor<F>> crossAttention(const Tensor<F> &q, const IntTensor &rows, const IntTensor &segments,
                                   const IntTensor &positions, const StateBatch<F> &keys, const StateBatch<F> &values,
                                   const RingShape &ring, bool roundWeights) {
  if (Error error = checkRank("segments", segments.shape, 1))
    return error;
  int64_t tokens = segments.data.empty() ? 0 : segments.data.back();
  Expected<int64_t> sequences = checkAttention(q, segments, tokens, positions, keys, values, ring);
  if (!sequences)
    return sequences.takeError();
  if (Error error = checkShape("rows", rows.shape, {q.shape[0]}))
    return error;
  Tensor<F> result({q.shape[0], q.shape[1] / ring.headDim * ring.valueDim()});
  for (int64_t r = 0; r < q.shape[0]; ++r) {
    int64_t row = rows.data[r];
    if (row < 0 || row >= tokens)
      return makeError("expected rows between 0 and {0}, the tokens of the step less one; got {1} at {2}", tokens - 1,
                       row, r);
    int64_t s = std::upper_bound(segments.data.begin(), segments.data.end(), row) - segments.data.begin() - 1;
    int64_t position = positions.data[s] + row - segments.data[s];
    if (position >= ring.slots)
      return makeError("expected at most {0} tokens in sequence {1}, the capacity of its state; got {2}", ring.slots, s,
                       position + 1);
    attend(
        q, r, 0, position, ring, roundWeights,
        [&](int64_t j, int64_t g, int64_t p) { return keys.sequences[s](g, j, p); },
        [&](int64_t j, int64_t u, int64_t p) { return values.sequences[s](u, j, p); }, result);
  }
  return result;
}

#define INSTANTIATE(F)                                                                                                 \
  template Expected<AttentionOutputs<F>> slidingWindowAttention(                                                       \
      const Tensor<F> &, const Tensor<F> &, const Tensor<F> &, const IntTensor &, const IntTensor &,                   \
      const StateBatch<F> &, const StateBatch<F> &, const RingShape &, bool, bool);                                    \
  template Expected<Tensor<F>> crossAttention(const Tensor<F> &, const IntTensor &, const IntTensor &,                 \
                                              const IntTensor &, const StateBatch<F> &, const StateBatch<F> &,         \
                                              const RingShape &, bool);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

} // namespace samba::reference
