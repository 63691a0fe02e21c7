//===- AttentionTensor.cpp - attention on tensor cores --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block computes 64 tokens of one sequence for one query head, 16 a warp, and goes through the keys that any of them
// sees in tiles of 64, with an online softmax. Keys of earlier steps come from the ring, those of this step from its
// rows; both are rounded to bf16 on their way to shared memory. Tiles outside of the window are not visited, and only
// tiles on the edges of what is seen are masked.
//
// Row r of a tile lies in chunks of 16 bytes; chunk c of it is at place c xor (r / f mod m), with f rows in 128 bytes
// and m = min(8, chunks of a row), so that the eight rows that ldmatrix reads at once lie in different banks.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/AttentionKeys.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include <cmath>

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kTokens = 64, kKeys = 64, kThreads = 128, kChunk = 8;
constexpr double kLowest = -1e30; // below every score; finite, so that differences are

class Kernel {
public:
  Kernel(GpuEmitter &e, const AttentionOperands &a, const AttentionArguments &places, ValueRange arguments)
      : e(e), a(a), places(places), arguments(arguments), headDim(a.keys.type.getShape()[2]),
        slots(a.keys.type.getShape()[1]), chunks(headDim / kChunk), rowBytes(headDim * 2), f32(e.b.getF32Type()) {}

  void emit() {
    keysInShared = e.shared(kKeys * rowBytes);
    valuesInShared = e.shared(kKeys * rowBytes);
    Sequence sequence(e, places, arguments, e.block(1));
    Value length = e.sub(sequence.end, sequence.start), first = e.mul(e.block(2), kTokens);
    e.when(e.less(first, length), [&] { attend(sequence, first, length); });
  }

private:
  struct State {
    SmallVector<Value> sums;           // of values, [headDim / 8][4]
    SmallVector<Value> largest, total; // of the two rows of a thread
  };

  void attend(Sequence &sequence, Value first, Value length) {
    int64_t group = a.q.width / headDim / a.keys.type.getShape()[0];
    Value head = e.block(0), keyHead = e.divFloor(head, group);
    Value last = e.sub(e.minimum(e.add(first, kTokens), length), e.index(1));
    loadQueries(sequence, head, first, last);

    // Keys are counted from the first token of the step: those before it are in the ring.
    Value older = sequence.olderKeys(first, slots, a.windowed);
    Value slot = sequence.firstSlot(older, slots);
    Value none = e.equal(older, e.index(0));
    Value begin = a.windowed ? e.maximum(e.sub(first, e.index(slots - 1)), e.index(0)) : e.index(0);
    begin = e.select(none, begin, e.sub(e.index(0), older));

    State state;
    state.sums.assign(headDim / 8 * 4, e.scalar(0));
    state.largest.assign(2, e.scalar(kLowest));
    state.total.assign(2, e.scalar(0));
    SmallVector<Value> carried =
        e.loop(begin, e.add(last, 1), kKeys, flatten(state), [&](Value tile, ValueRange values) {
          State state = unflatten(values);
          e.barrier(); // the tile before is used up
          copyTile(sequence, keyHead, tile, begin, slot, last);
          e.barrier();
          SmallVector<Value> scores = computeScores();
          scores = maskEdges(scores, first, last, tile);
          accumulate(state, scores);
          return flatten(state);
        });
    store(unflatten(carried), sequence, head, first, length);
  }

  /// This thread's rows of the warp's 16: one of the first eight, and the one eight below.
  Value ownToken(Value first, int64_t half) {
    return e.add(e.add(first, e.mul(e.warp(), 16)), e.add(e.divFloor(e.lane(), 4), half * 8));
  }

  /// As the first operand of products, scaled for scores to the base 2.
  void loadQueries(Sequence &sequence, Value head, Value first, Value last) {
    Value scale = e.scalar(kLog2E / std::sqrt(double(headDim)));
    Value rows[2];
    for (int64_t half = 0; half < 2; ++half) {
      Value row = e.add(sequence.start, e.minimum(ownToken(first, half), last));
      rows[half] = e.add(e.mul(row, a.q.stride), e.mul(head, headDim));
    }
    Value column = e.mul(e.bitAnd(e.lane(), 3), 2);
    for (int64_t step = 0; step < headDim / 16; ++step) {
      SmallVector<Value> words;
      for (int64_t k = 0; k < 2; ++k)
        for (Value row : rows) {
          SmallVector<Value> pair =
              e.load(arguments[places.q], a.q.element, e.add(e.add(row, column), step * 16 + k * 8), 2);
          words.push_back(e.packPair(e.mulf(pair[0], scale), e.mulf(pair[1], scale)));
        }
      queries.push_back(words);
    }
  }

  Value placeOf(Value row, Value chunk) {
    int64_t rowsOfLine = std::max<int64_t>(1, 128 / rowBytes), mask = std::min<int64_t>(8, chunks) - 1;
    Value permutation = e.bitAnd(e.divFloor(row, rowsOfLine), mask);
    return e.add(e.mul(row, rowBytes), e.mul(e.bitXor(chunk, permutation), 16));
  }

  /// A thread takes half a chunk, which is 16 bytes in f32, so that neighbours read whole sectors.
  void copyTile(Sequence &sequence, Value keyHead, Value tile, Value begin, Value slot, Value last) {
    constexpr int64_t kPart = kChunk / 2;
    int64_t parts = headDim / kPart, perRound = kThreads / parts;
    Value part = e.remainder(e.thread(), parts), lane = e.mul(part, kPart);
    Value chunk = e.shiftRight(part, 1), inChunk = e.mul(e.bitAnd(part, 1), kPart * 2);
    Value ring = e.mul(keyHead, slots * headDim), column = e.add(e.mul(keyHead, headDim), lane);
    for (int64_t round = 0; round < kKeys / perRound; ++round) {
      Value row = e.add(e.divFloor(e.thread(), parts), round * perRound), target = e.add(placeOf(row, chunk), inChunk);
      Value key = e.minimum(e.add(tile, row), last), isOlder = e.less(key, e.index(0));
      Value place = e.add(slot, e.sub(key, begin));
      place = e.select(e.less(place, e.index(slots)), place, e.sub(place, e.index(slots)));
      Value inRing = e.add(e.add(ring, e.mul(place, headDim)), lane), keyRow = e.add(sequence.start, key);
      auto copy = [&](const Matrix &matrix, Value pointer, Value older, Value memory) {
        Value own = e.add(e.mul(keyRow, matrix.stride), column);
        Value from = e.select(isOlder, e.address(older, f32, inRing), e.address(pointer, f32, own));
        SmallVector<Value> values = e.load(from, f32, e.index(0), kPart);
        e.store(values, e.address(memory, e.b.getI8Type(), target), e.b.getBF16Type(), e.index(0));
      };
      copy(a.k, arguments[places.k], sequence.keys, keysInShared);
      copy(a.v, arguments[places.v], sequence.values, valuesInShared);
    }
  }

  /// Of 16 tokens and 64 keys: [8][4].
  SmallVector<Value> computeScores() {
    SmallVector<Value> scores(kKeys / 8 * 4, e.scalar(0));
    Value lane = e.lane();
    Value row = e.add(e.bitAnd(lane, 7), e.mul(e.shiftRight(lane, 4), 8)), half = e.bitAnd(e.shiftRight(lane, 3), 1);
    for (int64_t step = 0; step < headDim / 16; ++step)
      for (int64_t n = 0; n < kKeys / 8; n += 2) {
        Value from = e.address(keysInShared, e.b.getI8Type(), placeOf(e.add(row, n * 8), e.add(half, step * 2)));
        SmallVector<Value> two = e.loadMatrices(from, 4);
        for (int64_t i = 0; i < 2; ++i)
          e.multiplyAccumulate(queries[step], ArrayRef<Value>(two).slice(2 * i, 2),
                               MutableArrayRef<Value>(scores).slice((n + i) * 4, 4));
      }
    return scores;
  }

  /// A token sees the keys up to its own, and of those the last `slots`.
  SmallVector<Value> maskEdges(ArrayRef<Value> scores, Value first, Value last, Value tile) {
    Value edge = e.less(first, e.add(tile, kKeys - 1));
    if (a.windowed) {
      Value before = e.less(tile, e.sub(last, e.index(slots - 1)));
      edge = arith::OrIOp::create(e.b, e.loc, edge, before);
    }
    auto op = scf::IfOp::create(
        e.b, e.loc, edge,
        [&](OpBuilder &, Location) {
          SmallVector<Value> masked(scores);
          Value column = e.add(tile, e.mul(e.bitAnd(e.lane(), 3), 2));
          for (int64_t half = 0; half < 2; ++half) {
            Value token = ownToken(first, half);
            for (int64_t n = 0; n < kKeys / 8; ++n)
              for (int64_t i = 0; i < 2; ++i) {
                Value key = e.add(column, n * 8 + i), seen = e.less(key, e.add(token, 1));
                if (a.windowed)
                  seen = e.both(seen, e.less(e.sub(token, key), e.index(slots)));
                Value &score = masked[n * 4 + half * 2 + i];
                score = e.select(seen, score, e.scalar(kLowest));
              }
          }
          scf::YieldOp::create(e.b, e.loc, masked);
        },
        [&](OpBuilder &, Location) { scf::YieldOp::create(e.b, e.loc, scores); });
    return llvm::to_vector_of<Value>(op.getResults());
  }

  void accumulate(State &state, ArrayRef<Value> scores) {
    SmallVector<Value> weights(scores);
    for (int64_t half = 0; half < 2; ++half) {
      Value largest = state.largest[half];
      for (int64_t n = 0; n < kKeys / 8; ++n)
        for (int64_t i = 0; i < 2; ++i)
          largest = e.maxf(largest, scores[n * 4 + half * 2 + i]);
      largest = e.warpMaximum(largest, 4);
      // Until a key is seen nothing counts: the difference of two lowest is not to become a weight of one.
      Value base = e.maxf(largest, e.scalar(kLowest / 2));
      Value keep = e.exp2(e.subf(state.largest[half], base)), total = e.mulf(state.total[half], keep);
      for (int64_t n = 0; n < kKeys / 8; ++n)
        for (int64_t i = 0; i < 2; ++i) {
          Value &weight = weights[n * 4 + half * 2 + i];
          weight = e.exp2(e.subf(weight, base));
          total = e.addf(total, weight);
        }
      state.largest[half] = largest;
      state.total[half] = total;
      for (int64_t n = 0; n < headDim / 8; ++n)
        for (int64_t i = 0; i < 2; ++i)
          state.sums[n * 4 + half * 2 + i] = e.mulf(state.sums[n * 4 + half * 2 + i], keep);
    }
    Value lane = e.lane(), row = e.bitAnd(lane, 15), half = e.shiftRight(lane, 4);
    for (int64_t step = 0; step < kKeys / 16; ++step) {
      SmallVector<Value> own; // the scores are where the first operand of the next product is
      for (int64_t n = 0; n < 2; ++n)
        for (int64_t i = 0; i < 2; ++i)
          own.push_back(e.packPair(weights[(2 * step + n) * 4 + 2 * i], weights[(2 * step + n) * 4 + 2 * i + 1]));
      for (int64_t n = 0; n < headDim / 8; n += 2) {
        Value from = e.address(valuesInShared, e.b.getI8Type(), placeOf(e.add(row, step * 16), e.add(half, n)));
        SmallVector<Value> two = e.loadMatrices(from, 4, /*transposed=*/true);
        for (int64_t i = 0; i < 2; ++i)
          e.multiplyAccumulate(own, ArrayRef<Value>(two).slice(2 * i, 2),
                               MutableArrayRef<Value>(state.sums).slice((n + i) * 4, 4));
      }
    }
  }

  /// A thread has four bytes of a row for each eight lanes of the head, and four threads have such a piece of the row.
  /// Of two pieces the threads of an even row take the first and those of the odd row below it the second, for the one
  /// row and then for the other: so eight threads write a sector.
  void store(const State &state, Sequence &sequence, Value head, Value first, Value length) {
    Value isOdd = e.equal(e.bitAnd(e.shiftRight(e.lane(), 2), 1), e.index(1));
    Value column = e.add(e.mul(head, headDim), e.mul(e.bitAnd(e.lane(), 3), 2));
    column = e.add(column, e.select(isOdd, e.index(8), e.index(0)));
    for (int64_t half = 0; half < 2; ++half) {
      Value token = ownToken(first, half), factor = e.reciprocal(e.warpSum(state.total[half], 4));
      Value even = e.sub(token, e.select(isOdd, e.index(1), e.index(0)));
      for (int64_t n = 0; n < headDim / 8; n += 2) {
        auto piece = [&](int64_t n) {
          ArrayRef<Value> pair = ArrayRef<Value>(state.sums).slice(n * 4 + half * 2, 2);
          return e.packPair(e.mulf(pair[0], factor), e.mulf(pair[1], factor));
        };
        Value one = piece(n), two = piece(n + 1);
        Value other = e.shuffleXor(e.select(isOdd, one, two), 4);
        for (int64_t odd = 0; odd < 2; ++odd) {
          Value row = e.add(even, odd), word = odd ? e.select(isOdd, two, other) : e.select(isOdd, other, one);
          e.when(e.less(row, length), [&] {
            Value place = e.add(e.mul(e.add(sequence.start, row), a.result.stride), e.add(column, n * 8));
            e.storeRaw(word, e.address(arguments[places.result], a.result.element, place), 4);
          });
        }
      }
    }
  }

  SmallVector<Value> flatten(const State &state) {
    SmallVector<Value> values(state.sums);
    llvm::append_range(values, state.largest);
    llvm::append_range(values, state.total);
    return values;
  }

  State unflatten(ValueRange values) {
    size_t sums = values.size() - 4;
    return {SmallVector<Value>(values.take_front(sums)), SmallVector<Value>(values.slice(sums, 2)),
            SmallVector<Value>(values.slice(sums + 2, 2))};
  }

  GpuEmitter &e;
  const AttentionOperands &a;
  const AttentionArguments &places;
  ValueRange arguments;
  int64_t headDim, slots, chunks, rowBytes;
  Type f32;
  Value keysInShared, valuesInShared;
  SmallVector<SmallVector<Value>> queries; // for each 16 lanes of the head
};

} // namespace

// A result that is stored rounded says that the model is one of bf16: nothing else gives up the precision of f32.
bool samba::fitsAttentionTensor(const StepBuilder &s, const AttentionOperands &a) {
  int64_t headDim = a.keys.type.getShape()[2];
  bool knownHead = headDim == 16 || headDim == 32 || headDim == 64 || headDim == 128;
  auto isAligned = [](const Matrix &matrix) { return matrix.element.isF32() && matrix.vectorWidth(4) == 4; };
  return !s.isDecode() && a.result.element.isBF16() && knownHead && isAligned(a.q) && isAligned(a.k) &&
         isAligned(a.v) && a.result.vectorWidth(2) == 2;
}

void samba::launchAttentionTensor(StepBuilder &s, const AttentionOperands &attention) {
  AttentionArguments places(attention);
  StepBuilder::Spec spec{"attention_tensor", describe(attention), kThreads};
  spec.grid[0].times = attention.q.width / attention.keys.type.getShape()[2];
  spec.grid[1].of = Extent::Sequences;
  spec.grid[2] = {Extent::Longest, kTokens};
  s.launch(spec, places.list,
           [&](GpuEmitter &e, ValueRange arguments) { Kernel(e, attention, places, arguments).emit(); });
}
