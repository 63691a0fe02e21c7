//===- StepAttention.cpp - attention of a step ----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/AttentionKeys.h"
#include "lowering/gpu/StepLowering.h"

#include "dialect/Numerics.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace samba;

/// A query or key in memory.
Matrix StepLowering::rotated(Value value) {
  auto rotation = rotations.find(value);
  if (rotation == rotations.end())
    return matrix(value);
  Matrix result = destination(value, rotation->second.x.extent);
  launchRotary(s, rotation->second.x, rotation->second.table, result);
  return result;
}

/// What a thread keeps of heads has to fit its registers.
template <typename Attention> static LogicalResult checkHeads(Attention op) {
  constexpr int64_t kWidestHead = 256, kWidestValue = 512;
  if (op.getHeadDim() > kWidestHead)
    return op.emitOpError() << "expected heads of at most " << kWidestHead << " lanes, got " << op.getHeadDim();
  if (op.getValueDim() > kWidestValue)
    return op.emitOpError() << "expected values of at most " << kWidestValue << " lanes, got " << op.getValueDim();
  return success();
}

/// Whether all that becomes of an attention, or of its differences, is rounded to bf16: that says that the model is one
/// of bf16.
static bool isRounded(Value result) {
  if (!result.hasOneUse())
    return false;
  Operation *user = *result.user_begin();
  if (auto norm = dyn_cast<DifferentialNormOp>(user))
    return isRounded(norm.getResult());
  auto rounding = dyn_cast<arith::TruncFOp>(user);
  return rounding && getElementTypeOrSelf(rounding.getType()).isBF16();
}

LogicalResult StepLowering::lowerAttention(SlidingWindowAttentionOp op) {
  if (failed(checkHeads(op)))
    return failure();
  AttentionOperands attention;
  auto q = rotations.find(op.getQ()), k = rotations.find(op.getK());
  if (q != rotations.end() && k != rotations.end()) {
    attention.q = q->second.x;
    attention.k = k->second.x;
    attention.table = q->second.table;
  } else {
    attention.q = rotated(op.getQ());
    attention.k = rotated(op.getK());
  }
  attention.v = matrix(op.getV());
  attention.keys = states.lookup(op.getKeyState());
  attention.values = states.lookup(op.getValueState());
  attention.windowed = op.getWindow().has_value();
  attention.roundWeights = op->hasAttr(kRoundWeights);
  attention.result = destination(op.getResult(), attention.q.extent);
  attention.inBf16 = isRounded(op.getResult());
  joinDifferences(attention, op.getResult());
  launchAttention(s, attention);
  bind(op.getKeyState(), op.getNewKeyState());
  bind(op.getValueState(), op.getNewValueState());
  return success();
}

LogicalResult StepLowering::lowerCrossAttention(CrossAttentionOp op) {
  if (failed(checkHeads(op)))
    return failure();
  AttentionOperands attention;
  attention.q = matrix(op.getQ());
  attention.rows = integers.lookup(op.getRows());
  attention.keys = states.lookup(op.getKeyState());
  attention.values = states.lookup(op.getValueState());
  attention.windowed = false;
  attention.roundWeights = op->hasAttr(kRoundWeights);
  attention.result = destination(op.getResult(), attention.q.extent);
  joinDifferences(attention, op.getResult());
  launchAttention(s, attention);
  bind(op.getKeyState(), op.getNewKeyState());
  bind(op.getValueState(), op.getNewValueState());
  return success();
}

DifferentialNormOperands StepLowering::differencesOf(DifferentialNormOp op) {
  Matrix x = matrix(op.getX());
  return {x,
          matrix(op.getLambda()),
          matrix(op.getWeight()),
          destination(op.getResult(), x.extent),
          integers.lookup(op.getDepth()),
          int64_t(op.getPairs()),
          op.getEps().convertToDouble()};
}

// Where the parts of a ring are put together, the differences of heads are at hand.
void StepLowering::joinDifferences(AttentionOperands &attention, Value result) {
  auto norm = result.hasOneUse() ? dyn_cast<DifferentialNormOp>(*result.user_begin()) : DifferentialNormOp();
  if (!norm || norm->getBlock() != result.getParentBlock() || !isa<KernelOp>(norm->getParentOp()) ||
      integers.lookup(norm.getDepth()).kind != LaunchArgument::Kind::Number || splitsOfAttention(s, attention) == 1)
    return;
  attention.differences = differencesOf(norm);
  done.insert(norm);
}

LogicalResult StepLowering::lowerDifferentialNorm(DifferentialNormOp op) {
  if (integers.lookup(op.getDepth()).kind != LaunchArgument::Kind::Number)
    return op.emitOpError() << "expected a depth that is a constant of the public function";
  launchDifferentialNorm(s, differencesOf(op));
  return success();
}
