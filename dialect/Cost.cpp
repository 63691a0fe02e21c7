//===- Cost.cpp - what executing an operation costs -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Samba.h"

#include <algorithm>

using namespace mlir;
using namespace samba;

#include "dialect/CostInterface.cpp.inc"

namespace {

int64_t columns(Value value) { return cast<RankedTensorType>(value.getType()).getShape().back(); }
int64_t elementBytes(Value value) { return cast<RankedTensorType>(value.getType()).getElementTypeBitWidth() / 8; }

/// Calls `add(n, count)` for the lengths of the segments: at most two different ones.
template <class Add> void forEachLength(const Workload &workload, Add add) {
  int64_t segments = std::max<int64_t>(workload.segments, 1);
  int64_t shorter = workload.tokens / segments, longer = workload.tokens % segments;
  add(shorter, segments - longer);
  add(shorter + 1, longer);
}

/// Keys that the queries of a segment of `length` tokens see together, through a window of `slots`.
int64_t visibleKeys(int64_t length, int64_t context, int64_t slots) {
  // Queries before the window is full see one key more each.
  int64_t growing = std::clamp<int64_t>(slots - context, 0, length);
  return growing * context + growing * (growing + 1) / 2 + (length - growing) * slots;
}

} // namespace

OpCost samba::getCost(Operation *op, const Workload &workload) {
  if (auto known = dyn_cast<CostOpInterface>(op))
    return known.getCost(workload);
  if (OpTrait::hasElementwiseMappableTraits(op) && op->getNumResults() == 1)
    if (auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType()); type && type.getRank() == 2)
      return {workload.tokens * type.getDimSize(1), 0, 0, 0};
  return {};
}

bool samba::readsWhole(OpOperand &operand) {
  auto known = dyn_cast<CostOpInterface>(operand.getOwner());
  return !known || known.readsWhole(operand.getOperandNumber());
}

OpCost EmbeddingOp::getCost(const Workload &workload) {
  return {0, 0, 0, workload.tokens * columns(getTable()) * elementBytes(getTable())};
}

bool EmbeddingOp::readsWhole(unsigned operand) { return operand != getTableMutable().getOperandNumber(); }

OpCost GatherRowsOp::getCost(const Workload &workload) {
  return {0, 0, 0, workload.tokens * columns(getX()) * elementBytes(getX())};
}

bool GatherRowsOp::readsWhole(unsigned operand) { return operand != getXMutable().getOperandNumber(); }

OpCost RmsNormOp::getCost(const Workload &workload) {
  // The sum of squares, and two products.
  return {4 * workload.tokens * columns(getX()), 0, 0, 0};
}

OpCost LayerNormOp::getCost(const Workload &workload) {
  // The sum, the sum of squared differences, and their product with the weight.
  return {(6 + (getBias() ? 1 : 0)) * workload.tokens * columns(getX()), 0, 0, 0};
}

OpCost DifferentialNormOp::getCost(const Workload &workload) {
  // The difference, the sum of squares, and two products; lambda once for each row.
  int64_t lambda = columns(getLambda());
  return {workload.tokens * (6 * columns(getResult()) + lambda), 3 * workload.tokens, 0, 0};
}

OpCost LinearOp::getCost(const Workload &workload) {
  int64_t outputs = columns(getResult()), perOutput = 2 * columns(getX()) + (getBias() ? 1 : 0);
  return {workload.tokens * outputs * perOutput, 0, 0, 0};
}

OpCost SwigluOp::getCost(const Workload &workload) {
  int64_t elements = workload.tokens * columns(getResult());
  return {3 * elements, elements, 0, 0};
}

OpCost QuantizeRowsOp::getCost(const Workload &workload) { return {4 * workload.tokens * columns(getX()), 0, 0, 0}; }

OpCost RotaryTableOp::getCost(const Workload &workload) {
  int64_t elements = workload.tokens * columns(getResult());
  return {elements / 2, elements, 0, 0};
}

OpCost RotaryOp::getCost(const Workload &workload) { return {3 * workload.tokens * columns(getX()), 0, 0, 0}; }

OpCost CausalConv1dOp::getCost(const Workload &workload) {
  int64_t elements = workload.tokens * columns(getX());
  bool silu = getActivation() == Activation::Silu;
  int64_t perElement = 2 * columns(getWeight()) + (getBias() ? 1 : 0) + (silu ? 2 : 0);
  return {elements * perElement, silu ? elements : 0, 2 * workload.segments * getState().getType().getSizeInBytes(), 0};
}

OpCost SelectiveScanOp::getCost(const Workload &workload) {
  int64_t channels = workload.tokens * columns(getU()), states = columns(getA());
  // dt * A, exp, decay * h + (dt * u) * B, and C * h summed up.
  OpCost cost{channels * (6 * states + 1), channels * states,
              2 * workload.segments * getState().getType().getSizeInBytes(), 0};
  if (getDeltaBias())
    cost.flops += channels;
  if (getDeltaSoftplus()) {
    cost.flops += 3 * channels;
    cost.exps += 2 * channels;
  }
  if (getD())
    cost.flops += 2 * channels;
  if (getZ()) {
    cost.flops += 3 * channels;
    cost.exps += channels;
  }
  return cost;
}

OpCost SlidingWindowAttentionOp::getCost(const Workload &workload) {
  int64_t slots = getCapacity(), lanes = getHeadDim() + getValueDim(), visible = 0, slotsTouched = 0;
  forEachLength(workload, [&](int64_t length, int64_t count) {
    visible += count * visibleKeys(length, workload.context, slots);
    if (length > 0)
      slotsTouched += count * (std::min(slots, workload.context) + std::min(slots, length));
  });
  int64_t scores = visible * getNumHeads();
  int64_t slotBytes = getKeyState().getType().getSizeInBytes() / slots;
  return {scores * (2 * lanes + 3), scores, 2 * slotsTouched * slotBytes, 0};
}

OpCost CrossAttentionOp::getCost(const Workload &workload) {
  // The rows are the last ones of each segment, which has seen the context and what is before them.
  int64_t slots = getCapacity(), visible = 0, slotsTouched = 0;
  int64_t segments = std::max<int64_t>(workload.segments, 1), length = workload.tokens / segments;
  forEachLength({workload.rows, segments, 0, 0}, [&](int64_t rows, int64_t count) {
    int64_t before = workload.context + std::max<int64_t>(length - rows, 0);
    visible += count * visibleKeys(rows, before, slots);
    if (rows > 0)
      slotsTouched += count * std::min(slots, before + rows);
  });
  int64_t scores = visible * getNumHeads();
  int64_t slotBytes = getKeyState().getType().getSizeInBytes() / slots;
  return {scores * (2 * (getHeadDim() + getValueDim()) + 3), scores, 2 * slotsTouched * slotBytes, 0};
}
