//===- AttentionTensor.cpp - attention on tensor cores --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block computes 64 tokens of one sequence for one query head, 16 a warp, and
// goes through the keys that any of them sees in tiles of 64, with an online
// softmax. Keys of earlier steps come from the ring, those of this step from
// its rows; both are rounded to bf16 on their way to shared memory. Tiles
// outside of the window are not visited, and only tiles on the edges of what is
// seen are masked.
//
// Row r of a tile lies in chunks of 16 bytes; chunk c of it is at place c xor
// (r / f mod m), with f rows in 128 bytes and m = min(8, chunks of a row), so
// that the eight rows that ldmatrix reads at once lie in different banks.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/AttentionTile.h"

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kTokens = 64, kThreads = 128;

class Kernel : AttentionTile {
public:
  Kernel(GpuEmitter &e, const AttentionOperands &a, const AttentionArguments &places, ValueRange arguments)
      : AttentionTile(e, a, places, arguments) {}

  void emit() {
    keysInShared = e.shared(kKeys * headDim * 2);
    valuesInShared = e.shared(kKeys * valueDim * 2);
    Sequence sequence(e, places, arguments, e.block(1));
    Value length = e.sub(sequence.end, sequence.start), first = e.mul(e.block(2), kTokens);
    e.when(e.less(first, length), [&] { attend(sequence, first, length); });
  }

private:
  void attend(Sequence &sequence, Value first, Value length) {
    Range range = rangeOf(sequence, first, length, kTokens);
    queries = loadQueries(sequence, range);
    SmallVector<Value> carried =
        e.loop(range.begin, e.add(range.last, 1), kKeys, flatten(start()), [&](Value tile, ValueRange values) {
          State state = unflatten(values);
          e.barrier(); // the tile before is used up
          copyTile(sequence, range, tile, e.thread(), kThreads, keysInShared, valuesInShared,
                   [&](Value row, Value chunk, int64_t lanes) { return placeOf(row, chunk, lanes); });
          e.barrier();
          SmallVector<Value> scores = computeScores();
          accumulate(state, softmax(state, maskEdges(scores, range, tile)));
          return flatten(state);
        });
    store(unflatten(carried), sequence, first, length);
  }

  Value placeOf(Value row, Value chunk, int64_t lanes) {
    int64_t rowBytes = lanes * 2, chunks = lanes / kChunk;
    int64_t rowsOfLine = std::max<int64_t>(1, 128 / rowBytes), mask = std::min<int64_t>(8, chunks) - 1;
    Value permutation = e.bitAnd(e.divFloor(row, rowsOfLine), mask);
    return e.add(e.mul(row, rowBytes), e.mul(e.bitXor(chunk, permutation), 16));
  }

  /// Of 16 tokens and 64 keys: [8][4].
  SmallVector<Value> computeScores() {
    SmallVector<Value> scores(kKeys / 8 * 4, e.scalar(0));
    Value lane = e.lane();
    Value row = e.add(e.bitAnd(lane, 7), e.mul(e.shiftRight(lane, 4), 8)), half = e.bitAnd(e.shiftRight(lane, 3), 1);
    for (int64_t step = 0; step < headDim / 16; ++step)
      for (int64_t n = 0; n < kKeys / 8; n += 2) {
        Value place = placeOf(e.add(row, n * 8), e.add(half, step * 2), headDim);
        Value from = e.address(keysInShared, e.b.getI8Type(), place);
        SmallVector<Value> two = e.loadMatrices(from, 4);
        for (int64_t i = 0; i < 2; ++i)
          e.multiplyAccumulate(queries[step], ArrayRef<Value>(two).slice(2 * i, 2),
                               MutableArrayRef<Value>(scores).slice((n + i) * 4, 4));
      }
    return scores;
  }

  void accumulate(State &state, ArrayRef<Value> weights) {
    Value lane = e.lane(), row = e.bitAnd(lane, 15), half = e.shiftRight(lane, 4);
    for (int64_t step = 0; step < kKeys / 16; ++step) {
      SmallVector<Value> own = operandOf(weights, step);
      for (int64_t n = 0; n < valueDim / 8; n += 2) {
        Value place = placeOf(e.add(row, step * 16), e.add(half, n), valueDim);
        Value from = e.address(valuesInShared, e.b.getI8Type(), place);
        SmallVector<Value> two = e.loadMatrices(from, 4, /*transposed=*/true);
        for (int64_t i = 0; i < 2; ++i)
          e.multiplyAccumulate(own, ArrayRef<Value>(two).slice(2 * i, 2),
                               MutableArrayRef<Value>(state.sums).slice((n + i) * 4, 4));
      }
    }
  }

  Value keysInShared, valuesInShared;
  SmallVector<SmallVector<Value>> queries;
};

} // namespace

// Only a model of bf16 gives up the precision of f32.
bool samba::fitsAttentionTensor(const StepBuilder &s, const AttentionOperands &a) {
  auto isKnown = [](int64_t lanes) { return lanes == 16 || lanes == 32 || lanes == 64 || lanes == 128; };
  auto isAligned = [](const Matrix &matrix) { return matrix.element.isF32() && matrix.vectorWidth(4) == 4; };
  return !s.isDecode() && a.inBf16 && !a.isCross() && !a.roundWeights && isKnown(a.headDim()) &&
         isKnown(a.valueDim()) && isAligned(a.q) && isAligned(a.k) && isAligned(a.v) && a.result.vectorWidth(2) == 2;
}

void samba::launchAttentionTensor(StepBuilder &s, const AttentionOperands &attention) {
  AttentionArguments places(attention);
  StepBuilder::Spec spec{"attention_tensor", describe(attention), kThreads};
  spec.grid[0].times = attention.q.width / attention.headDim();
  spec.grid[1].of = Extent::Sequences;
  spec.grid[2] = {Extent::Longest, kTokens};
  s.launch(spec, places.list,
           [&](GpuEmitter &e, ValueRange arguments) { Kernel(e, attention, places, arguments).emit(); });
}
