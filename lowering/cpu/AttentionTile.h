//===- AttentionTile.h - attention of a block of queries --------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_CPU_ATTENTIONTILE_H
#define LOWERING_CPU_ATTENTIONTILE_H

#include "lowering/cpu/AttentionRow.h"

namespace samba {

/// Attention of up to `queriesOf(target)` queries of one head at once, with the queries in the lanes of vectors.
///
/// For a block of keys, the scores are the product of the keys (rows, as they lie) with the transposed queries (a
/// panel, packed once): the register tile of a linear. In this orientation the softmax is vertical. The weighted sum
/// of the values is a second product, of the weights (rows) with the values (a panel, as they lie). What is between the
/// products lives in scratch memory of the calling thread, small enough for its first two caches.
class AttentionTile {
public:
  /// Fewer queries than this are better done one by one.
  static constexpr int64_t kFewestQueries = 6;
  static int64_t queriesOf(const CpuTarget &target) { return 2 * target.lanes(); }

  /// Reserves the scratch memory at the start of the function that is being built. Narrow keys and values need more:
  /// a block of them is widened at a time. `roundWeights`: as in emitAttentionRow.
  AttentionTile(Emitter &e, int64_t headDim, int64_t valueDim, bool narrow, bool roundWeights);

  void emit(const AttentionBuffers &buffers, const QueryBlock &block, mlir::ArrayRef<KeyRange> ranges);

private:
  using Value = mlir::Value;

  void packQueries(Value q, const QueryBlock &block);
  /// What a walk over the keys does with them: all at once with a running softmax, or in two walks.
  enum class Walk { Attend, Measure, AddRounded };
  /// Walks over the keys numbered `lower .. upper-1`. The query in lane 0 stands at the key numbered `diagonal`.
  void walk(Walk kind, Value lower, Value upper, Value diagonal, int64_t window, const KeyRange &range);
  void scoreKeys(Value firstKey, Value lastKey, Value blockBegin, Value diagonal, Value upper, int64_t window,
                 const KeySource &keys, const KeyRange &range);
  Value onlyInSight(Value score, int64_t firstLane, Value key, Value diagonal, Value upper, int64_t window);
  /// The numbers `block .. block+count-1` as f32.
  KeySource widen(const KeySource &source, int64_t width, Value block, Value count);
  void weighKeys(Value count);
  void roundKeys(Value count);
  Value onlySeen(Value score, Value weight);
  void addValues(Value firstKey, Value count, const KeySource &values);
  void finish(Value result, const QueryBlock &block);

  Emitter &e;
  int64_t headDim, valueDim, queries, lanes;
  bool roundWeights;
  Value panel;   // [P, queries]: the scaled queries, transposed
  Value scores;  // [keys per block, queries]
  Value sums;    // [queries, V]
  Value running; // [3, queries]: largest score, sum of weights, correction of the sums so far
  Value wide;    // [keys per block, P or V]: narrow keys, and then values; null if there are none
};

} // namespace samba

#endif // LOWERING_CPU_ATTENTIONTILE_H
