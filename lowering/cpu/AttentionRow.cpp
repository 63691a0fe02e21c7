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

  /// Attends to the keys numbered `lower .. upper-1`, with a running softmax.
  void attend(Value lower, Value upper, const KeyRange &range) {
    running = e.loop(lower, upper, kKeysPerBlock, running, [&](Value block, ValueRange carried) {
      KeyBlock keys = score(block, upper, range.keys);
      auto [top, total, correction, weights] = weigh(keys, carried);
      SmallVector<Value> next{top, total};
      append(next, carried, weights, correction, keys, range.values);
      return next;
    });
  }

  /// The same in two goes: first the largest score and the sum of weights, of all keys, ...
  void measure(Value lower, Value upper, const KeyRange &range) {
    auto measured = e.loop(lower, upper, kKeysPerBlock, {running[0], running[1]}, [&](Value block, ValueRange carried) {
      Weighed weighed = weigh(score(block, upper, range.keys), carried);
      return SmallVector<Value>{weighed.top, weighed.total};
    });
    std::copy(measured.begin(), measured.end(), running.begin());
  }

  /// ... then the values, multiplied with rounded weights.
  void addRounded(Value lower, Value upper, const KeyRange &range) {
    Value top = e.broadcast(running[0], kKeysPerBlock), total = e.broadcast(running[1], kKeysPerBlock);
    running = e.loop(lower, upper, kKeysPerBlock, running, [&](Value block, ValueRange carried) {
      KeyBlock keys = score(block, upper, range.keys);
      Value weights = e.roundToBf16(e.divf(e.exp2(e.subf(keys.scores, top)), total));
      SmallVector<Value> next{carried[0], carried[1]};
      append(next, carried, select(keys.valid, weights, e.splat(0, kKeysPerBlock)), {}, keys, range.values);
      return next;
    });
  }

  /// `weighed`: the weights have been divided by their sum.
  void finish(Value result, Value row, bool weighed) {
    Value scale = weighed ? Value() : e.divf(e.scalar(1), running[1]);
    for (auto [s, strip] : llvm::enumerate(valueStrips)) {
      auto [column, lanes] = strip;
      Value sum = scale ? e.mulf(running[2 + s], e.broadcast(scale, lanes)) : running[2 + s];
      e.store(sum, result, {row, e.add(head.resultColumn, column)});
    }
  }

private:
  struct KeyBlock {
    SmallVector<Value> numbers; // the last key again where the block is not full
    Value scores, valid;
  };
  struct Weighed {
    Value top, total, correction, weights;
  };

  KeyBlock score(Value block, Value upper, const KeySource &source) {
    KeyBlock keys;
    Value last = e.sub(upper, e.index(1));
    keys.scores = e.splat(0, kKeysPerBlock);
    for (int64_t i = 0; i < kKeysPerBlock; ++i) {
      keys.numbers.push_back(e.minimum(e.add(block, i), last));
      keys.scores = e.insert(dot(source, keys.numbers.back()), keys.scores, i);
    }
    if (source.isQuantised())
      keys.scores = e.mulf(keys.scores, scalesOf(source, keys.numbers));
    keys.valid = validLanes(e.sub(upper, block));
    keys.scores = select(keys.valid, keys.scores, e.splat(kLowest, kKeysPerBlock));
    return keys;
  }

  /// `carried`: the largest score and the sum of weights so far.
  Weighed weigh(const KeyBlock &keys, ValueRange carried) {
    Value top = e.maxf(carried[0], e.largest(keys.scores));
    Value weights = e.exp2(e.subf(keys.scores, e.broadcast(top, kKeysPerBlock)));
    weights = select(keys.valid, weights, e.splat(0, kKeysPerBlock));
    Value correction = e.exp2(e.subf(carried[0], top));
    return {top, e.fma(carried[1], correction, e.sum(weights)), correction, weights};
  }

  /// The sums of `carried`, corrected unless `correction` is null, plus the weighted values.
  void append(SmallVector<Value> &next, ValueRange carried, Value weights, Value correction, const KeyBlock &keys,
              const KeySource &values) {
    if (values.isQuantised())
      weights = e.mulf(weights, scalesOf(values, keys.numbers));
    for (auto [s, strip] : llvm::enumerate(valueStrips)) {
      auto [column, lanes] = strip;
      Value sum = correction ? e.mulf(carried[2 + s], e.broadcast(correction, lanes)) : carried[2 + s];
      for (int64_t i = 0; i < kKeysPerBlock; ++i)
        sum = e.fma(e.broadcast(e.extract(weights, i), lanes), values.load(e, keys.numbers[i], e.index(column), lanes),
                    sum);
      next.push_back(sum);
    }
  }

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
                             ArrayRef<SeenKeys> seen, bool roundWeights) {
  QueryEmitter query(e, head);
  query.start(q, row);
  if (roundWeights)
    for (const SeenKeys &keys : seen)
      query.measure(keys.begin, keys.end, keys.range);
  for (const SeenKeys &keys : seen)
    roundWeights ? query.addRounded(keys.begin, keys.end, keys.range) : query.attend(keys.begin, keys.end, keys.range);
  query.finish(result, row, roundWeights);
}
