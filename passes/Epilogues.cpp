//===- Epilogues.cpp - operations that share another one's loop -----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Epilogues.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace samba;

arith::AddFOp samba::fusedAddition(LinearOp linear) {
  if (!linear.getResult().hasOneUse())
    return {};
  auto addition = dyn_cast<arith::AddFOp>(*linear.getResult().user_begin());
  if (!addition || addition->getBlock() != linear->getBlock())
    return {};
  Value other = addition.getLhs() == linear.getResult() ? addition.getRhs() : addition.getLhs();
  Operation *definition = other.getDefiningOp();
  return !definition || definition->getBlock() != linear->getBlock() || definition->isBeforeInBlock(linear)
             ? addition
             : arith::AddFOp();
}

bool samba::storesRounded(Operation *op) {
  return isNorm(op) ||
         isa<DifferentialNormOp, SwigluOp, SelectiveScanOp, SlidingWindowAttentionOp, CrossAttentionOp>(op);
}

arith::TruncFOp samba::fusedRounding(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || !value.hasOneUse() || !(storesRounded(op) || isa<RotaryOp>(op)))
    return {};
  auto rounding = dyn_cast<arith::TruncFOp>(*value.user_begin());
  return rounding && rounding->getBlock() == op->getBlock() ? rounding : arith::TruncFOp();
}

namespace {

/// An operand of a SwiGLU: the columns of a product from `column` on.
struct Operand {
  LinearOp linear;
  int64_t column;
};

Operand operandOf(Value value) {
  if (auto linear = value.getDefiningOp<LinearOp>())
    return {linear, 0};
  auto slice = value.getDefiningOp<tensor::ExtractSliceOp>();
  if (!slice || slice.getType().getRank() != 2 || slice.getStaticOffsets()[0] != 0 ||
      ShapedType::isDynamic(slice.getStaticOffsets()[1]) || !slice.getType().isDynamicDim(0) ||
      slice.getStaticStrides() != ArrayRef<int64_t>({1, 1}))
    return {{}, 0};
  return {slice.getSource().getDefiningOp<LinearOp>(), slice.getStaticOffsets()[1]};
}

/// Whether only the SwiGLU reads the value, itself or through slices.
bool readOnlyBy(SwigluOp swiglu, Value value) {
  return llvm::all_of(value.getUsers(), [&](Operation *user) {
    return user == swiglu || isa<tensor::DimOp>(user) ||
           (isa<tensor::ExtractSliceOp>(user) && user->getBlock() == swiglu->getBlock() &&
            readOnlyBy(swiglu, user->getResult(0)));
  });
}

/// Outputs of a matrix that a panel holds; what they will be if the matrix has no layout yet.
int64_t panelWidth(LinearOp linear) {
  constexpr int64_t kUsualWidth = 32;
  Attribute encoding = linear.getWeight().getType().getEncoding();
  if (auto layout = dyn_cast_or_null<LayoutAttr>(encoding))
    return layout.getWidth();
  auto quant = dyn_cast_or_null<QuantAttr>(encoding);
  return quant && quant.getWidth() ? quant.getWidth() : kUsualWidth;
}

} // namespace

std::optional<FusedGate> samba::fusedGate(SwigluOp swiglu) {
  Operand gate = operandOf(swiglu.getGate()), up = operandOf(swiglu.getUp());
  if (!isa<KernelOp>(swiglu->getParentOp()) || !gate.linear || !up.linear || swiglu.getGate() == swiglu.getUp())
    return std::nullopt;
  for (Operand operand : {gate, up})
    if (operand.linear->getBlock() != swiglu->getBlock() || !readOnlyBy(swiglu, operand.linear.getResult()) ||
        operand.column % panelWidth(operand.linear) != 0)
      return std::nullopt;
  RankedTensorType a = gate.linear.getWeight().getType(), b = up.linear.getWeight().getType();
  if (gate.linear.getX() != up.linear.getX() || a.getElementType() != b.getElementType() ||
      a.getEncoding() != b.getEncoding())
    return std::nullopt;
  return FusedGate{gate.linear, up.linear, gate.column, up.column};
}

SwigluOp samba::gateOf(LinearOp linear) {
  SmallVector<Value> values = {linear.getResult()};
  while (!values.empty())
    for (Operation *user : values.pop_back_val().getUsers()) {
      if (auto swiglu = dyn_cast<SwigluOp>(user))
        return fusedGate(swiglu) ? swiglu : SwigluOp();
      if (isa<tensor::ExtractSliceOp>(user))
        values.push_back(user->getResult(0));
    }
  return {};
}

/// Whether a value, or what it is a slice of, is there before `place`.
static bool availableAt(Value value, Operation *place) {
  Operation *definition = value.getDefiningOp();
  if (auto slice = dyn_cast_or_null<tensor::ExtractSliceOp>(definition))
    return availableAt(slice.getSource(), place);
  return !definition || definition->isBeforeInBlock(place);
}

RotaryOp samba::fusedRotation(RotaryOp rotary) {
  if (!isa<KernelOp>(rotary->getParentOp()))
    return {};
  for (RotaryOp other : rotary->getBlock()->getOps<RotaryOp>()) {
    if (other == rotary)
      return {};
    if (other.getTable() == rotary.getTable() && !fusedRotation(other) && availableAt(rotary.getX(), other))
      return other;
  }
  return {};
}

RotaryOp samba::roundingLoop(Operation *rounding) {
  if (!isa<QuantizeRowsOp, arith::TruncFOp>(rounding) || !isa<KernelOp>(rounding->getParentOp()) ||
      !llvm::all_of(rounding->getUsers(), llvm::IsaPred<SlidingWindowAttentionOp>))
    return {};
  Value x = rounding->getOperand(0);
  auto inHeadsOf = [&](RotaryOp rotary) {
    int64_t headDim = cast<RankedTensorType>(rotary.getTable().getType()).getDimSize(1);
    auto quantize = dyn_cast<QuantizeRowsOp>(rounding);
    return cast<RankedTensorType>(x.getType()).getDimSize(1) % headDim == 0 &&
           (!quantize || quantize.getQuant().getGroup() == headDim);
  };
  if (auto rotary = x.getDefiningOp<RotaryOp>()) {
    if (rotary->getBlock() != rounding->getBlock() || !x.hasOneUse() || !inHeadsOf(rotary) ||
        fusedRounding(x) == rounding)
      return {};
    RotaryOp first = fusedRotation(rotary);
    return first ? first : rotary;
  }
  auto isInTime = [&](RotaryOp rotary) {
    return availableAt(x, rotary) &&
           llvm::all_of(rounding->getUsers(), [&](Operation *user) { return rotary->isBeforeInBlock(user); });
  };
  for (RotaryOp rotary : rounding->getBlock()->getOps<RotaryOp>())
    if (!fusedRotation(rotary) && inHeadsOf(rotary) && isInTime(rotary))
      return rotary;
  return {};
}

bool samba::isNorm(Operation *op) { return isa<RmsNormOp, LayerNormOp>(op); }

bool samba::isPrologue(Operation *norm) {
  if (!(isNorm(norm) || isa<DifferentialNormOp>(norm)) || !isa<KernelOp>(norm->getParentOp()))
    return false;
  arith::TruncFOp rounding = fusedRounding(norm->getResult(0));
  Value rows = rounding ? rounding.getResult() : norm->getResult(0);
  return !rows.use_empty() && llvm::all_of(rows.getUses(), [](OpOperand &use) {
    auto linear = dyn_cast<LinearOp>(use.getOwner());
    return linear && &use == &linear.getXMutable();
  });
}

bool samba::isEpilogue(Operation *op) {
  if (auto rotary = dyn_cast<RotaryOp>(op))
    return bool(fusedRotation(rotary));
  if (isa<arith::TruncFOp, QuantizeRowsOp>(op))
    return fusedRounding(op->getOperand(0)) == op || roundingLoop(op);
  // The products of a gate are computed where the gate is.
  if (auto linear = dyn_cast<LinearOp>(op))
    return bool(gateOf(linear));
  return isa<arith::AddFOp>(op) && llvm::any_of(op->getOperands(), [&](Value operand) {
           auto linear = operand.getDefiningOp<LinearOp>();
           return linear && fusedAddition(linear) == op;
         });
}

int64_t samba::loopsOf(Operation *op, const Workload &workload, int64_t rows) {
  if (isPrologue(op))
    return rows > kPrologueRows ? 1 : 0;
  // New keys enter the ring when all queries are done with the old ones. One token alone replaces a key that it does
  // not see.
  return isa<SlidingWindowAttentionOp>(op) && workload.tokens > workload.segments ? 2 : 1;
}
