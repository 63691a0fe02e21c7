//===- AttentionRows.cpp - attention of single queries --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block computes the query heads of one token that share a key head. A key is read by a group of neighbouring
// threads, each with some of its lanes, so that reads are contiguous; a group runs through every n-th key with an
// online softmax of its own, and the groups' results are merged at the end. Nothing waits for anything in the loop.
// Values may be wider than keys, and shared by neighbouring key heads; of cross-attention all keys are in the ring.
//
// In generation there are as many blocks as key heads and sequences, which may not fill a device. Then the ring is
// split among blocks. Each leaves its largest score, sum and weighted values for each query head, and a second launch
// (AttentionMerge.cpp) makes the result of them; that is the same merge as that of groups and warps.
//
// Weights that are to be rounded have to be known as they are: a first walk over the keys finds the largest score and
// the sum of all, a second one weighs the values. Then a block has the whole ring.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/AttentionKeys.h"

#include <cmath>
#include <functional>

using namespace mlir;
using namespace samba;

namespace {

constexpr double kLowest = -1e30; // below every score; finite, so that differences are

/// How the lanes of a head are divided among threads.
struct Shape {
  Shape(const AttentionOperands &a, bool decode, int64_t sequences)
      : headDim(a.headDim()), valueDim(a.valueDim()), slots(a.keys.type.getShape()[1]),
        keyHeads(a.keys.type.getShape()[0]), sharing(keyHeads / a.values.type.getShape()[0]),
        threads(decode || a.isCross() ? 256 : 128) {
    for (const Matrix *matrix : {&a.q, &a.k, &a.v, &a.result, &a.table})
      if (*matrix)
        vector = std::min(vector, matrix->vectorWidth(4));
    while ((a.table ? headDim / 2 : headDim) % vector != 0 || valueDim % vector != 0)
      vector /= 2;
    int64_t vectors = std::gcd(headDim, valueDim) / vector;
    group = std::min<int64_t>(kWarp, vectors & -vectors);
    rounds = headDim / vector / group;
    valueRounds = valueDim / vector / group;
    int64_t perKeyHead = a.q.width / headDim / keyHeads, lanes = std::max(rounds, valueRounds) * vector;
    heads = perKeyHead;
    while (heads > 1 && (heads * lanes > 32 || heads > 4 || perKeyHead % heads != 0))
      --heads;
    parts = perKeyHead / heads;
    constexpr int64_t kEnoughBlocks = 132, kFewestSlots = 128; // of a device, of a block
    if (decode && !a.roundWeights)
      splits = std::max<int64_t>(
          1, std::min<int64_t>(kEnoughBlocks / (keyHeads * parts * sequences), llvm::divideCeil(slots, kFewestSlots)));
  }
  int64_t headDim, valueDim, slots, keyHeads;
  int64_t sharing;                     // key heads that share a value head
  int64_t threads;                     // of a block
  int64_t vector = 4;                  // neighbouring lanes of a head that a thread has
  int64_t group = 1;                   // threads that share a head
  int64_t rounds = 1, valueRounds = 1; // vectors of a thread
  int64_t heads = 1;                   // query heads of a block
  int64_t parts = 1;                   // blocks that share a key head
  int64_t splits = 1;                  // blocks that share the ring
  int64_t slotsOfSplit() const { return llvm::divideCeil(slots, splits); }
  int64_t groups() const { return threads / group; }
  int64_t values() const { return valueRounds * vector; } // lanes of a value that a thread has
};

/// What a group knows of one query head: the largest score, the sum of the weights and the weighted sum of values.
/// Where the first two are known for good, they are not carried along; in a first walk there are no values.
struct Softmax {
  Value largest, sum;
  SmallVector<Value> values;
};

/// What a walk over the keys is for.
enum class Walk { Online, Totals, Weighted };

class Kernel {
public:
  Kernel(GpuEmitter &e, const Shape &shape, const AttentionOperands &a, const AttentionArguments &places,
         ValueRange arguments, bool decode)
      : e(e), shape(shape), a(a), places(places), arguments(arguments), decode(decode), f32(e.b.getF32Type()) {}

  void emit() {
    keyHead = e.divFloor(e.block(0), shape.parts);
    firstHead =
        e.add(e.mul(keyHead, shape.heads * shape.parts), e.mul(e.remainder(e.block(0), shape.parts), shape.heads));
    split = shape.splits > 1 ? e.block(2) : e.index(0);
    row = e.block(1);
    Value token = a.isCross() ? e.loadIndex(arguments[places.rows], 64, row) : row;
    bool ofSequence = decode && !a.isCross();
    Sequence sequence(e, places, arguments, ofSequence ? row : findSegment(e, arguments[places.segments], token));
    if (!ofSequence)
      return attend(sequence, e.sub(token, sequence.start));
    row = sequence.start;
    e.when(e.less(sequence.start, sequence.end), [&] { attend(sequence, e.index(0)); });
  }

private:
  Value laneOf(int64_t round) {
    return e.mul(e.add(e.bitAnd(e.thread(), shape.group - 1), round * shape.group), shape.vector);
  }

  /// This thread's lanes of something that starts at an element.
  SmallVector<Value> loadLanes(Value pointer, Type element, Value start, int64_t rounds) {
    SmallVector<Value> values;
    for (int64_t round = 0; round < rounds; ++round)
      llvm::append_range(values, e.load(pointer, element, e.add(start, laneOf(round)), shape.vector));
    return values;
  }

  /// The same of a query or key of this token, rotated if it is not yet. A lane's partner is half a head away.
  SmallVector<Value> loadRotated(Value pointer, Type element, Value start) {
    SmallVector<Value> values = loadLanes(pointer, element, start, shape.rounds);
    if (!a.table)
      return values;
    int64_t half = shape.headDim / 2;
    Value angles = e.mul(row, a.table.stride);
    for (int64_t round = 0; round < shape.rounds; ++round) {
      Value lane = laneOf(round), isFirst = e.less(lane, e.index(half));
      Value partner = e.select(isFirst, e.add(lane, half), e.sub(lane, e.index(half)));
      Value angle = e.add(angles, e.select(isFirst, lane, partner));
      SmallVector<Value> others = e.load(pointer, element, e.add(start, partner), shape.vector);
      SmallVector<Value> cosines = e.load(arguments[places.table], a.table.element, angle, shape.vector);
      SmallVector<Value> sines = e.load(arguments[places.table], a.table.element, e.add(angle, half), shape.vector);
      for (int64_t i = 0; i < shape.vector; ++i) {
        Value &value = values[round * shape.vector + i];
        Value turned = e.mulf(others[i], sines[i]);
        value = e.fma(value, cosines[i], e.select(isFirst, e.negf(turned), turned));
      }
    }
    return values;
  }

  /// Keys and values of a walk, by their number.
  struct Keys {
    Value count;
    std::function<SmallVector<Value>(Value key)> key, value;
  };

  /// `token` is that of the query, counted from the first of its sequence.
  void attend(Sequence &sequence, Value token) {
    Value scale = e.scalar(kLog2E / std::sqrt(double(shape.headDim)));
    for (int64_t h = 0; h < shape.heads; ++h) {
      Value start = e.add(e.mul(row, a.q.stride), e.mul(e.add(firstHead, h), shape.headDim));
      queries.push_back(loadRotated(arguments[places.q], a.q.element, start));
      for (Value &value : queries.back())
        value = e.mulf(value, scale);
    }
    Keys inRing = keysInRing(sequence, token), own = ownKeys(sequence, token);
    if (a.roundWeights) {
      walk = Walk::Totals;
      SmallVector<Softmax> state = goThrough(sequence, inRing, own);
      mergeInWarp(state);
      keepTotals(state);
      walk = Walk::Weighted;
    }
    SmallVector<Softmax> state = goThrough(sequence, inRing, own);
    mergeInWarp(state);
    finish(state);
  }

  Keys keysInRing(Sequence &sequence, Value token) {
    // Of cross-attention the ring has the keys of the step as well, and each in the slot of its position.
    Value older = a.isCross() ? e.add(e.add(e.toIndex(sequence.position), token), 1)
                              : sequence.olderKeys(token, shape.slots, a.windowed);
    Value slot = a.isCross() ? e.index(0) : sequence.firstSlot(older, shape.slots), count = older;
    if (shape.splits > 1) {
      Value first = e.mul(split, shape.slotsOfSplit());
      slot = e.add(slot, first);
      count = e.minimum(e.sub(older, first), e.index(shape.slotsOfSplit()));
    }
    auto slotOf = [this, slot](Value key) {
      Value place = e.add(slot, key);
      if (a.isCross())
        return place;
      return e.select(e.less(place, e.index(shape.slots)), place, e.sub(place, e.index(shape.slots)));
    };
    Value keys = sequence.keys, values = sequence.values;
    return {count,
            [=](Value key) {
              return loadLanes(keys, f32, e.add(keyRing(), e.mul(slotOf(key), shape.headDim)), shape.rounds);
            },
            [=](Value key) {
              return loadLanes(values, f32, e.add(valueRing(), e.mul(slotOf(key), shape.valueDim)), shape.valueRounds);
            }};
  }

  /// Those of the step itself.
  Keys ownKeys(Sequence &sequence, Value token) {
    if (a.isCross())
      return {};
    Value first = e.index(0);
    if (a.windowed && !decode)
      first = e.maximum(e.sub(token, e.index(shape.slots - 1)), e.index(0));
    Value firstRow = e.add(sequence.start, first);
    return {e.add(e.sub(token, first), 1),
            [=](Value key) {
              Value start = e.add(e.mul(e.add(firstRow, key), a.k.stride), e.mul(keyHead, shape.headDim));
              return loadRotated(arguments[places.k], a.k.element, start);
            },
            [=](Value key) {
              Value start = e.add(e.mul(e.add(firstRow, key), a.v.stride), e.mul(valueHead(), shape.valueDim));
              return loadLanes(arguments[places.v], a.v.element, start, shape.valueRounds);
            }};
  }

  Value valueHead() { return e.divFloor(keyHead, shape.sharing); }
  Value keyRing() { return e.mul(keyHead, shape.slots * shape.headDim); }
  Value valueRing() { return e.mul(valueHead(), shape.slots * shape.valueDim); }

  SmallVector<Softmax> goThrough(Sequence &sequence, const Keys &inRing, const Keys &own) {
    SmallVector<Softmax> state(shape.heads);
    for (Softmax &softmax : state) {
      if (walk != Walk::Weighted) {
        softmax.largest = e.scalar(kLowest);
        softmax.sum = e.scalar(0);
      }
      if (walk != Walk::Totals)
        softmax.values.assign(shape.values(), e.scalar(0));
    }
    run(state, inRing);
    if (decode && !a.isCross())
      addOwn(state, sequence, own);
    else if (!a.isCross())
      run(state, own);
    return state;
  }

  /// Goes through keys. All threads make the same number of rounds, because they shuffle.
  void run(SmallVector<Softmax> &state, const Keys &keys) {
    SmallVector<Value> carried = flatten(state);
    Value group = e.divFloor(e.thread(), shape.group);
    carried = e.loop(e.index(0), keys.count, shape.groups(), carried, [&](Value first, ValueRange values) {
      SmallVector<Softmax> state = unflatten(values);
      Value key = e.add(first, group), counts = e.less(key, keys.count), read = e.select(counts, key, first);
      SmallVector<Value> k = keys.key(read), v;
      if (walk != Walk::Totals)
        v = keys.value(read);
      update(state, k, v, counts);
      return flatten(state);
    });
    state = unflatten(carried);
  }

  /// In generation one group counts the token's own key, and stores it when it is gone through for the last time.
  void addOwn(SmallVector<Softmax> &state, Sequence &sequence, const Keys &own) {
    SmallVector<Value> key = own.key(e.index(0)), value = own.value(e.index(0));
    Value counts = e.less(e.thread(), e.index(shape.group));
    if (shape.splits > 1)
      counts = e.both(counts, e.equal(split, e.index(0)));
    update(state, key, walk == Walk::Totals ? ArrayRef<Value>() : value, counts);
    if (walk == Walk::Totals)
      return;
    // The slot that the token's key goes to is that of a key which no query sees any more.
    auto write = [&](ArrayRef<Value> lanes, Value ring, Value start, int64_t size, int64_t rounds) {
      start = e.add(start, e.mul(sequence.slotOf(e.index(0), shape.slots), size));
      for (int64_t round = 0; round < rounds; ++round)
        e.store(lanes.slice(round * shape.vector, shape.vector), ring, f32, e.add(start, laneOf(round)));
    };
    Value writes = e.both(counts, e.equal(e.remainder(e.block(0), shape.parts), e.index(0)));
    e.when(writes, [&] {
      write(key, sequence.keys, keyRing(), shape.headDim, shape.rounds);
      auto writeValue = [&] { write(value, sequence.values, valueRing(), shape.valueDim, shape.valueRounds); };
      if (shape.sharing == 1)
        writeValue();
      else
        e.when(e.equal(e.remainder(keyHead, shape.sharing), e.index(0)), writeValue);
    });
  }

  void update(SmallVector<Softmax> &state, ArrayRef<Value> key, ArrayRef<Value> value, Value counts) {
    for (auto [h, softmax] : llvm::enumerate(state)) {
      ArrayRef<Value> query = queries[h];
      Value score = e.mulf(query[0], key[0]);
      for (size_t i = 1; i < query.size(); ++i)
        score = e.fma(query[i], key[i], score);
      score = e.warpSum(score, shape.group);
      if (walk == Walk::Weighted) {
        Value weight = e.mulf(e.exp2(e.subf(score, totals[h].largest)), totals[h].inverse);
        weight = e.select(counts, e.roundToBf16(weight), e.scalar(0));
        for (auto [sum, element] : llvm::zip_equal(softmax.values, value))
          sum = e.fma(weight, element, sum);
        continue;
      }
      score = e.select(counts, score, e.scalar(kLowest));
      Value largest = e.maxf(softmax.largest, score);
      Value keep = e.exp2(e.subf(softmax.largest, largest));
      Value weight = e.select(counts, e.exp2(e.subf(score, largest)), e.scalar(0));
      softmax.largest = largest;
      softmax.sum = e.fma(softmax.sum, keep, weight);
      for (auto [sum, element] : llvm::zip_equal(softmax.values, value))
        sum = e.fma(weight, element, e.mulf(sum, keep));
    }
  }

  void mergeInWarp(SmallVector<Softmax> &state) {
    for (Softmax &softmax : state)
      for (int64_t mask = shape.group; mask < kWarp; mask *= 2) {
        Value keep;
        if (softmax.largest) {
          Value largest = e.maxf(softmax.largest, e.shuffleXor(softmax.largest, mask));
          keep = e.exp2(e.subf(softmax.largest, largest));
          softmax.largest = largest;
        }
        auto merge = [&](Value &value) {
          if (keep)
            value = e.mulf(value, keep);
          value = e.addf(value, e.shuffleXor(value, mask));
        };
        if (softmax.sum)
          merge(softmax.sum);
        for (Value &value : softmax.values)
          merge(value);
      }
  }

  int64_t warps() const { return shape.threads / kWarp; }

  /// Each warp leaves the largest score and the sum of each head.
  void storeScalars(Value scalars, ArrayRef<Softmax> state) {
    e.when(e.equal(e.lane(), e.index(0)), [&] {
      for (int64_t h = 0; h < shape.heads; ++h) {
        Value place = e.mul(e.add(e.mul(e.warp(), shape.heads), h), 2);
        e.store({state[h].largest, state[h].sum}, scalars, f32, place);
      }
    });
  }

  /// What the warps have left of a head, and the largest score of all.
  std::pair<SmallVector<SmallVector<Value>>, Value> loadScalars(Value scalars, Value head) {
    SmallVector<SmallVector<Value>> loaded;
    Value largest = e.scalar(kLowest);
    for (int64_t w = 0; w < warps(); ++w) {
      loaded.push_back(e.load(scalars, f32, e.mul(e.add(head, w * shape.heads), 2), 2));
      largest = e.maxf(largest, loaded.back()[0]);
    }
    return {loaded, largest};
  }

  /// The largest score, and one over the sum, of all keys.
  void keepTotals(ArrayRef<Softmax> state) {
    Value scalars = e.shared(warps() * shape.heads * 2 * 4);
    storeScalars(scalars, state);
    e.barrier();
    for (int64_t h = 0; h < shape.heads; ++h) {
      auto [loaded, largest] = loadScalars(scalars, e.index(h));
      Value sum = e.scalar(0);
      for (ArrayRef<Value> pair : loaded)
        sum = e.fma(pair[1], e.exp2(e.subf(pair[0], largest)), sum);
      totals.push_back({largest, e.reciprocal(sum)});
    }
  }

  /// Merges the warps through shared memory and stores the result.
  void finish(ArrayRef<Softmax> state) {
    int64_t perWarp = shape.heads * shape.valueDim;
    Value sums = e.shared(warps() * perWarp * 4), scalars;
    if (walk == Walk::Online)
      scalars = e.shared(warps() * shape.heads * 2 * 4);
    e.when(e.less(e.lane(), e.index(shape.group)), [&] {
      for (int64_t h = 0; h < shape.heads; ++h) {
        Value start = e.add(e.mul(e.warp(), perWarp), h * shape.valueDim);
        for (int64_t round = 0; round < shape.valueRounds; ++round)
          e.store(ArrayRef<Value>(state[h].values).slice(round * shape.vector, shape.vector), sums, f32,
                  e.add(start, laneOf(round)));
      }
      if (scalars)
        storeScalars(scalars, state);
    });
    e.barrier();
    e.loop(e.thread(), e.index(perWarp), shape.threads, [&](Value element) {
      Value head = e.divFloor(element, shape.valueDim), value = e.scalar(0);
      auto sumOfWarp = [&](int64_t w) { return e.load(sums, f32, e.add(element, w * perWarp)); };
      auto store = [&](Value value) {
        Value place = e.add(e.mul(row, a.result.stride), e.add(e.mul(firstHead, shape.valueDim), element));
        e.store(value, arguments[places.result], a.result.element, place);
      };
      if (!scalars) {
        for (int64_t w = 0; w < warps(); ++w)
          value = e.addf(value, sumOfWarp(w));
        return store(value);
      }
      auto [loaded, largest] = loadScalars(scalars, head);
      Value sum = e.scalar(0);
      for (int64_t w = 0; w < warps(); ++w) {
        Value keep = e.exp2(e.subf(loaded[w][0], largest));
        sum = e.fma(loaded[w][1], keep, sum);
        value = e.fma(sumOfWarp(w), keep, value);
      }
      if (shape.splits > 1)
        return storePart(e.add(firstHead, head), e.remainder(element, shape.valueDim), largest, sum, value);
      store(e.ratio(value, sum));
    });
  }

  void storePart(Value head, Value lane, Value largest, Value sum, Value value) {
    SplitAttention parts(a, shape.splits);
    Value part = e.add(e.mul(head, shape.splits), split), start = e.mul(e.block(1), parts.width());
    e.store(value, arguments.back(), f32, e.add(start, e.add(e.mul(part, shape.valueDim), lane)));
    e.when(e.equal(lane, e.index(0)), [&] {
      e.store({largest, sum}, arguments.back(), f32, e.add(start, e.add(e.mul(part, 2), parts.scalars())));
    });
  }

  SmallVector<Value> flatten(ArrayRef<Softmax> state) {
    SmallVector<Value> values;
    for (const Softmax &softmax : state) {
      if (softmax.largest)
        values.append({softmax.largest, softmax.sum});
      llvm::append_range(values, softmax.values);
    }
    return values;
  }

  SmallVector<Softmax> unflatten(ValueRange values) {
    SmallVector<Softmax> state(shape.heads);
    size_t each = values.size() / shape.heads;
    for (auto [h, softmax] : llvm::enumerate(state)) {
      ValueRange own = values.slice(h * each, each);
      if (walk != Walk::Weighted) {
        softmax.largest = own[0];
        softmax.sum = own[1];
        own = own.drop_front(2);
      }
      softmax.values.assign(own.begin(), own.end());
    }
    return state;
  }

  GpuEmitter &e;
  const Shape &shape;
  const AttentionOperands &a;
  const AttentionArguments &places;
  ValueRange arguments;
  bool decode;
  Type f32;
  Walk walk = Walk::Online;
  Value keyHead, firstHead, row, split;
  SmallVector<SmallVector<Value>> queries; // of each head
  struct Total {
    Value largest, inverse; // score, and one over the sum
  };
  SmallVector<Total> totals; // of each head, once they are known
};

} // namespace

/// Of the program for some sequences: if there are four. With all of them there is little to gain or to lose.
static Shape shapeFor(const StepBuilder &s, const AttentionOperands &attention) {
  return Shape(attention, s.isDecode(), llvm::divideCeil(s.limits().sequences, 4));
}

int64_t samba::splitsOfAttention(const StepBuilder &s, const AttentionOperands &attention) {
  return shapeFor(s, attention).splits;
}

void samba::launchAttentionRows(StepBuilder &s, const AttentionOperands &attention) {
  bool decode = s.isDecode(), cross = attention.isCross();
  Shape shape = shapeFor(s, attention);
  AttentionArguments places(attention);
  StepBuilder::Spec spec{cross    ? "attention_cross"
                         : decode ? "attention_decode"
                                  : "attention_rows",
                         describe(attention), shape.threads};
  Extent blocks = cross ? attention.q.extent : decode ? Extent::Sequences : Extent::Tokens;
  spec.grid[0].times = shape.keyHeads * shape.parts;
  spec.grid[1].of = blocks;
  spec.grid[2].times = shape.splits;
  Matrix parts;
  if (shape.splits > 1) {
    parts = s.buffer(SplitAttention(attention, shape.splits).width(), Float32Type::get(s.context()), blocks);
    places.list.push_back(parts.base);
    spec.key += llvm::formatv(" in {0}", shape.splits).str();
  }
  s.launch(spec, places.list,
           [&](GpuEmitter &e, ValueRange arguments) { Kernel(e, shape, attention, places, arguments, decode).emit(); });
  if (parts)
    launchAttentionMerge(s, attention, shape.splits, parts);
}
