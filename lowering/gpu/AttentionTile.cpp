//===- AttentionTile.cpp - attention by tiles -----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/AttentionTile.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include <cmath>

using namespace mlir;
using namespace samba;

static constexpr double kLowest = -1e30; // below every score; finite, so that differences are

AttentionTile::State AttentionTile::start() {
  State state;
  state.sums.assign(valueDim / 8 * 4, e.scalar(0));
  state.largest.assign(2, e.scalar(kLowest));
  state.total.assign(2, e.scalar(0));
  return state;
}

SmallVector<Value> AttentionTile::flatten(const State &state) {
  SmallVector<Value> values(state.sums);
  llvm::append_range(values, state.largest);
  llvm::append_range(values, state.total);
  return values;
}

AttentionTile::State AttentionTile::unflatten(ValueRange values) {
  size_t sums = values.size() - 4;
  return {SmallVector<Value>(values.take_front(sums)), SmallVector<Value>(values.slice(sums, 2)),
          SmallVector<Value>(values.slice(sums + 2, 2))};
}

AttentionTile::Range AttentionTile::rangeOf(Sequence &sequence, Value first, Value length, int64_t tokens) {
  Range range;
  range.first = first;
  range.last = e.sub(e.minimum(e.add(first, tokens), length), e.index(1));
  Value older = sequence.olderKeys(first, slots, a.windowed);
  range.slot = sequence.firstSlot(older, slots);
  Value begin = a.windowed ? e.maximum(e.sub(first, e.index(slots - 1)), e.index(0)) : e.index(0);
  range.begin = e.select(e.equal(older, e.index(0)), begin, e.sub(e.index(0), older));
  return range;
}

Value AttentionTile::keyHead() {
  int64_t group = a.q.width / headDim / a.keys.type.getShape()[0];
  return e.divFloor(e.block(0), group);
}

Value AttentionTile::valueHead() {
  return e.divFloor(keyHead(), a.keys.type.getShape()[0] / a.values.type.getShape()[0]);
}

Value AttentionTile::ownToken(Value first, int64_t half) {
  return e.add(e.add(first, e.mul(e.warp(), 16)), e.add(e.divFloor(e.lane(), 4), half * 8));
}

SmallVector<SmallVector<Value>> AttentionTile::loadQueries(Sequence &sequence, const Range &range) {
  SmallVector<SmallVector<Value>> queries;
  Value scale = e.scalar(kLog2E / std::sqrt(double(headDim)));
  Value rows[2];
  for (int64_t half = 0; half < 2; ++half) {
    Value row = e.add(sequence.start, e.minimum(ownToken(range.first, half), range.last));
    rows[half] = e.add(e.mul(row, a.q.stride), e.mul(e.block(0), headDim));
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
  return queries;
}

// A thread takes half a chunk, which is 16 bytes in f32, so that neighbours
// read whole sectors.
void AttentionTile::copyTile(Sequence &sequence, const Range &range, Value tile, Value thread, int64_t threads,
                             Value keysInShared, Value valuesInShared, PlaceOf placeOf) {
  struct Source {
    const Matrix &matrix;
    Value pointer, ring, memory;
  };
  Source keys{a.k, arguments[places.k], sequence.keys, keysInShared};
  Source values{a.v, arguments[places.v], sequence.values, valuesInShared};
  auto copy = [&](ArrayRef<Source> sources, Value head, int64_t lanes) {
    constexpr int64_t kPart = kChunk / 2;
    int64_t parts = lanes / kPart, perRound = threads / parts;
    Value part = e.remainder(thread, parts), lane = e.mul(part, kPart);
    Value chunk = e.shiftRight(part, 1), inChunk = e.mul(e.bitAnd(part, 1), kPart * 2);
    Value ring = e.mul(head, slots * lanes), column = e.add(e.mul(head, lanes), lane);
    for (int64_t round = 0; round < kKeys / perRound; ++round) {
      Value row = e.add(e.divFloor(thread, parts), round * perRound);
      Value target = e.add(placeOf(row, chunk, lanes), inChunk);
      Value key = e.minimum(e.add(tile, row), range.last), isOlder = e.less(key, e.index(0));
      Value place = e.add(range.slot, e.sub(key, range.begin));
      place = e.select(e.less(place, e.index(slots)), place, e.sub(place, e.index(slots)));
      Value inRing = e.add(e.add(ring, e.mul(place, lanes)), lane), keyRow = e.add(sequence.start, key);
      for (const Source &source : sources) {
        Value own = e.add(e.mul(keyRow, source.matrix.stride), column);
        Value from = e.select(isOlder, e.address(source.ring, f32, inRing), e.address(source.pointer, f32, own));
        SmallVector<Value> loaded = e.load(from, f32, e.index(0), kPart);
        e.store(loaded, e.address(source.memory, e.b.getI8Type(), target), e.b.getBF16Type(), e.index(0));
      }
    }
  };
  if (a.keys.type == a.values.type)
    return copy({keys, values}, keyHead(), headDim);
  copy(keys, keyHead(), headDim);
  copy(values, valueHead(), valueDim);
}

SmallVector<Value> AttentionTile::maskEdges(ArrayRef<Value> scores, const Range &range, Value tile) {
  Value edge = e.less(range.first, e.add(tile, kKeys - 1));
  if (a.windowed) {
    Value before = e.less(tile, e.sub(range.last, e.index(slots - 1)));
    edge = arith::OrIOp::create(e.b, e.loc, edge, before);
  }
  auto op = scf::IfOp::create(
      e.b, e.loc, edge,
      [&](OpBuilder &, Location) {
        SmallVector<Value> masked(scores);
        Value column = e.add(tile, e.mul(e.bitAnd(e.lane(), 3), 2));
        for (int64_t half = 0; half < 2; ++half) {
          Value token = ownToken(range.first, half);
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

SmallVector<Value> AttentionTile::softmax(State &state, ArrayRef<Value> scores) {
  SmallVector<Value> weights(scores);
  for (int64_t half = 0; half < 2; ++half) {
    Value largest = state.largest[half];
    for (int64_t n = 0; n < kKeys / 8; ++n)
      for (int64_t i = 0; i < 2; ++i)
        largest = e.maxf(largest, scores[n * 4 + half * 2 + i]);
    largest = e.warpMaximum(largest, 4);
    // Until a key is seen nothing counts: the difference of two lowest is not
    // to become a weight of one.
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
    for (int64_t n = 0; n < valueDim / 8; ++n)
      for (int64_t i = 0; i < 2; ++i)
        state.sums[n * 4 + half * 2 + i] = e.mulf(state.sums[n * 4 + half * 2 + i], keep);
  }
  return weights;
}

// The scores are where the first operand of the next product is.
SmallVector<Value> AttentionTile::operandOf(ArrayRef<Value> weights, int64_t step) {
  SmallVector<Value> words;
  for (int64_t n = 0; n < 2; ++n)
    for (int64_t i = 0; i < 2; ++i)
      words.push_back(e.packPair(weights[(2 * step + n) * 4 + 2 * i], weights[(2 * step + n) * 4 + 2 * i + 1]));
  return words;
}

// A thread has four bytes of a row for each eight lanes of the head, and four
// threads have such a piece of the row. Of two pieces the threads of an even
// row take the first and those of the odd row below it the second, for the one
// row and then for the other: so eight threads write a sector. In f32 such a
// piece is a sector.
void AttentionTile::store(const State &state, Sequence &sequence, Value first, Value length) {
  Value isOdd = e.equal(e.bitAnd(e.shiftRight(e.lane(), 2), 1), e.index(1));
  Value column = e.add(e.mul(e.block(0), valueDim), e.mul(e.bitAnd(e.lane(), 3), 2));
  if (a.result.element.isF32()) {
    for (int64_t half = 0; half < 2; ++half) {
      Value token = ownToken(first, half), factor = e.reciprocal(e.warpSum(state.total[half], 4));
      Value start = e.add(e.mul(e.add(sequence.start, token), a.result.stride), column);
      e.when(e.less(token, length), [&] {
        for (int64_t n = 0; n < valueDim / 8; ++n) {
          ArrayRef<Value> pair = ArrayRef<Value>(state.sums).slice(n * 4 + half * 2, 2);
          e.store({e.mulf(pair[0], factor), e.mulf(pair[1], factor)}, arguments[places.result], f32,
                  e.add(start, n * 8));
        }
      });
    }
    return;
  }
  column = e.add(column, e.select(isOdd, e.index(8), e.index(0)));
  for (int64_t half = 0; half < 2; ++half) {
    Value token = ownToken(first, half), factor = e.reciprocal(e.warpSum(state.total[half], 4));
    Value even = e.sub(token, e.select(isOdd, e.index(1), e.index(0)));
    for (int64_t n = 0; n < valueDim / 8; n += 2) {
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
