//===- AttentionRow.cpp - attention of one query --------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/AttentionRow.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include <cmath>

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kKeysPerBlock = 16;

/// One query head of one token.
class QueryEmitter {
public:
  QueryEmitter(Emitter &e, const QueryHead &head)
      : e(e), head(head), strips(Emitter::stripList(head.headDim, e.target.lanes())),
        valueStrips(Emitter::stripList(head.valueDim, e.target.lanes())) {}

  /// Loads the query, scaled so that scores are exponents of two.
  void start(Value q, Value row) {
    double scale = kLog2E / std::sqrt(double(head.headDim));
    for (auto [column, lanes] : strips)
      query.push_back(e.mulf(e.load(q, {row, e.add(head.column, column)}, lanes), e.splat(scale, lanes)));
    running = {e.scalar(kLowest), e.scalar(0)};
    for (auto [column, lanes] : valueStrips)
      running.push_back(e.splat(0, lanes));
  }

  /// Attends to the keys numbered `lower .. upper-1`.
  void attend(Value lower, Value upper, const KeyRange &range) {
    Value last = e.sub(upper, e.index(1));
    running = e.loop(lower, upper, kKeysPerBlock, running, [&](Value block, ValueRange carried) {
      Value scores = e.splat(0, kKeysPerBlock);
      SmallVector<Value> keys; // the last key again where the block is not full
      for (int64_t i = 0; i < kKeysPerBlock; ++i) {
        keys.push_back(e.minimum(e.add(block, i), last));
        scores = e.insert(dot(range.keys, keys.back()), scores, i);
      }
      if (range.keys.isQuantised())
        scores = e.mulf(scores, scalesOf(range.keys, keys));
      Value valid = validLanes(e.sub(upper, block));
      scores = select(valid, scores, e.splat(kLowest, kKeysPerBlock));
      Value top = e.maxf(carried[0], e.largest(scores));
      Value weights = e.exp2(e.subf(scores, e.broadcast(top, kKeysPerBlock)));
      weights = select(valid, weights, e.splat(0, kKeysPerBlock));
      Value correction = e.exp2(e.subf(carried[0], top));
      SmallVector<Value> next{top, e.fma(carried[1], correction, e.sum(weights))};
      if (range.values.isQuantised())
        weights = e.mulf(weights, scalesOf(range.values, keys));
      for (auto [s, strip] : llvm::enumerate(valueStrips)) {
        auto [column, lanes] = strip;
        Value sum = e.mulf(carried[2 + s], e.broadcast(correction, lanes));
        for (int64_t i = 0; i < kKeysPerBlock; ++i)
          sum = e.fma(e.broadcast(e.extract(weights, i), lanes), range.values.load(e, keys[i], e.index(column), lanes),
                      sum);
        next.push_back(sum);
      }
      return next;
    });
  }

  void finish(Value result, Value row) {
    Value scale = e.divf(e.scalar(1), running[1]);
    for (auto [s, strip] : llvm::enumerate(valueStrips)) {
      auto [column, lanes] = strip;
      e.store(e.mulf(running[2 + s], e.broadcast(scale, lanes)), result, {row, e.add(head.resultColumn, column)});
    }
  }

private:
  Value scalesOf(const KeySource &source, ArrayRef<Value> keys) {
    Value scales = e.splat(0, kKeysPerBlock);
    for (auto [i, key] : llvm::enumerate(keys))
      scales = e.insert(source.loadScale(e, key), scales, i);
    return scales;
  }

  Value dot(const KeySource &source, Value j) {
    Value total;
    int64_t lanes = strips.front().second;
    Value sum;
    for (auto [s, strip] : llvm::enumerate(strips)) {
      Value k = source.load(e, j, e.index(strip.first), strip.second);
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

  Value select(Value condition, Value x, Value y) { return arith::SelectOp::create(e.b, e.loc, condition, x, y); }

  Emitter &e;
  const QueryHead &head;
  SmallVector<std::pair<int64_t, int64_t>> strips, valueStrips;
  SmallVector<Value> query;
  SmallVector<Value> running; // largest score, sum of weights, weighted sum of values by strips
};

} // namespace

static Type elementOf(const KeySource &source) { return cast<MemRefType>(source.memory.getType()).getElementType(); }

bool KeySource::isQuantised() const { return elementOf(*this).isInteger(); }

bool KeySource::isNarrow() const { return !elementOf(*this).isF32(); }

Value KeySource::load(Emitter &e, Value j, Value offset, int64_t lanes) const {
  SmallVector<Value> indices = place(j);
  indices.push_back(e.add(column, offset));
  return e.load(memory, indices, lanes);
}

Value KeySource::loadScale(Emitter &e, Value j) const {
  SmallVector<Value> indices = place(j);
  indices.push_back(scaleColumn);
  return e.extract(e.bitcast(e.loadRaw(memory, indices, sizeof(float)), e.b.getF32Type()), 0);
}

void samba::emitAttentionRow(Emitter &e, Value q, Value result, const QueryHead &head, Value row,
                             ArrayRef<SeenKeys> seen) {
  QueryEmitter query(e, head);
  query.start(q, row);
  for (const SeenKeys &keys : seen)
    query.attend(keys.begin, keys.end, keys.range);
  query.finish(result, row);
}
