//===- Attention.cpp - causal attention over a ring of keys ----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// One item of the parallel loop is one query head of one token. It walks its keys in blocks with a running softmax
// (arXiv 1805.02867): first those of earlier steps, in the ring, then those of this step, in the rows of k. Only
// after all queries are done do the new keys and values enter the ring, because earlier tokens of a long segment still
// need what they replace.
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include <cmath>

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kKeysPerBlock = 16;
constexpr double kLog2E = 1.44269504088896340736;
constexpr double kLowest = -1e30; // stands for minus infinity, without its arithmetic

/// One query head of one token.
class QueryEmitter {
public:
  /// Loads one strip of the key or value number `j`.
  using LoadStrip = llvm::function_ref<Value(Value j, int64_t column, int64_t lanes)>;

  QueryEmitter(Emitter &e, int64_t headDim) : e(e), strips(Emitter::stripList(headDim, e.target.lanes())) {}

  /// Loads the query, scaled so that scores are exponents of two.
  void start(Value q, Value row, Value firstColumn, int64_t headDim) {
    double scale = kLog2E / std::sqrt(double(headDim));
    for (auto [column, lanes] : strips)
      query.push_back(e.mulf(e.load(q, {row, e.add(firstColumn, column)}, lanes), e.splat(scale, lanes)));
    running = {e.scalar(kLowest), e.scalar(0)};
    for (auto [column, lanes] : strips)
      running.push_back(e.splat(0, lanes));
  }

  /// Attends to the keys numbered `lower .. upper-1`.
  void attend(Value lower, Value upper, LoadStrip key, LoadStrip value) {
    Value last = e.sub(upper, e.index(1));
    running = e.loop(lower, upper, kKeysPerBlock, running, [&](Value block, ValueRange carried) {
      Value scores = e.splat(0, kKeysPerBlock);
      SmallVector<Value> keys; // the last key again where the block is not full
      for (int64_t i = 0; i < kKeysPerBlock; ++i) {
        keys.push_back(e.minimum(e.add(block, i), last));
        scores = e.insert(dot(keys.back(), key), scores, i);
      }
      Value valid = validLanes(e.sub(upper, block));
      scores = select(valid, scores, e.splat(kLowest, kKeysPerBlock));
      Value top = e.maxf(carried[0], e.largest(scores));
      Value weights = e.exp2(e.subf(scores, e.broadcast(top, kKeysPerBlock)));
      weights = select(valid, weights, e.splat(0, kKeysPerBlock));
      Value correction = e.exp2(e.subf(carried[0], top));
      SmallVector<Value> next{top, e.fma(carried[1], correction, e.sum(weights))};
      for (auto [s, strip] : llvm::enumerate(strips)) {
        auto [column, lanes] = strip;
        Value sum = e.mulf(carried[2 + s], e.broadcast(correction, lanes));
        for (int64_t i = 0; i < kKeysPerBlock; ++i)
          sum = e.fma(e.broadcast(e.extract(weights, i), lanes), value(keys[i], column, lanes), sum);
        next.push_back(sum);
      }
      return next;
    });
  }

  void finish(Value result, Value row, Value firstColumn) {
    Value scale = e.divf(e.scalar(1), running[1]);
    for (auto [s, strip] : llvm::enumerate(strips)) {
      auto [column, lanes] = strip;
      e.store(e.mulf(running[2 + s], e.broadcast(scale, lanes)), result, {row, e.add(firstColumn, column)});
    }
  }

private:
  Value dot(Value j, LoadStrip key) {
    Value total;
    int64_t lanes = strips.front().second;
    Value sum;
    for (auto [s, strip] : llvm::enumerate(strips)) {
      Value k = key(j, strip.first, strip.second);
      if (strip.second == lanes) {
        sum = sum ? e.fma(query[s], k, sum) : e.mulf(query[s], k);
      } else {
        total = e.sum(e.mulf(query[s], k)); // the shorter strip at the end
      }
    }
    return total ? e.addf(e.sum(sum), total) : e.sum(sum);
  }

  Value validLanes(Value count) {
    SmallVector<int64_t> numbers = llvm::to_vector(llvm::seq<int64_t>(0, kKeysPerBlock));
    auto type = VectorType::get({kKeysPerBlock}, e.b.getI64Type());
    Value lane = arith::ConstantOp::create(e.b, e.loc, DenseElementsAttr::get(type, ArrayRef<int64_t>(numbers)));
    Value word = arith::IndexCastOp::create(e.b, e.loc, e.b.getI64Type(), count);
    return arith::CmpIOp::create(e.b, e.loc, arith::CmpIPredicate::slt, lane, e.broadcast(word, kKeysPerBlock));
  }

  Value select(Value condition, Value x, Value y) {
    return arith::SelectOp::create(e.b, e.loc, condition, x, y);
  }

  Emitter &e;
  SmallVector<std::pair<int64_t, int64_t>> strips;
  SmallVector<Value> query;
  SmallVector<Value> running; // largest score, sum of weights, weighted sum of values by strips
};

/// Where a row stands: its sequence, the segment's first row, tokens before the step, and its place in the segment.
struct Place {
  Value sequence, begin, position, offset;

  Place(Emitter &e, Value segments, Value positions, Value row) {
    sequence = findSegment(e, segments, row);
    begin = e.loadIndex(segments, sequence);
    position = e.loadIndex(positions, sequence);
    offset = e.sub(row, begin);
  }
};

void emitQueries(Emitter &e, const AttentionBuffers &a, const StateBuffer &keys, const StateBuffer &values) {
  int64_t kvHeads = keys.type.getShape()[0], slots = keys.type.getShape()[1], headDim = keys.type.getShape()[2];
  int64_t heads = cast<MemRefType>(a.q.getType()).getDimSize(1) / headDim;
  e.parallel({e.rows(a.q), e.index(heads)}, [&](ValueRange item) {
    Value row = item[0], firstColumn = e.mul(item[1], headDim);
    Value group = e.divFloor(item[1], heads / kvHeads), groupColumn = e.mul(group, headDim);
    Place place(e, a.segments, a.positions, row);
    Value keyRing = keys.slice(e, place.sequence), valueRing = values.slice(e, place.sequence);

    // The first position in sight, and its row if it belongs to this step.
    Value first = e.index(0);
    if (a.windowed)
      first = e.maximum(first, e.sub(e.add(e.add(place.position, place.offset), 1), e.index(slots)));
    Value firstRow = e.add(place.begin, e.maximum(e.index(0), e.sub(first, place.position)));

    auto fromRing = [&](Value ring) {
      return [&e, ring, group, slots](Value j, int64_t column, int64_t lanes) {
        return e.load(ring, {group, e.remainder(j, slots), e.index(column)}, lanes);
      };
    };
    auto fromRows = [&](Value rows) {
      return [&e, rows, groupColumn](Value j, int64_t column, int64_t lanes) {
        return e.load(rows, {j, e.add(groupColumn, column)}, lanes);
      };
    };
    QueryEmitter query(e, headDim);
    query.start(a.q, row, firstColumn, headDim);
    query.attend(first, place.position, fromRing(keyRing), fromRing(valueRing));
    query.attend(firstRow, e.add(row, 1), fromRows(a.k), fromRows(a.v));
    query.finish(a.result, row, firstColumn);
  });
}

/// Of each segment the last `slots` tokens enter the ring.
void emitRingWrite(Emitter &e, const AttentionBuffers &a, const StateBuffer &keys, const StateBuffer &values) {
  int64_t kvHeads = keys.type.getShape()[0], slots = keys.type.getShape()[1], headDim = keys.type.getShape()[2];
  e.parallel({e.rows(a.k), e.index(kvHeads)}, [&](ValueRange item) {
    Value row = item[0], group = item[1], groupColumn = e.mul(group, headDim);
    Place place(e, a.segments, a.positions, row);
    Value end = e.loadIndex(a.segments, e.add(place.sequence, 1));
    e.when(e.less(e.sub(end, row), e.index(slots + 1)), [&] {
      Value slot = e.remainder(e.add(place.position, place.offset), slots);
      for (auto [rows, state] : {std::pair(a.k, &keys), std::pair(a.v, &values)}) {
        Value ring = state->slice(e, place.sequence), source = rows;
        e.strips(headDim, e.target.lanes(), [&](Value column, int64_t lanes) {
          e.store(e.load(source, {row, e.add(groupColumn, column)}, lanes), ring, {group, slot, column});
        });
      }
    });
  });
}

} // namespace

void samba::emitAttention(Emitter &e, const AttentionBuffers &buffers, const StateBuffer &keys,
                          const StateBuffer &values) {
  emitQueries(e, buffers, keys, values);
  emitRingWrite(e, buffers, keys, values);
}
