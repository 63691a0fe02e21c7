//===- AttentionTile.cpp - attention of a block of queries ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/AttentionTile.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include <cmath>

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kKeysPerBlock = 64;
enum { kTop = 0, kTotal = 1, kCorrection = 2 };

} // namespace

AttentionTile::AttentionTile(Emitter &e, int64_t headDim, int64_t valueDim, bool narrow, bool roundWeights)
    : e(e), headDim(headDim), valueDim(valueDim), queries(queriesOf(e.target)), lanes(e.target.lanes()),
      roundWeights(roundWeights) {
  // At the start of the function: memory of the stack that is reserved in a loop would be reserved again and again.
  OpBuilder::InsertionGuard guard(e.b);
  auto function = e.b.getInsertionBlock()->getParentOp()->getParentOfType<func::FuncOp>();
  if (!function)
    function = cast<func::FuncOp>(e.b.getInsertionBlock()->getParentOp());
  e.b.setInsertionPointToStart(&function.getBody().front());
  auto reserve = [&](int64_t rows, int64_t columns) -> Value {
    auto type = MemRefType::get({rows, columns}, e.b.getF32Type());
    return memref::AllocaOp::create(e.b, e.loc, type, e.b.getI64IntegerAttr(64));
  };
  panel = reserve(headDim, queries);
  scores = reserve(kKeysPerBlock, queries);
  sums = reserve(queries, valueDim);
  running = reserve(3, queries);
  if (narrow)
    wide = reserve(kKeysPerBlock, std::max(headDim, valueDim));
}

void AttentionTile::packQueries(Value q, const QueryBlock &block) {
  Value scale = e.scalar(kLog2E / std::sqrt(double(headDim))), zero = e.scalar(0);
  e.loop(e.index(0), e.index(queries), 1, [&](Value lane) {
    Value present = e.less(lane, block.count);
    e.whenElse(
        present,
        [&] {
          Value row = e.add(block.firstRow, lane);
          e.loop(e.index(0), e.index(headDim), 1, [&](Value p) {
            Value element = e.loadScalar(q, {row, e.add(block.head.column, p)});
            e.storeScalar(e.mulf(element, scale), panel, {p, lane});
          });
        },
        [&] { e.loop(e.index(0), e.index(headDim), 1, [&](Value p) { e.storeScalar(zero, panel, {p, lane}); }); });
    e.strips(valueDim, lanes, [&](Value column, int64_t n) { e.store(e.splat(0, n), sums, {lane, column}); });
  });
  for (int64_t lane = 0; lane < queries; lane += lanes) {
    e.store(e.splat(kLowest, lanes), running, {e.index(kTop), e.index(lane)});
    e.store(e.splat(0, lanes), running, {e.index(kTotal), e.index(lane)});
  }
}

// The scores of `tileRows` keys: a register tile over the head's lanes. Keys past the end are the last one again; like
// those out of a query's sight they get the lowest score.
void AttentionTile::scoreKeys(Value firstKey, Value lastKey, Value blockBegin, Value diagonal, Value upper,
                              int64_t window, const KeySource &keys, const KeyRange &range) {
  int64_t rows = e.target.tileRows, parts = queries / lanes;
  SmallVector<SmallVector<Value>> places;
  for (int64_t r = 0; r < rows; ++r)
    places.push_back(keys.place(e.minimum(e.add(firstKey, r), lastKey)));
  SmallVector<Value> zero(rows * parts, e.splat(0, lanes));
  // `count` lanes of the head, `step` at a time, which divides them.
  auto multiply = [&](Value begin, int64_t count, int64_t step, ValueRange sums,
                      llvm::function_ref<void(Value)> besides) {
    return e.loop(begin, e.add(begin, count), step, sums, [&](Value first, ValueRange carried) {
      SmallVector<Value> next(carried.begin(), carried.end());
      besides(first);
      for (int64_t i = 0; i < step; ++i) {
        Value p = e.add(first, i);
        SmallVector<Value> query;
        for (int64_t part = 0; part < parts; ++part)
          query.push_back(e.load(panel, {p, e.index(part * lanes)}, lanes));
        for (int64_t r = 0; r < rows; ++r) {
          SmallVector<Value> place = places[r];
          place.push_back(e.add(keys.column, p));
          Value element = e.broadcast(e.loadScalar(keys.memory, place), lanes);
          for (int64_t part = 0; part < parts; ++part)
            next[r * parts + part] = e.fma(element, query[part], next[r * parts + part]);
        }
      }
      return next;
    });
  };
  SmallVector<Value> tile;
  int64_t lines = std::max<int64_t>(1, headDim * int64_t(sizeof(float)) / e.target.lineBytes);
  if (headDim % (rows * lines) == 0) {
    // With each part of the head's lanes, the lines of a row of values of this block, and of a key of the next one.
    int64_t perRow = headDim / rows, perLine = perRow / lines;
    tile = e.loop(e.index(0), e.index(rows), 1, zero, [&](Value r, ValueRange sums) {
      Value key = e.add(firstKey, r), begin = e.mul(r, perRow);
      SmallVector<Value> values = range.values.place(e.minimum(key, lastKey));
      SmallVector<Value> later = range.keys.place(e.minimum(e.add(key, kKeysPerBlock), lastKey));
      auto ask = [&](SmallVector<Value> place, const KeySource &source, int64_t width, Value line) {
        place.push_back(e.add(source.column, e.mul(line, width / lines)));
        e.prefetch(source.memory, place, /*write=*/false, /*level=*/2);
      };
      return multiply(begin, perRow, perLine, sums, [&](Value p) {
        Value line = e.divFloor(e.sub(p, begin), perLine);
        ask(values, range.values, valueDim, line);
        ask(later, range.keys, headDim, line);
      });
    });
  } else {
    tile = multiply(e.index(0), headDim, 1, zero, [](Value) {});
  }

  auto storeScores = [&](llvm::function_ref<Value(int64_t r, int64_t part)> score) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t part = 0; part < parts; ++part)
        e.store(score(r, part), scores, {e.add(e.sub(firstKey, blockBegin), r), e.index(part * lanes)});
  };
  // The first and the last blocks of a window have keys that some lanes do not see, those between have none.
  Value end = e.add(firstKey, rows);
  Value allSeen = e.less(end, e.minimum(e.add(diagonal, 2), e.add(upper, 1)));
  if (window) {
    Value lastOut = e.add(diagonal, queries - 1 - window);
    allSeen = arith::AndIOp::create(e.b, e.loc, allSeen, e.less(lastOut, firstKey));
  }
  e.whenElse(
      allSeen, [&] { storeScores([&](int64_t r, int64_t part) { return tile[r * parts + part]; }); },
      [&] {
        storeScores([&](int64_t r, int64_t part) {
          return onlyInSight(tile[r * parts + part], part * lanes, e.add(firstKey, r), diagonal, upper, window);
        });
      });
}

// Lane l sees the key that stands `distance` after lane 0 if l - window < distance <= l, and if there is one.
Value AttentionTile::onlyInSight(Value score, int64_t firstLane, Value key, Value diagonal, Value upper,
                                 int64_t window) {
  auto words = VectorType::get({lanes}, e.b.getI64Type());
  auto word = [&](Value value) -> Value { return arith::IndexCastOp::create(e.b, e.loc, e.b.getI64Type(), value); };
  auto compare = [&](arith::CmpIPredicate predicate, Value x, Value y) -> Value {
    return arith::CmpIOp::create(e.b, e.loc, predicate, x, y);
  };
  auto laneNumbers = llvm::to_vector(llvm::seq<int64_t>(firstLane, firstLane + lanes));
  Value lane = arith::ConstantOp::create(e.b, e.loc, DenseElementsAttr::get(words, ArrayRef(laneNumbers)));
  Value distance = e.broadcast(word(e.sub(key, diagonal)), lanes);
  Value seen = compare(arith::CmpIPredicate::sle, distance, lane);
  if (window) {
    Value age = arith::AddIOp::create(e.b, e.loc, distance, e.broadcast(word(e.index(window)), lanes));
    seen = arith::AndIOp::create(e.b, e.loc, seen, compare(arith::CmpIPredicate::sgt, age, lane));
  }
  seen = arith::AndIOp::create(e.b, e.loc, seen, e.broadcast(e.less(key, upper), lanes));
  return arith::SelectOp::create(e.b, e.loc, seen, score, e.splat(kLowest, lanes));
}

// The weight, or zero if the score is that of a key out of sight.
Value AttentionTile::onlySeen(Value score, Value weight) {
  Value seen = arith::CmpFOp::create(e.b, e.loc, arith::CmpFPredicate::OGT, score, e.splat(kLowest / 2, lanes));
  return arith::SelectOp::create(e.b, e.loc, seen, weight, e.splat(0, lanes));
}

// The softmax of the block's first `count` scores, lane by lane: scores become weights.
void AttentionTile::weighKeys(Value count) {
  for (int64_t lane = 0; lane < queries; lane += lanes) {
    Value column = e.index(lane);
    Value before = e.load(running, {e.index(kTop), column}, lanes);
    Value top = e.loop(e.index(0), count, 1, before, [&](Value key, ValueRange carried) {
      return SmallVector<Value>{e.maxf(carried[0], e.load(scores, {key, column}, lanes))};
    })[0];
    Value correction = e.exp2(e.subf(before, top));
    Value total = e.mulf(e.load(running, {e.index(kTotal), column}, lanes), correction);
    total = e.loop(e.index(0), count, 1, total, [&](Value key, ValueRange carried) {
      Value score = e.load(scores, {key, column}, lanes);
      Value weight = onlySeen(score, e.exp2(e.subf(score, top)));
      e.store(weight, scores, {key, column});
      return SmallVector<Value>{e.addf(carried[0], weight)};
    })[0];
    e.store(top, running, {e.index(kTop), column});
    e.store(total, running, {e.index(kTotal), column});
    e.store(correction, running, {e.index(kCorrection), column});
  }
}

// The same when the largest score and the sum of all weights are known: rounded weights, and nothing to correct.
void AttentionTile::roundKeys(Value count) {
  for (int64_t lane = 0; lane < queries; lane += lanes) {
    Value column = e.index(lane);
    Value top = e.load(running, {e.index(kTop), column}, lanes);
    Value total = e.load(running, {e.index(kTotal), column}, lanes);
    e.loop(e.index(0), count, 1, [&](Value key) {
      Value score = e.load(scores, {key, column}, lanes);
      Value weight = e.roundToBf16(e.divf(e.exp2(e.subf(score, top)), total));
      e.store(onlySeen(score, weight), scores, {key, column});
    });
    e.store(e.splat(1, lanes), running, {e.index(kCorrection), column});
  }
}

// Corrects the sums and adds the weighted values of the block: register tiles of `tileRows` queries.
void AttentionTile::addValues(Value firstKey, Value count, const KeySource &values) {
  int64_t rows = e.target.tileRows;
  e.loop(e.index(0), e.index(queries), rows, [&](Value query) {
    e.strips(valueDim, 2 * lanes, [&](Value column, int64_t width) {
      auto parts = Emitter::stripList(width, lanes);
      SmallVector<Value> tile;
      for (int64_t r = 0; r < rows; ++r) {
        Value correction = e.loadScalar(running, {e.index(kCorrection), e.add(query, r)});
        for (auto [first, n] : parts)
          tile.push_back(e.mulf(e.load(sums, {e.add(query, r), e.add(column, first)}, n), e.broadcast(correction, n)));
      }
      tile = e.loop(e.index(0), count, 1, tile, [&](Value key, ValueRange carried) {
        SmallVector<Value> next(carried.begin(), carried.end());
        SmallVector<Value> place = values.place(e.add(firstKey, key));
        place.emplace_back();
        for (auto [part, strip] : llvm::enumerate(parts)) {
          place.back() = e.add(values.column, e.add(column, strip.first));
          Value value = e.load(values.memory, place, strip.second);
          for (int64_t r = 0; r < rows; ++r) {
            Value weight = e.broadcast(e.loadScalar(scores, {key, e.add(query, r)}), strip.second);
            Value &sum = next[r * parts.size() + part];
            sum = e.fma(weight, value, sum);
          }
        }
        return next;
      });
      for (int64_t r = 0; r < rows; ++r)
        for (auto [part, strip] : llvm::enumerate(parts))
          e.store(tile[r * parts.size() + part], sums, {e.add(query, r), e.add(column, strip.first)});
    });
  });
}

KeySource AttentionTile::widen(const KeySource &source, int64_t width, Value block, Value count) {
  if (!source.isNarrow())
    return source;
  e.loop(e.index(0), count, 1, [&](Value key) {
    Value j = e.add(block, key), scale = source.isQuantised() ? source.loadScale(e, j) : Value();
    e.strips(width, lanes, [&](Value column, int64_t n) {
      Value values = source.load(e, j, column, n);
      e.store(scale ? e.mulf(values, e.broadcast(scale, n)) : values, wide, {key, column});
    });
  });
  return {[this, block](Value j) { return SmallVector<Value>{e.sub(j, block)}; }, wide, e.index(0)};
}

void AttentionTile::walk(Walk kind, Value lower, Value upper, Value diagonal, int64_t window, const KeyRange &range) {
  Value last = e.sub(upper, e.index(1));
  e.loop(lower, upper, kKeysPerBlock, [&](Value block) {
    Value count = e.minimum(e.index(kKeysPerBlock), e.sub(upper, block));
    KeySource keys = widen(range.keys, headDim, block, count);
    e.loop(block, e.add(block, count), e.target.tileRows,
           [&](Value key) { scoreKeys(key, last, block, diagonal, upper, window, keys, range); });
    kind == Walk::AddRounded ? roundKeys(count) : weighKeys(count);
    if (kind != Walk::Measure)
      addValues(block, count, widen(range.values, valueDim, block, count));
  });
}

void AttentionTile::finish(Value result, const QueryBlock &block) {
  e.loop(e.index(0), block.count, 1, [&](Value lane) {
    Value scale = roundWeights ? Value() : e.divf(e.scalar(1), e.loadScalar(running, {e.index(kTotal), lane}));
    e.strips(valueDim, 2 * lanes, [&](Value column, int64_t n) {
      Value sum = e.load(sums, {lane, column}, n);
      e.store(scale ? e.mulf(sum, e.broadcast(scale, n)) : sum, result,
              {e.add(block.firstRow, lane), e.add(block.head.resultColumn, column)});
    });
  });
}

void AttentionTile::emit(const AttentionBuffers &buffers, const QueryBlock &block, ArrayRef<KeyRange> ranges) {
  packQueries(buffers.q, block);
  Value lastRow = e.sub(e.add(block.firstRow, block.count), e.index(1));
  KeyBounds bounds = keysOf(e, block, block.firstRow, lastRow);
  // The first query's own number: as a position for the ring, as a row for the rows.
  Value position = e.add(block.carried, e.sub(block.firstRow, block.segmentBegin));
  auto walkOver = [&](Walk kind) {
    walk(kind, bounds.ringBegin, bounds.ringEnd, position, block.window, ranges[0]);
    walk(kind, bounds.rowBegin, bounds.rowEnd, block.firstRow, block.window, ranges[1]);
  };
  if (roundWeights)
    walkOver(Walk::Measure);
  walkOver(roundWeights ? Walk::AddRounded : Walk::Attend);
  finish(buffers.result, block);
}
