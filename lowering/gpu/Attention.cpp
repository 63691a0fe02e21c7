//===- Attention.cpp - sliding-window attention ---------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/AttentionKeys.h"

using namespace mlir;
using namespace samba;

// Keys and values of the step's own tokens go to the rings when no block reads the old ones any more.
static void launchRingUpdate(StepBuilder &s, const AttentionOperands &a) {
  AttentionArguments places(a);
  int64_t lanes = std::min(a.k.vectorWidth(4), a.v.vectorWidth(4));
  int64_t slots = a.keys.type.getShape()[1];
  while (a.headDim() % lanes != 0 || a.valueDim() % lanes != 0)
    lanes /= 2;
  int64_t vectors = a.k.width / lanes, threads = 128;
  StepBuilder::Spec spec{"ring_update", llvm::formatv("{0} {1}", describe(a), lanes), threads};
  spec.grid[0].times = llvm::divideCeil(vectors, threads);
  spec.grid[1].of = Extent::Tokens;
  s.launch(spec, places.list, [&](GpuEmitter &e, ValueRange arguments) {
    Value row = e.block(1), item = e.add(e.mul(e.block(0), threads), e.thread());
    Sequence sequence(e, places, arguments, findSegment(e, arguments[places.segments], row));
    // Of more tokens than slots the last ones stay.
    Value writes = e.less(e.sub(sequence.end, row), e.index(slots + 1));
    if (vectors % threads != 0)
      writes = e.both(writes, e.less(item, e.index(vectors)));
    e.when(writes, [&] {
      Value column = e.mul(item, lanes), slot = sequence.slotOf(e.sub(row, sequence.start), slots);
      Type f32 = e.b.getF32Type();
      for (auto [matrix, pointer, ring, size] :
           {std::tuple(&a.k, arguments[places.k], sequence.keys, a.headDim()),
            std::tuple(&a.v, arguments[places.v], sequence.values, a.valueDim())}) {
        Value head = e.divFloor(column, size), lane = e.remainder(column, size);
        Value place = e.add(e.mul(e.add(e.mul(head, slots), slot), size), lane);
        e.store(e.load(pointer, matrix->element, e.add(e.mul(row, matrix->stride), column), lanes), ring, f32, place);
      }
    });
  });
}

void samba::launchAttention(StepBuilder &s, const AttentionOperands &attention) {
  if (fitsAttentionHopper(s, attention))
    launchAttentionHopper(s, attention);
  else if (fitsAttentionTensor(s, attention))
    launchAttentionTensor(s, attention);
  else
    launchAttentionRows(s, attention);
  if (!s.isDecode() && !attention.isCross())
    launchRingUpdate(s, attention);
}

//===----------------------------------------------------------------------===//
// What the kernels of attention share
//===----------------------------------------------------------------------===//

std::string samba::describe(const AttentionOperands &a) {
  std::string key;
  for (const Matrix *matrix : {&a.q, &a.k, &a.v, &a.result, &a.table})
    key += matrix->describe() + " ";
  for (StateType type : {a.keys.type, a.values.type})
    for (int64_t size : type.getShape())
      key += std::to_string(size) + "x";
  return key + (a.windowed ? " windowed" : "") + (a.roundWeights ? " rounded" : "");
}

AttentionArguments::AttentionArguments(const AttentionOperands &a) {
  auto add = [&](size_t &place, const LaunchArgument &argument) {
    place = list.size();
    list.push_back(argument);
  };
  for (auto [matrix, place] :
       {std::pair(&a.q, &q), std::pair(&a.k, &k), std::pair(&a.v, &v), std::pair(&a.result, &result)})
    if (*matrix)
      add(*place, matrix->base);
  add(segments, StepBuilder::input("segments"));
  add(positions, StepBuilder::input("positions"));
  add(states, StepBuilder::input("states"));
  add(keys, {LaunchArgument::Kind::State, a.keys.offset});
  add(values, {LaunchArgument::Kind::State, a.values.offset});
  if (a.table)
    add(table, a.table.base);
  if (a.isCross())
    add(rows, a.rows);
}

Sequence::Sequence(GpuEmitter &e, const AttentionArguments &places, ValueRange arguments, Value sequence) : e(e) {
  start = e.loadIndex(arguments[places.segments], 64, sequence);
  end = e.loadIndex(arguments[places.segments], 64, e.add(sequence, 1));
  Type word = e.b.getI64Type();
  position = e.loadRaw(e.address(arguments[places.positions], word, sequence), word, 8);
  keys = statePointer(e, arguments[places.states], sequence, arguments[places.keys]);
  values = statePointer(e, arguments[places.states], sequence, arguments[places.values]);
}

// Positions need 64 bits, and so does the remainder; slots do not.
Value Sequence::slotOf(Value token, int64_t slots) {
  Value sum = arith::AddIOp::create(e.b, e.loc, position, e.toInteger(token, 64));
  return e.toIndex(arith::RemSIOp::create(e.b, e.loc, sum, e.integer(slots, 64)));
}

Value Sequence::olderKeys(Value token, int64_t slots, bool windowed) {
  // Of `slots` visible keys the token's own and those of the step before it are no older ones.
  Value most = windowed ? e.maximum(e.sub(e.index(slots - 1), token), e.index(0)) : e.index(slots);
  Value wide = e.toInteger(most, 64);
  return e.toIndex(arith::MinSIOp::create(e.b, e.loc, position, wide));
}

Value Sequence::firstSlot(Value older, int64_t slots) {
  Value first = arith::SubIOp::create(e.b, e.loc, position, e.toInteger(older, 64));
  return e.toIndex(arith::RemSIOp::create(e.b, e.loc, first, e.integer(slots, 64)));
}
