//===- Attention.cpp - causal attention over a ring of keys ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One item of the parallel loop is one head of a block of rows. Of each sequence that has rows in the block, many rows
// at once go through a tile (AttentionTile.h), few one by one (AttentionRow.h). Either way a query meets its keys in
// blocks with a running softmax (arXiv 1805.02867): first those of earlier steps, in the ring, then those of this
// step, in the rows of k. Only after all queries are done do the new keys and values enter the ring, because earlier
// tokens of a long segment still need what they replace. A token that is alone in its segment, as in generation,
// replaces what it does not see, and writes at once: then a step has no second loop.
//
// Weights that are to be rounded (--numerics=attn_p=model) need the largest score and the sum first: the keys are gone
// through twice, and their scores computed twice.
//
// Keys and values are read in the type of the ring, which is also that of the rows of k and v, and widened in registers
// or, for a tile, once for a block of them.
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/AttentionRow.h"
#include "lowering/cpu/AttentionTile.h"
#include "lowering/cpu/Kernels.h"
#include "lowering/cpu/LoopTable.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace samba;

namespace {

/// Where the scale of a head is in a quantised row of k or v.
Value scaleInRows(Emitter &e, Value rows, Value group, int64_t kvHeads, int64_t headDim) {
  if (!cast<MemRefType>(rows.getType()).getElementType().isInteger())
    return {};
  auto quant = QuantAttr::get(e.b.getContext(), 8, headDim, 0);
  return e.add(e.mul(group, sizeof(float)), scalesOf(quant, kvHeads * headDim));
}

/// A token's key of one head enters the ring, and as many lanes of the values: those of the same columns. They enter as
/// they are, because they have its type.
void emitSlotWrite(Emitter &e, const AttentionBuffers &a, const StateBuffer &keys, const StateBuffer &values,
                   Value sequence, Value row, Value group) {
  ArrayRef<int64_t> shape = keys.type.getShape();
  int64_t slots = shape[1], headDim = shape[2], shared = shape[0] / values.type.getShape()[0];
  Value offset = e.sub(row, e.loadIndex(a.segments, sequence));
  Value slot = e.remainder(e.add(e.loadIndex(a.positions, sequence), offset), slots);
  Value groupColumn = e.mul(group, headDim);
  auto write = [&](Value rows, const StateBuffer &state, Value head, Value firstLane) {
    Value ring = state.slice(e, sequence);
    e.strips(headDim, e.target.lanes(), [&](Value column, int64_t lanes) {
      e.store(e.loadRaw(rows, {row, e.add(groupColumn, column)}, lanes), ring, {head, slot, e.add(firstLane, column)});
    });
    // Integers are never shared by several heads, so a head has one scale.
    if (Value scale = scaleInRows(e, rows, group, shape[0], headDim))
      e.store(e.loadRaw(rows, {row, scale}, sizeof(float)), ring, {head, slot, e.index(headDim)});
  };
  write(a.k, keys, group, e.index(0));
  write(a.v, values, e.divFloor(group, shared), e.mul(e.remainder(group, shared), headDim));
}

/// Of each segment of several tokens the last `slots` ones enter the ring. Tokens that are alone have done so.
void emitRingWrite(Emitter &e, const AttentionBuffers &a, const StateBuffer &keys, const StateBuffer &values) {
  ArrayRef<int64_t> shape = keys.type.getShape();
  int64_t kvHeads = shape[0], slots = shape[1];
  Value longest =
      e.loop(e.index(0), e.sub(e.rows(a.segments), e.index(1)), 1, e.index(0), [&](Value s, ValueRange carried) {
        Value length = e.sub(e.loadIndex(a.segments, e.add(s, 1)), e.loadIndex(a.segments, s));
        return SmallVector<Value>{e.maximum(carried[0], length)};
      })[0];
  e.when(e.less(e.index(1), longest), [&] {
    e.parallel({e.rows(a.k), e.index(kvHeads)}, [&](ValueRange item) {
      Value row = item[0], sequence = findSegment(e, a.segments, row);
      Value begin = e.loadIndex(a.segments, sequence), end = e.loadIndex(a.segments, e.add(sequence, 1));
      e.when(e.less(e.index(1), e.sub(end, begin)), [&] {
        e.when(e.less(e.sub(end, row), e.index(slots + 1)),
               [&] { emitSlotWrite(e, a, keys, values, sequence, row, item[1]); });
      });
    });
  });
}

/// Keys or values by their positions.
KeySource ringSource(Emitter &e, Value memory, Value head, StateType ring) {
  int64_t slots = ring.getShape()[1];
  return {[&e, head, slots](Value j) { return SmallVector<Value>{head, e.remainder(j, slots)}; }, memory, e.index(0),
          e.index(ring.getShape()[2])};
}

void emitQueries(Emitter &e, const AttentionBuffers &a, const StateBuffer &keys, const StateBuffer &values) {
  ArrayRef<int64_t> shape = keys.type.getShape();
  int64_t kvHeads = shape[0], slots = shape[1], headDim = shape[2], valueDim = values.type.getShape()[2];
  int64_t heads = cast<MemRefType>(a.q.getType()).getDimSize(1) / headDim;
  int64_t blockRows = AttentionTile::queriesOf(e.target);
  AttentionTile tile(e, headDim, valueDim, !keys.type.getElementType().isF32(), a.roundWeights);
  Value rows = e.rows(a.q);
  Value blocks = e.divFloor(e.add(rows, blockRows - 1), blockRows);
  e.parallel({blocks, e.index(heads)}, [&](ValueRange item) {
    Value blockBegin = e.mul(item[0], blockRows);
    Value blockEnd = e.minimum(rows, e.add(blockBegin, blockRows));
    QueryHead head{e.mul(item[1], headDim), e.mul(item[1], valueDim), headDim, valueDim};
    Value group = e.divFloor(item[1], heads / kvHeads);
    Value valueHead = e.divFloor(group, kvHeads / values.type.getShape()[0]);
    Value first = findSegment(e, a.segments, blockBegin);
    Value last = findSegment(e, a.segments, e.sub(blockEnd, e.index(1)));
    e.loop(first, e.add(last, 1), 1, [&](Value sequence) {
      QueryBlock block;
      Value begin = e.loadIndex(a.segments, sequence), end = e.loadIndex(a.segments, e.add(sequence, 1));
      block.firstRow = e.maximum(blockBegin, begin);
      block.count = e.sub(e.minimum(blockEnd, end), block.firstRow);
      block.segmentBegin = begin;
      block.carried = e.loadIndex(a.positions, sequence);
      block.head = head;
      block.window = a.windowed ? slots : 0;
      Value keyRing = keys.slice(e, sequence), valueRing = values.slice(e, sequence);
      KeyRange ring{ringSource(e, keyRing, group, keys.type), ringSource(e, valueRing, valueHead, values.type)};
      auto fromRows = [&](Value memory, Value column) -> KeySource {
        return {[](Value j) { return SmallVector<Value>{j}; }, memory, column,
                scaleInRows(e, memory, group, kvHeads, headDim)};
      };
      KeyRange own{fromRows(a.k, e.mul(group, headDim)), fromRows(a.v, e.mul(valueHead, valueDim))};
      e.whenElse(
          e.less(block.count, e.index(AttentionTile::kFewestQueries)),
          [&] {
            e.loop(e.index(0), block.count, 1, [&](Value i) {
              Value row = e.add(block.firstRow, i);
              KeyBounds bounds = keysOf(e, block, row, row);
              emitAttentionRow(e, a.q, a.result, head, row,
                               {{bounds.ringBegin, bounds.ringEnd, ring}, {bounds.rowBegin, bounds.rowEnd, own}},
                               a.roundWeights);
            });
          },
          [&] { tile.emit(a, block, {ring, own}); });
      // The key that a token alone replaces is just out of its sight, so nobody reads the slot.
      Value firstOfGroup = e.equal(e.remainder(item[1], heads / kvHeads), e.index(0));
      e.when(e.equal(e.sub(end, begin), e.index(1)),
             [&] { e.when(firstOfGroup, [&] { emitSlotWrite(e, a, keys, values, sequence, begin, group); }); });
    });
  });
}

} // namespace

void samba::emitAttention(Emitter &e, const AttentionBuffers &buffers, const StateBuffer &keys,
                          const StateBuffer &values) {
  emitQueries(e, buffers, keys, values);
  int64_t slotBytes = keys.type.getSizeInBytes() / keys.type.getShape()[1];
  if (e.loopInfo) {
    e.loopInfo = describeCopy(e.loopInfo, 2 * slotBytes, "new keys and values enter the ring");
    e.loopInfo = describeCondition(e.loopInfo, "tokens", 1);
  }
  emitRingWrite(e, buffers, keys, values);
}

// The rows may stand in any order, so each is on its own.
void samba::emitCrossAttention(Emitter &e, const CrossAttentionBuffers &a, const StateBuffer &keys,
                               const StateBuffer &values) {
  ArrayRef<int64_t> shape = keys.type.getShape();
  int64_t kvHeads = shape[0], headDim = shape[2], valueDim = values.type.getShape()[2];
  int64_t heads = cast<MemRefType>(a.q.getType()).getDimSize(1) / headDim;
  e.parallel({e.rows(a.q), e.index(heads)}, [&](ValueRange item) {
    QueryHead head{e.mul(item[1], headDim), e.mul(item[1], valueDim), headDim, valueDim};
    Value group = e.divFloor(item[1], heads / kvHeads);
    Value valueHead = e.divFloor(group, kvHeads / values.type.getShape()[0]);
    Value row = e.loadIndex(a.rows, item[0]), sequence = findSegment(e, a.segments, row);
    Value offset = e.sub(row, e.loadIndex(a.segments, sequence));
    Value end = e.add(e.add(e.loadIndex(a.positions, sequence), offset), 1);
    KeyRange ring{ringSource(e, keys.slice(e, sequence), group, keys.type),
                  ringSource(e, values.slice(e, sequence), valueHead, values.type)};
    emitAttentionRow(e, a.q, a.result, head, item[0], {{e.index(0), end, ring}}, a.roundWeights);
  });
}

KeyBounds samba::keysOf(Emitter &e, const QueryBlock &block, Value firstRow, Value lastRow) {
  KeyBounds bounds;
  bounds.ringEnd = block.carried;
  bounds.ringBegin = e.index(0);
  if (block.window) {
    Value position = e.add(block.carried, e.sub(firstRow, block.segmentBegin));
    bounds.ringBegin = e.maximum(bounds.ringBegin, e.sub(position, e.index(block.window - 1)));
  }
  // The first position in sight, and its row if it belongs to this step.
  Value skipped = e.maximum(e.index(0), e.sub(bounds.ringBegin, block.carried));
  bounds.rowBegin = e.add(block.segmentBegin, skipped);
  bounds.rowEnd = e.add(lastRow, 1);
  return bounds;
}
