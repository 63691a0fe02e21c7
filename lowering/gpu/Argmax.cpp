//===- Argmax.cpp - the token of the greatest logit -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a greedy sampler does, so that a step need not copy its logits to the host: of each row the lowest id among the
// greatest logits. No comparison with NaN holds, so NaN is never chosen; -1 says that there is nothing else. A block
// takes a part of the row; if there are several, a warp chooses among what they found.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kThreads = 256, kPart = 2048;
constexpr int64_t kNoId = INT32_MAX; // goes after all others

/// The best so far: a value and its id.
struct Best {
  Value value, id;

  static Best none(GpuEmitter &e) { return {e.scalar(-std::numeric_limits<double>::infinity()), e.index(kNoId)}; }

  Best orBetter(GpuEmitter &e, const Best &other) const {
    auto compare = [&](arith::CmpFPredicate predicate) -> Value {
      return arith::CmpFOp::create(e.b, e.loc, predicate, other.value, value);
    };
    Value first = e.both(compare(arith::CmpFPredicate::OEQ), e.less(other.id, id));
    Value better = arith::OrIOp::create(e.b, e.loc, compare(arith::CmpFPredicate::OGT), first);
    return {e.select(better, other.value, value), e.select(better, other.id, id)};
  }

  /// The best of `lanes` neighbouring threads; all of them get it.
  Best ofLanes(GpuEmitter &e, int64_t lanes) const {
    Best best = *this;
    for (int64_t mask = lanes / 2; mask > 0; mask /= 2)
      best = best.orBetter(e, {e.shuffleXor(best.value, mask), e.toIndex(e.shuffleXor(e.toInteger(best.id), mask))});
    return best;
  }

  Best ofBlock(GpuEmitter &e) const {
    int64_t warps = e.threads / kWarp;
    Type f32 = e.b.getF32Type(), i32 = e.b.getI32Type();
    Best best = ofLanes(e, kWarp);
    Value values = e.shared(warps * 4), ids = e.shared(warps * 4);
    e.when(e.equal(e.lane(), e.index(0)), [&] {
      e.store(best.value, values, f32, e.warp());
      e.storeRaw(e.toInteger(best.id), e.address(ids, i32, e.warp()), 4);
    });
    e.barrier();
    Value mine = e.bitAnd(e.lane(), warps - 1);
    return Best{e.load(values, f32, mine), e.loadIndex(ids, 32, mine)}.ofLanes(e, warps);
  }

  void storeToken(GpuEmitter &e, Value tokens, Value row) const {
    Value token = e.select(e.equal(id, e.index(kNoId)), e.index(-1), id);
    e.storeRaw(e.toInteger(token), e.address(tokens, e.b.getI32Type(), row), 4);
  }
};

Best bestOfPart(GpuEmitter &e, const Matrix &logits, Value pointer, Value row, Value part) {
  int64_t lanes = logits.vectorWidth(4);
  Best best = Best::none(e);
  for (int64_t first = 0; first < kPart; first += kThreads * lanes) {
    Value column = e.add(e.add(e.mul(part, kPart), first), e.mul(e.thread(), lanes));
    Value inside = e.less(column, e.index(logits.width));
    Value from = e.add(e.mul(row, logits.stride), e.select(inside, column, e.index(0)));
    for (auto [i, value] : llvm::enumerate(e.load(pointer, logits.element, from, lanes))) {
      // What is beyond the row counts as its first columns once more, under an id that loses.
      Value id = e.select(inside, e.add(column, i), e.index(kNoId));
      best = best.orBetter(e, {e.select(inside, value, e.scalar(-std::numeric_limits<double>::infinity())), id});
    }
  }
  return best.ofBlock(e);
}

void launchMerge(StepBuilder &s, const Matrix &values, const Matrix &ids, const LaunchArgument &tokens) {
  int64_t parts = values.width;
  StepBuilder::Spec spec{"argmax_merge", values.describe(), kWarp};
  spec.chooses = true;
  spec.grid[0].of = values.extent;
  s.launch(spec, {values.base, ids.base, tokens}, [&](GpuEmitter &e, ValueRange arguments) {
    Value row = e.block(0), start = e.mul(row, parts);
    Best none = Best::none(e);
    SmallVector<Value> found =
        e.loop(e.thread(), e.index(parts), kWarp, {none.value, none.id}, [&](Value part, ValueRange carried) {
          Value at = e.add(start, part);
          Best best = Best{carried[0], carried[1]}.orBetter(
              e, {e.load(arguments[0], values.element, at), e.loadIndex(arguments[1], 32, at)});
          return SmallVector<Value>{best.value, best.id};
        });
    Best best = Best{found[0], found[1]}.ofLanes(e, kWarp);
    e.when(e.equal(e.thread(), e.index(0)), [&] { best.storeToken(e, arguments[2], row); });
  });
}

} // namespace

void samba::launchArgmax(StepBuilder &s, const Matrix &logits) {
  int64_t parts = llvm::divideCeil(logits.width, kPart);
  LaunchArgument tokens{LaunchArgument::Kind::Output, 0, 0, "argmax"};
  StepBuilder::Spec spec{"argmax", logits.describe(), kThreads};
  spec.chooses = true;
  spec.grid[0].times = parts;
  spec.grid[1].of = logits.extent;
  if (parts == 1)
    return s.launch(spec, {logits.base, tokens}, [&](GpuEmitter &e, ValueRange arguments) {
      Value row = e.block(1);
      Best best = bestOfPart(e, logits, arguments[0], row, e.block(0));
      e.when(e.equal(e.thread(), e.index(0)), [&] { best.storeToken(e, arguments[1], row); });
    });
  Matrix values = s.buffer(parts, Float32Type::get(s.context()), logits.extent);
  Matrix ids = s.buffer(parts, IntegerType::get(s.context(), 32), logits.extent);
  s.launch(spec, {logits.base, values.base, ids.base}, [&](GpuEmitter &e, ValueRange arguments) {
    Value row = e.block(1), part = e.block(0), place = e.add(e.mul(row, parts), part);
    Best best = bestOfPart(e, logits, arguments[0], row, part);
    e.when(e.equal(e.thread(), e.index(0)), [&] {
      e.store(best.value, arguments[1], values.element, place);
      e.storeRaw(e.toInteger(best.id), e.address(arguments[2], ids.element, place), 4);
    });
  });
  launchMerge(s, values, ids, tokens);
}
