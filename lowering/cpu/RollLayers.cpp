//===- RollLayers.cpp - a loop over the layers of a step ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace samba {
#define GEN_PASS_DEF_SAMBAROLLLAYERS
#include "lowering/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

/// An operand of a call: a constant integer, which may differ from layer to layer, or a value, which may not.
struct Operand {
  Value value;
  std::optional<int64_t> constant;
};

struct Call {
  mutable func::CallOp op; // the accessors are not const
  SmallVector<Operand> operands;

  explicit Call(func::CallOp op) : op(op) {
    for (Value value : op.getOperands()) {
      APInt number;
      bool known = value.getType().isIntOrIndex() && matchPattern(value, m_ConstantInt(&number));
      operands.push_back({value, known ? std::optional<int64_t>(number.getSExtValue()) : std::nullopt});
    }
  }

  /// Whether both call the same function, with the same values but for constants.
  bool similar(const Call &other) const {
    return op.getCallee() == other.op.getCallee() && operands.size() == other.operands.size() &&
           llvm::all_of(llvm::zip_equal(operands, other.operands), [](auto pair) {
             auto [a, b] = pair;
             return a.constant && b.constant ? a.value.getType() == b.value.getType() : a.value == b.value;
           });
  }
};

/// `repeats` times `period` calls from number `first` on, whose constants grow by the same amount each time.
struct Pattern {
  size_t first = 0, period = 0, repeats = 1;
  size_t saved() const { return period * (repeats - 1); }
};

/// Longer periods than this are no layers.
constexpr size_t kLongestPeriod = 64;

size_t countRepeats(ArrayRef<Call> calls, size_t first, size_t period) {
  auto stepOf = [&](size_t call, size_t operand) {
    return *calls[call + period].operands[operand].constant - *calls[call].operands[operand].constant;
  };
  size_t repeats = 1;
  for (; first + (repeats + 1) * period <= calls.size(); ++repeats)
    for (size_t i = 0; i < period; ++i) {
      size_t before = first + (repeats - 1) * period + i;
      if (!calls[before].similar(calls[before + period]))
        return repeats;
      for (size_t operand = 0; operand < calls[before].operands.size(); ++operand)
        if (calls[before].operands[operand].constant && stepOf(first + i, operand) != stepOf(before, operand))
          return repeats;
    }
  return repeats;
}

Pattern bestPattern(ArrayRef<Call> calls) {
  Pattern best;
  for (size_t period = 1; period <= std::min(kLongestPeriod, calls.size() / 2); ++period)
    for (size_t first = 0; first + 2 * period <= calls.size(); ++first) {
      Pattern pattern{first, period, countRepeats(calls, first, period)};
      if (pattern.saved() > best.saved())
        best = pattern;
    }
  return best;
}

/// The calls of a block with nothing between them that has an effect.
SmallVector<SmallVector<Call>> runsOfCalls(Block &block) {
  SmallVector<SmallVector<Call>> runs(1);
  for (Operation &op : block) {
    if (auto call = dyn_cast<func::CallOp>(op); call && call.getNumResults() == 0)
      runs.back().emplace_back(call);
    else if (!isMemoryEffectFree(&op))
      runs.emplace_back();
  }
  return runs;
}

void roll(ArrayRef<Call> calls, const Pattern &pattern) {
  ArrayRef<Call> rolled = calls.slice(pattern.first, pattern.period * pattern.repeats);
  func::CallOp first = rolled.front().op, last = rolled.back().op;
  // What the calls need has no effect and no use for what they do, so it can come before all of them.
  for (Operation *op = first->getNextNode(); op != last;) {
    Operation *next = op->getNextNode();
    if (!isa<func::CallOp>(op))
      op->moveBefore(first);
    op = next;
  }
  OpBuilder b(first);
  Location loc = first.getLoc();
  auto index = [&](int64_t value) -> Value { return arith::ConstantIndexOp::create(b, loc, value); };
  Value none = index(0), count = index(pattern.repeats), one = index(1);
  scf::ForOp::create(b, loc, none, count, one, ValueRange{}, [&](OpBuilder &, Location, Value layer, ValueRange) {
    for (size_t i = 0; i < pattern.period; ++i) {
      const Call &call = rolled[i], &next = rolled[i + pattern.period];
      SmallVector<Value> operands;
      for (auto [operand, after] : llvm::zip_equal(call.operands, next.operands)) {
        int64_t step = operand.constant ? *after.constant - *operand.constant : 0;
        Value value = operand.value;
        if (step) {
          Value number = layer;
          if (!value.getType().isIndex())
            number = arith::IndexCastOp::create(b, call.op.getLoc(), value.getType(), layer);
          Value factor = arith::ConstantOp::create(b, call.op.getLoc(), b.getIntegerAttr(value.getType(), step));
          value = arith::AddIOp::create(b, call.op.getLoc(), value,
                                        arith::MulIOp::create(b, call.op.getLoc(), number, factor));
        }
        operands.push_back(value);
      }
      func::CallOp::create(b, call.op.getLoc(), call.op.getCallee(), TypeRange{}, operands);
    }
    scf::YieldOp::create(b, loc);
  });
  for (const Call &call : rolled)
    call.op->erase();
}

class RollLayers : public samba::impl::SambaRollLayersBase<RollLayers> {
public:
  using SambaRollLayersBase::SambaRollLayersBase;

  void runOnOperation() override {
    if (getOperation().isDeclaration() || !getOperation().getBody().hasOneBlock())
      return;
    for (ArrayRef<Call> calls : runsOfCalls(getOperation().getBody().front()))
      if (Pattern pattern = bestPattern(calls); pattern.repeats > 1)
        roll(calls, pattern);
  }
};

} // namespace
