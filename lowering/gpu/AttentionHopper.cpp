//===- AttentionHopper.cpp - attention on sm_90a --------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A block computes 128 tokens of one sequence for one query head, 64 a
// warpgroup, as AttentionTile.h says. Its last warpgroup reads keys and values,
// rounds them to bf16 and leaves them in a ring of stages; the others multiply
// from there. Queries and weights come from registers, keys and values from
// shared memory; values are the transposed operand. Heads of more than 64 lanes
// lie in tiles side by side. Two barriers a stage say that it is full and
// empty.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/AttentionTile.h"
#include "lowering/gpu/HopperEmitter.h"

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kTokens = 128, kMultipliers = 2 * kWarpgroup, kThreads = kMultipliers + kWarpgroup, kStages = 2;

int64_t matrixBytesOf(int64_t lanes) {
  return llvm::divideCeil(lanes, kTileColumns) * AttentionTile::kKeys * kTileRowBytes;
}

/// Of the keys and values of a stage.
int64_t stageBytesOf(const AttentionOperands &a) { return matrixBytesOf(a.headDim()) + matrixBytesOf(a.valueDim()); }

int64_t sharedBytesOf(const AttentionOperands &a) { return kStages * (stageBytesOf(a) + 2 * kBarrierBytes); }

class Kernel : AttentionTile {
public:
  Kernel(GpuEmitter &e, const AttentionOperands &a, const AttentionArguments &places, ValueRange arguments)
      : AttentionTile(e, a, places, arguments), hopper(e), keyBytes(matrixBytesOf(headDim)),
        stageBytes(stageBytesOf(a)) {}

  void emit() {
    memory = e.dynamicShared();
    barriers = at(memory, e.index(kStages * stageBytes));
    Sequence sequence(e, places, arguments, e.block(1));
    Value length = e.sub(sequence.end, sequence.start), first = e.mul(e.block(2), kTokens);
    e.when(e.less(first, length), [&] { attend(sequence, first, length); });
  }

private:
  Value at(Value pointer, Value bytes) { return e.address(pointer, e.b.getI8Type(), bytes); }
  Value full(Value stage) { return e.address(barriers, e.b.getI64Type(), stage); }
  Value empty(Value stage) { return full(e.add(stage, kStages)); }
  Value bytesOf(Value stage) { return e.mul(stage, stageBytes); }

  void attend(Sequence &sequence, Value first, Value length) {
    e.when(e.equal(e.thread(), e.index(0)), [&] {
      for (int64_t stage = 0; stage < kStages; ++stage) {
        hopper.initialise(full(e.index(stage)), kWarpgroup);
        hopper.initialise(empty(e.index(stage)), kMultipliers / kWarp);
      }
    });
    e.barrier(); // all that use them are threads
    Range range = rangeOf(sequence, first, length, kTokens);
    e.whenElse(
        e.less(e.thread(), e.index(kMultipliers)), [&] { multiply(sequence, range, length); },
        [&] { copy(sequence, range); });
  }

  void copy(Sequence &sequence, const Range &range) {
    Value thread = e.sub(e.thread(), e.index(kMultipliers)), filled = e.add(range.begin, kStages * kKeys);
    // Chunk c of a row lies at place c xor (row mod 8), in the tile of its 64
    // lanes.
    auto placeOf = [&](Value row, Value chunk, int64_t) {
      constexpr int64_t kChunks = kTileColumns / kChunk;
      Value tile = e.mul(e.divFloor(chunk, kChunks), kKeys * kTileRowBytes);
      Value place = e.bitXor(e.bitAnd(chunk, kChunks - 1), e.bitAnd(row, 7));
      return e.add(e.add(tile, e.mul(row, kTileRowBytes)), e.mul(place, 16));
    };
    SmallVector<Value> ring{e.index(0), e.index(1)};
    e.loop(range.begin, e.add(range.last, 1), kKeys, ring, [&](Value tile, ValueRange values) {
      Value stage = values[0], keys = at(memory, bytesOf(stage));
      // At first all stages are empty.
      e.when(e.less(e.sub(filled, e.index(1)), tile), [&] { hopper.wait(empty(stage), values[1]); });
      copyTile(sequence, range, tile, thread, kWarpgroup, keys, at(keys, e.index(keyBytes)), placeOf);
      hopper.publishShared();
      hopper.arrive(full(stage));
      auto [following, parity] = hopper.nextStage(stage, values[1], kStages);
      return SmallVector<Value>{following, parity};
    });
  }

  void multiply(Sequence &sequence, const Range &range, Value length) {
    SmallVector<SmallVector<Value>> queries = loadQueries(sequence, range);
    for (SmallVector<Value> &words : queries)
      hopper.settle(words);
    Value keys = hopper.describe(memory);
    Value values = hopper.describe(at(memory, e.index(keyBytes)), kKeys * kTileRowBytes);
    SmallVector<Value> carried = flatten(start());
    size_t states = carried.size();
    carried.append({e.index(0), e.index(0)}); // the stage and its parity
    carried = e.loop(range.begin, e.add(range.last, 1), kKeys, carried, [&](Value tile, ValueRange now) {
      State state = unflatten(now.take_front(states));
      Value stage = now[states], bytes = bytesOf(stage);
      hopper.wait(full(stage), now[states + 1]);
      SmallVector<Value> scores(kKeys / 8 * 4, e.scalar(0));
      hopper.publishRegisters(scores);
      Value ownKeys = hopper.advance(keys, bytes);
      for (int64_t lane = 0; lane < headDim; lane += kProductDepth) {
        int64_t inTile = lane % kTileColumns * 2, tileBytes = lane / kTileColumns * kKeys * kTileRowBytes;
        hopper.multiply(scores, queries[lane / kProductDepth], hopper.advance(ownKeys, tileBytes + inTile));
      }
      hopper.commit();
      hopper.waitForProducts(scores);
      SmallVector<Value> weights = softmax(state, maskEdges(scores, range, tile)), operands;
      for (int64_t step = 0; step < kKeys / kProductDepth; ++step)
        llvm::append_range(operands, operandOf(weights, step));
      hopper.settle(operands);
      hopper.publishRegisters(state.sums);
      Value ownValues = hopper.advance(values, bytes);
      for (int64_t step = 0; step < kKeys / kProductDepth; ++step)
        hopper.multiplyTransposed(state.sums, ArrayRef<Value>(operands).slice(step * 4, 4),
                                  hopper.advance(ownValues, step * kProductDepth * kTileRowBytes));
      hopper.commit();
      hopper.waitForProducts(state.sums);
      // The stage is given back if there is another tile for it.
      Value again = e.less(e.add(tile, kStages * kKeys), e.add(range.last, 1));
      e.when(e.both(again, e.equal(e.lane(), e.index(0))), [&] { hopper.arrive(empty(stage)); });
      SmallVector<Value> following = flatten(state);
      auto [nextStage, parity] = hopper.nextStage(stage, now[states + 1], kStages);
      following.append({nextStage, parity});
      return following;
    });
    store(unflatten(ValueRange(carried).take_front(states)), sequence, range.first, length);
  }

  HopperEmitter hopper;
  int64_t keyBytes, stageBytes;
  Value memory, barriers;
};

} // namespace

bool samba::fitsAttentionHopper(const StepBuilder &s, const AttentionOperands &attention) {
  return s.isHopper() && fitsAttentionTensor(s, attention);
}

void samba::launchAttentionHopper(StepBuilder &s, const AttentionOperands &attention) {
  AttentionArguments places(attention);
  StepBuilder::Spec spec{"attention_hopper", describe(attention), kThreads};
  spec.grid[0].times = attention.q.width / attention.headDim();
  spec.grid[1].of = Extent::Sequences;
  spec.grid[2] = {Extent::Longest, kTokens};
  spec.sharedBytes = sharedBytesOf(attention);
  spec.hopper = true;
  s.launch(spec, places.list,
           [&](GpuEmitter &e, ValueRange arguments) { Kernel(e, attention, places, arguments).emit(); });
}
