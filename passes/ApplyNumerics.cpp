//===- ApplyNumerics.cpp - puts the roundings of a profile into the IR ----===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Numerics.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/CostModel.h"
#include "passes/Epilogues.h"
#include "passes/Passes.h"
#include "passes/WeightUses.h"

namespace samba {
#define GEN_PASS_DEF_SAMBAAPPLYNUMERICS
#include "passes/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

class Applier {
public:
  Applier(ModuleOp module, const Numerics &numerics) : module(module), numerics(numerics), b(module.getContext()) {}

  void run() {
    roundParameters();
    module.walk([&](SelectiveScanOp scan) {
      if (numerics["ssm_state"] == "bf16")
        scan->setAttr(kRoundState, b.getUnitAttr());
      if (numerics["softplus"] == "log" && scan.getDeltaSoftplus())
        scan->setAttr(kPlainLog, b.getUnitAttr());
      if (numerics["dt_bias"] == "fused")
        fuseBias(scan);
      if (numerics["gate_on"] == "rounded")
        gateAfterwards(scan);
    });
    if (numerics["rope_angle"] == "f32")
      module.walk([&](RotaryTableOp table) { table->setAttr(kNarrowAngles, b.getUnitAttr()); });
    if (numerics["norm_offset"] == "1")
      addOne();
    if (numerics["dtype"] == "bf16")
      roundValues();
  }

private:
  /// What the source of A, of D and of the bias of dt_proj says is rounded, whatever the model's type.
  void roundParameters() {
    if (numerics["ssm_param_round"] != "bf16")
      return;
    WeightUses uses(module);
    for (WeightOp weight : uses.weights())
      if (llvm::any_of(uses.of(weight), [](OpOperand *use) {
            auto scan = dyn_cast<SelectiveScanOp>(use->getOwner());
            return scan &&
                   (use->get() == scan.getA() || use->get() == scan.getD() || use->get() == scan.getDeltaBias());
          }))
        weight->setAttr(kRoundSource, b.getUnitAttr());
  }

  /// Norms whose weights are stored as their difference from 1.
  void addOne() {
    WeightUses uses(module);
    for (WeightOp weight : uses.weights())
      if (llvm::any_of(uses.of(weight), [](OpOperand *use) {
            auto norm = dyn_cast<RmsNormOp>(use->getOwner());
            return norm && use->get() == norm.getWeight();
          }))
        weight->setAttr(kPlusOne, b.getUnitAttr());
  }

  /// The bias moves from the scan into the product that makes delta.
  void fuseBias(SelectiveScanOp scan) {
    auto linear = scan.getDelta().getDefiningOp<LinearOp>();
    if (!linear || linear.getBias() || !linear->hasOneUse() || !scan.getDeltaBias())
      return;
    linear.getBiasMutable().assign(scan.getDeltaBias());
    scan.getDeltaBiasMutable().clear();
  }

  /// The scan passes its result on, which is then rounded like any other, and a product gates it.
  void gateAfterwards(SelectiveScanOp scan) {
    Value z = scan.getZ();
    if (!z)
      return;
    scan.getZMutable().clear();
    b.setInsertionPointAfter(scan);
    auto gated = SwigluOp::create(b, scan.getLoc(), scan.getResult().getType(), z, scan.getResult());
    scan.getResult().replaceAllUsesExcept(gated, gated);
  }

  void roundValues() {
    SmallVector<Value> values;
    SmallVector<Operation *> norms;
    module.walk([&](Operation *op) {
      if (isRounded(op))
        values.push_back(op->getResult(0));
      if (isNorm(op))
        norms.push_back(op);
    });
    for (Value value : values)
      round(value);
    module.walk([&](Operation *op) {
      if (isa<RotaryOp>(op) && numerics["rope_math"] == "model")
        op->setAttr(kRoundProducts, b.getUnitAttr());
      if (isa<SelectiveScanOp>(op) && numerics["scan_out"] == "model")
        op->setAttr(kRoundOutput, b.getUnitAttr());
      if (isa<SlidingWindowAttentionOp, CrossAttentionOp>(op) && numerics["attn_p"] == "model")
        op->setAttr(kRoundWeights, b.getUnitAttr());
    });
    for (Operation *norm : norms) {
      if (auto rms = dyn_cast<RmsNormOp>(norm); rms && rms.getWeight() && numerics["norm_cast"] == "hf")
        rms->setAttr(kRoundNormalised, b.getUnitAttr());
      if (numerics["norm_input"] == "model" && numerics["residual"] == "f32")
        norm->setOperand(0, rounded(norm->getOperand(0), norm));
    }
  }

  /// Whether the first result of the operation is to be rounded.
  bool isRounded(Operation *op) {
    if (isNorm(op) || isa<EmbeddingOp, DifferentialNormOp, SwigluOp, CausalConv1dOp, SelectiveScanOp,
                          SlidingWindowAttentionOp, CrossAttentionOp, RotaryOp>(op))
      return true;
    if (isa<RotaryTableOp>(op))
      return numerics["rope_table"] == "model";
    if (isa<arith::AddFOp>(op))
      return numerics["residual"] == "model" && isActivation(op->getResult(0).getType());
    if (auto linear = dyn_cast<LinearOp>(op)) {
      bool returned = llvm::any_of(linear->getUsers(), [](Operation *user) { return isa<func::ReturnOp>(user); });
      bool isHead = returned && op->getParentOfType<func::FuncOp>().isPublic();
      return !isHead || numerics["logits"] == "model";
    }
    return false;
  }

  void round(Value value) {
    SmallVector<OpOperand *> uses = llvm::map_to_vector(value.getUses(), [](OpOperand &use) { return &use; });
    b.setInsertionPointAfterValue(value);
    Value result = roundHere(value);
    for (OpOperand *use : uses)
      use->set(result);
  }

  Value rounded(Value value, Operation *reader) {
    b.setInsertionPoint(reader);
    return roundHere(value);
  }

  /// There and back: what other operations read is f32.
  Value roundHere(Value value) {
    auto type = cast<RankedTensorType>(value.getType());
    Value narrow = arith::TruncFOp::create(b, value.getLoc(), type.clone(b.getBF16Type()), value);
    return arith::ExtFOp::create(b, value.getLoc(), type, narrow);
  }

  ModuleOp module;
  const Numerics &numerics;
  OpBuilder b;
};

struct ApplyNumerics : public samba::impl::SambaApplyNumericsBase<ApplyNumerics> {
  using SambaApplyNumericsBase::SambaApplyNumericsBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    llvm::Expected<Numerics> numerics = Numerics::of(module);
    llvm::Error failed = numerics ? numerics->set(flags) : numerics.takeError();
    if (failed) {
      emitError(module.getLoc()) << llvm::toString(std::move(failed));
      return signalPassFailure();
    }
    Applier(module, *numerics).run();
    // What is in the IR now must not be put there again.
    module->removeAttr(Numerics::kAttribute);
  }
};

} // namespace
