//===- Miscompiles.cpp - passes that break models -------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each pass `test-break-NAME` makes one mistake of the kind that real passes make, once, at the last place in the
// module where it can, and leaves IR that verifies. The checks must catch every one of them.
//
//===----------------------------------------------------------------------===//

#include "dialect/Samba.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "passes/KernelFusion.h"

using namespace mlir;
using namespace samba;

namespace {

using Mistake = void (*)(ModuleOp);

/// The last operation of the kind that `accepts` wants.
template <class Op> Op last(ModuleOp module, llvm::function_ref<bool(Op)> accepts = [](Op) { return true; }) {
  Op found;
  module.walk([&](Op op) {
    if (accepts(op))
      found = op;
  });
  return found;
}

void swapOperands(Operation *op, unsigned a, unsigned b) {
  Value first = op->getOperand(a);
  op->setOperand(a, op->getOperand(b));
  op->setOperand(b, first);
}

// The block's own output is added twice, its input not at all.
void breakResidual(ModuleOp module) {
  auto add = last<arith::AddFOp>(module);
  add.getLhsMutable().assign(add.getRhs());
}

void breakBias(ModuleOp module) {
  last<CausalConv1dOp>(module, [](CausalConv1dOp op) { return bool(op.getBias()); }).getBiasMutable().clear();
}

void breakGate(ModuleOp module) {
  auto swiglu = last<SwigluOp>(module, [](SwigluOp op) { return op.getGate() != op.getUp(); });
  swapOperands(swiglu, 0, 1);
}

// Attention over everything cannot be had from a ring of a few slots.
void breakWindow(ModuleOp module) { last<SlidingWindowAttentionOp>(module).removeWindowAttr(); }

// Each of the two states ends up in the place of the other.
void breakState(ModuleOp module) {
  auto attention = last<SlidingWindowAttentionOp>(module);
  Value keys = attention.getNewKeyState(), values = attention.getNewValueState();
  OpOperand &first = *keys.use_begin(), &second = *values.use_begin();
  first.set(values);
  second.set(keys);
}

void breakHeads(ModuleOp module) {
  auto attention = last<SlidingWindowAttentionOp>(module);
  swapOperands(attention, 1, 2);
}

void breakEps(ModuleOp module) { last<RmsNormOp>(module).setEps(APFloat(1.0e-6f)); }

// A of a scan as it stands in the checkpoint, not -exp of it.
void breakTransform(ModuleOp module) {
  last<WeightOp>(module, [](WeightOp op) {
    return op.getTransform() == WeightTransform::NegExp;
  }).setTransform(WeightTransform::None);
}

void breakActivation(ModuleOp module) { last<CausalConv1dOp>(module).setActivation(Activation::None); }

void breakSkip(ModuleOp module) {
  last<SelectiveScanOp>(module, [](SelectiveScanOp op) { return bool(op.getD()); }).getDMutable().clear();
}

void breakTheta(ModuleOp module) { last<RotaryTableOp>(module).setTheta(APFloat(1.0001e4)); }

// Columns start one early.
void breakSlice(ModuleOp module) {
  auto slice =
      last<tensor::ExtractSliceOp>(module, [](tensor::ExtractSliceOp op) { return op.getStaticOffsets()[1] > 0; });
  SmallVector<int64_t> offsets(slice.getStaticOffsets());
  --offsets[1];
  slice.setStaticOffsets(offsets);
}

void breakSoftplus(ModuleOp module) { last<SelectiveScanOp>(module).setDeltaSoftplus(false); }

// After the lowering: something is never written.
void breakStore(ModuleOp module) { last<vector::StoreOp>(module).erase(); }

constexpr std::pair<llvm::StringLiteral, Mistake> kMistakes[] = {
    {"test-break-residual", breakResidual},
    {"test-break-bias", breakBias},
    {"test-break-gate", breakGate},
    {"test-break-window", breakWindow},
    {"test-break-state", breakState},
    {"test-break-heads", breakHeads},
    {"test-break-eps", breakEps},
    {"test-break-transform", breakTransform},
    {"test-break-activation", breakActivation},
    {"test-break-skip", breakSkip},
    {"test-break-theta", breakTheta},
    {"test-break-slice", breakSlice},
    {"test-break-softplus", breakSoftplus},
    {"test-break-store", breakStore},
};

struct Break : public PassWrapper<Break, OperationPass<ModuleOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(Break)

  Break(StringRef name, Mistake mistake) : name(name), mistake(mistake) {}
  StringRef getArgument() const override { return name; }
  StringRef getDescription() const override { return "breaks a model, for tests of the checks"; }
  void runOnOperation() override { mistake(getOperation()); }

  StringRef name;
  Mistake mistake;
};

/// Fuses norms as samba-fuse-norm does, and changes the last one in attention.
struct BreakFusion : public PassWrapper<BreakFusion, OperationPass<func::FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(BreakFusion)

  StringRef getArgument() const override { return "test-break-fusion"; }
  StringRef getDescription() const override { return "fuses norms, one of them wrongly"; }

  void runOnOperation() override {
    KernelFuser fuser(getOperation(), getArgument(), {});
    int64_t fused = fuser.fuse(
        [](const FusionEdge &edge) { return isa<RmsNormOp>(edge.producer) && isa<LinearOp>(edge.use->getOwner()); });
    RmsNormOp last;
    getOperation().walk([&](RmsNormOp norm) { last = norm; });
    if (fused > 0 && getOperation().getSymName() == "attention")
      last.setEps(APFloat(1.0e-6f));
  }
};

} // namespace

extern "C" LLVM_ATTRIBUTE_WEAK PassPluginLibraryInfo mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "Miscompiles", LLVM_VERSION_STRING, [] {
            PassRegistration<BreakFusion>();
            for (auto [name, mistake] : kMistakes)
              registerPass([name = name, mistake = mistake] { return std::make_unique<Break>(name, mistake); });
          }};
}
