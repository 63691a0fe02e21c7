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
//
// In generation there are as many blocks as key heads and sequences, which may not fill a device. Then the ring is
// split among blocks. Each leaves its largest score, sum and weighted values for each query head, and a second launch
// (AttentionMerge.cpp) makes the result of them; that is the same merge as that of groups and warps.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/AttentionKeys.h"

#include <cmath>

using namespace mlir;
using namespace samba;

namespace {

constexpr double kLowest = -1e30; // below every score; finite, so that differences are

/// How the lanes of a head are divided among threads.
struct Shape {
  Shape(const AttentionOperands &a, bool decode, int64_t sequences)
      : headDim(a.keys.type.getShape()[2]), slots(a.keys.type.getShape()[1]), keyHeads(a.keys.type.getShape()[0]),
        threads(decode ? 256 : 128) {
    vector = std::min({a.q.vectorWidth(4), a.k.vectorWidth(4), a.v.vectorWidth(4), a.result.vectorWidth(4)});
    if (a.table)
      vector = std::min(vector, a.table.vectorWidth(4));
    while ((a.table ? headDim / 2 : headDim) % vector != 0)
      vector /= 2;
    int64_t vectors = headDim / vector;
    group = std::min<int64_t>(kWarp, vectors & -vectors);
    rounds = vectors / group;
    int64_t perKeyHead = a.q.width / headDim / keyHeads;
    heads = perKeyHead;
    while (heads > 1 && (heads * rounds * vector > 32 || heads > 4 || perKeyHead % heads != 0))
      --heads;
    parts = perKeyHead / heads;
    constexpr int64_t kEnoughBlocks = 132, kFewestSlots = 128; // of a device, of a block
    if (decode)
      splits = std::max<int64_t>(
          1, std::min<int64_t>(kEnoughBlocks / (keyHeads * parts * sequences), llvm::divideCeil(slots, kFewestSlots)));
  }
  int64_t headDim, slots, keyHeads, threads;
  int64_t vector;     // neighbouring lanes of a head that a thread has
  int64_t group;      // threads that share a head
  int64_t rounds;     // vectors of a thread
  int64_t heads;      // query heads of a block
  int64_t parts;      // blocks that share a key head
  int64_t splits = 1; // blocks that share the ring
  int64_t slotsOfSplit() const { return llvm::divideCeil(slots, splits); }
  int64_t groups() const { return threads / group; }
  int64_t values() const { return rounds * vector; } // lanes of a thread
};

/// What a group knows of one query head: the largest score, the sum of the weights and the weighted sum of values.
struct Softmax {
  Value largest, sum;
  SmallVector<Value> values;
};

class Kernel {
public:
  Kernel(GpuEmitter &e, const Shape &shape, const AttentionOperands &a, const AttentionArguments &places,
         ValueRange arguments, bool decode)
      : e(e), shape(shape), a(a), places(places), arguments(arguments), decode(decode), f32(e.b.getF32Type()) {}

  void emit() {
    keyHead = e.divFloor(e.block(0), shape.parts);
    firstHead =
        e.add(e.mul(keyHead, shape.heads * shape.parts), e.mul(e.remainder(e.block(0), shape.parts), shape.heads));
    Value index = decode ? e.block(1) : findSegment(e, arguments[places.segments], e.block(1));
    Sequence sequence(e, places, arguments, index);
    if (!decode) {
      row = e.block(1);
      return attend(sequence);
    }
    row = sequence.start;
    split = shape.splits > 1 ? e.block(2) : e.index(0);
    e.when(e.less(sequence.start, sequence.end), [&] { attend(sequence); });
  }

private:
  Value laneOf(int64_t round) {
    return e.mul(e.add(e.bitAnd(e.thread(), shape.group - 1), round * shape.group), shape.vector);
  }

  /// This thread's lanes of something that starts at an element.
  SmallVector<Value> loadLanes(Value pointer, Type element, Value start) {
    SmallVector<Value> values;
    for (int64_t round = 0; round < shape.rounds; ++round)
      llvm::append_range(values, e.load(pointer, element, e.add(start, laneOf(round)), shape.vector));
    return values;
  }

  /// The same of a query or key of this token, rotated if it is not yet. A lane's partner is half a head away.
  SmallVector<Value> loadRotated(Value pointer, Type element, Value start) {
    SmallVector<Value> values = loadLanes(pointer, element, start);
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

  void attend(Sequence &sequence) {
    SmallVector<SmallVector<Value>> queries;
    Value scale = e.scalar(kLog2E / std::sqrt(double(shape.headDim)));
    for (int64_t h = 0; h < shape.heads; ++h) {
      Value start = e.add(e.mul(row, a.q.stride), e.mul(e.add(firstHead, h), shape.headDim));
      queries.push_back(loadRotated(arguments[places.q], a.q.element, start));
      for (Value &value : queries.back())
        value = e.mulf(value, scale);
    }
    Value token = e.sub(row, sequence.start);
    Value older = sequence.olderKeys(token, shape.slots, a.windowed);
    Value slot = sequence.firstSlot(older, shape.slots);
    SmallVector<Softmax> state(shape.heads);
    for (Softmax &softmax : state)
      softmax = {e.scalar(kLowest), e.scalar(0), SmallVector<Value>(shape.values(), e.scalar(0))};

    Value ring = e.mul(keyHead, shape.slots * shape.headDim), firstKey, count = older;
    if (shape.splits > 1) {
      firstKey = e.mul(split, shape.slotsOfSplit());
      count = e.minimum(e.sub(older, firstKey), e.index(shape.slotsOfSplit()));
    }
    run(state, queries, count, [&](Value key) {
      Value place = e.add(slot, firstKey ? e.add(firstKey, key) : key);
      Value wrapped = e.select(e.less(place, e.index(shape.slots)), place, e.sub(place, e.index(shape.slots)));
      Value start = e.add(ring, e.mul(wrapped, shape.headDim));
      return std::pair(loadLanes(sequence.keys, f32, start), loadLanes(sequence.values, f32, start));
    });
    auto own = [&](Value key) {
      Value keyRow = e.add(sequence.start, key), head = e.mul(keyHead, shape.headDim);
      return std::pair(loadRotated(arguments[places.k], a.k.element, e.add(e.mul(keyRow, a.k.stride), head)),
                       loadLanes(arguments[places.v], a.v.element, e.add(e.mul(keyRow, a.v.stride), head)));
    };
    if (decode) {
      std::pair<SmallVector<Value>, SmallVector<Value>> loaded = own(e.index(0));
      ArrayRef<Value> key = loaded.first, value = loaded.second;
      // One group counts the token's own key.
      Value counts = e.less(e.thread(), e.index(shape.group));
      if (shape.splits > 1)
        counts = e.both(counts, e.equal(split, e.index(0)));
      update(state, queries, key, value, counts);
      // The slot that the token's key goes to is that of a key which no query sees any more.
      Value writes = e.both(counts, e.equal(e.remainder(e.block(0), shape.parts), e.index(0)));
      e.when(writes, [&] {
        Value start = e.add(ring, e.mul(sequence.slotOf(e.index(0), shape.slots), shape.headDim));
        for (int64_t round = 0; round < shape.rounds; ++round) {
          Value place = e.add(start, laneOf(round));
          e.store(key.slice(round * shape.vector, shape.vector), sequence.keys, f32, place);
          e.store(value.slice(round * shape.vector, shape.vector), sequence.values, f32, place);
        }
      });
    } else {
      Value first = a.windowed ? e.maximum(e.sub(token, e.index(shape.slots - 1)), e.index(0)) : e.index(0);
      run(state, queries, e.add(e.sub(token, first), 1), [&](Value key) { return own(e.add(first, key)); });
    }
    mergeInWarp(state);
    finish(state);
  }

  using LoadKey = llvm::function_ref<std::pair<SmallVector<Value>, SmallVector<Value>>(Value key)>;

  /// Goes through `count` keys. All threads make the same number of rounds, because they shuffle.
  void run(SmallVector<Softmax> &state, ArrayRef<SmallVector<Value>> queries, Value count, LoadKey load) {
    SmallVector<Value> carried = flatten(state);
    Value group = e.divFloor(e.thread(), shape.group);
    carried = e.loop(e.index(0), count, shape.groups(), carried, [&](Value first, ValueRange values) {
      SmallVector<Softmax> state = unflatten(values);
      Value key = e.add(first, group), counts = e.less(key, count);
      auto [k, v] = load(e.select(counts, key, first));
      update(state, queries, k, v, counts);
      return flatten(state);
    });
    state = unflatten(carried);
  }

  void update(SmallVector<Softmax> &state, ArrayRef<SmallVector<Value>> queries, ArrayRef<Value> key,
              ArrayRef<Value> value, Value counts) {
    for (auto [softmax, query] : llvm::zip(state, queries)) {
      Value score = e.mulf(query[0], key[0]);
      for (int64_t i = 1; i < shape.values(); ++i)
        score = e.fma(query[i], key[i], score);
      score = e.warpSum(score, shape.group);
      score = e.select(counts, score, e.scalar(kLowest));
      Value largest = e.maxf(softmax.largest, score);
      Value keep = e.exp2(e.subf(softmax.largest, largest));
      Value weight = e.select(counts, e.exp2(e.subf(score, largest)), e.scalar(0));
      softmax.largest = largest;
      softmax.sum = e.fma(softmax.sum, keep, weight);
      for (auto [sum, element] : llvm::zip(softmax.values, value))
        sum = e.fma(weight, element, e.mulf(sum, keep));
    }
  }

  void mergeInWarp(SmallVector<Softmax> &state) {
    for (Softmax &softmax : state)
      for (int64_t mask = shape.group; mask < kWarp; mask *= 2) {
        Value largest = e.maxf(softmax.largest, e.shuffleXor(softmax.largest, mask));
        Value keep = e.exp2(e.subf(softmax.largest, largest));
        softmax.largest = largest;
        auto merge = [&](Value &value) {
          value = e.mulf(value, keep);
          value = e.addf(value, e.shuffleXor(value, mask));
        };
        merge(softmax.sum);
        for (Value &value : softmax.values)
          merge(value);
      }
  }

  /// Merges the warps through shared memory and stores the result.
  void finish(ArrayRef<Softmax> state) {
    int64_t warps = shape.threads / kWarp, perWarp = shape.heads * shape.headDim;
    Value sums = e.shared(warps * perWarp * 4);
    Value scalars = e.shared(warps * shape.heads * 2 * 4); // largest and sum
    Value isFirst = e.less(e.lane(), e.index(shape.group));
    e.when(isFirst, [&] {
      for (int64_t h = 0; h < shape.heads; ++h) {
        const Softmax &softmax = state[h];
        Value start = e.add(e.mul(e.warp(), perWarp), h * shape.headDim);
        for (int64_t round = 0; round < shape.rounds; ++round)
          e.store(ArrayRef<Value>(softmax.values).slice(round * shape.vector, shape.vector), sums, f32,
                  e.add(start, laneOf(round)));
        e.when(e.equal(e.lane(), e.index(0)), [&] {
          Value place = e.mul(e.add(e.mul(e.warp(), shape.heads), h), 2);
          e.store({softmax.largest, softmax.sum}, scalars, f32, place);
        });
      }
    });
    e.barrier();
    e.loop(e.thread(), e.index(perWarp), shape.threads, [&](Value element) {
      Value head = e.divFloor(element, shape.headDim), largest = e.scalar(kLowest);
      SmallVector<SmallVector<Value>> loaded;
      for (int64_t w = 0; w < warps; ++w) {
        loaded.push_back(e.load(scalars, f32, e.mul(e.add(head, w * shape.heads), 2), 2));
        largest = e.maxf(largest, loaded.back()[0]);
      }
      Value sum = e.scalar(0), value = e.scalar(0);
      for (int64_t w = 0; w < warps; ++w) {
        Value keep = e.exp2(e.subf(loaded[w][0], largest));
        sum = e.fma(loaded[w][1], keep, sum);
        value = e.fma(e.load(sums, f32, e.add(element, w * perWarp)), keep, value);
      }
      if (shape.splits > 1)
        return storePart(e.add(firstHead, head), e.remainder(element, shape.headDim), largest, sum, value);
      Value place = e.add(e.mul(row, a.result.stride), e.add(e.mul(firstHead, shape.headDim), element));
      e.store(e.ratio(value, sum), arguments[places.result], a.result.element, place);
    });
  }

  void storePart(Value head, Value lane, Value largest, Value sum, Value value) {
    SplitAttention parts(a, shape.splits);
    Value part = e.add(e.mul(head, shape.splits), split), start = e.mul(e.block(1), parts.width());
    e.store(value, arguments.back(), f32, e.add(start, e.add(e.mul(part, shape.headDim), lane)));
    e.when(e.equal(lane, e.index(0)), [&] {
      e.store({largest, sum}, arguments.back(), f32, e.add(start, e.add(e.mul(part, 2), parts.scalars())));
    });
  }

  SmallVector<Value> flatten(ArrayRef<Softmax> state) {
    SmallVector<Value> values;
    for (const Softmax &softmax : state) {
      values.append({softmax.largest, softmax.sum});
      llvm::append_range(values, softmax.values);
    }
    return values;
  }

  SmallVector<Softmax> unflatten(ValueRange values) {
    SmallVector<Softmax> state;
    for (int64_t h = 0; h < shape.heads; ++h) {
      ValueRange own = values.slice(h * (2 + shape.values()), 2 + shape.values());
      state.push_back({own[0], own[1], SmallVector<Value>(own.drop_front(2))});
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
  Value keyHead, firstHead, row, split;
};

} // namespace

void samba::launchAttentionRows(StepBuilder &s, const AttentionOperands &attention) {
  // Of the program for some sequences: if there are four. With all of them there is little to gain or to lose.
  bool decode = s.isDecode();
  Shape shape(attention, decode, llvm::divideCeil(s.limits().sequences, 4));
  AttentionArguments places(attention);
  StepBuilder::Spec spec{decode ? "attention_decode" : "attention_rows", describe(attention), shape.threads};
  spec.grid[0].times = shape.keyHeads * shape.parts;
  spec.grid[1].of = decode ? Extent::Sequences : Extent::Tokens;
  spec.grid[2].times = shape.splits;
  Matrix parts;
  if (shape.splits > 1) {
    parts = s.buffer(SplitAttention(attention, shape.splits).width(), Float32Type::get(s.context()), Extent::Sequences);
    places.list.push_back(parts.base);
    spec.key += llvm::formatv(" in {0}", shape.splits).str();
  }
  s.launch(spec, places.list,
           [&](GpuEmitter &e, ValueRange arguments) { Kernel(e, shape, attention, places, arguments, decode).emit(); });
  if (parts)
    launchAttentionMerge(s, attention, shape.splits, parts);
}
