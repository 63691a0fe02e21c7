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
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "passes/KernelFusion.h"
#include <cmath>

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

//===----------------------------------------------------------------------===//
// In lowered code
//===----------------------------------------------------------------------===//

/// The operations of type Op in the loops that an operation of the dialect has become, in order.
template <class Op> SmallVector<Op> inLoopsOf(ModuleOp module, StringRef name) {
  SmallVector<Op> found;
  module.walk([&](scf::ForallOp loop) {
    auto description = loop->getAttrOfType<DictionaryAttr>("samba.loop");
    if (description && description.getAs<StringAttr>("op") == name)
      loop.walk([&](Op op) { found.push_back(op); });
  });
  return found;
}

std::optional<int64_t> constantOf(Value value) {
  auto constant = value.getDefiningOp<arith::ConstantIndexOp>();
  return constant ? std::optional<int64_t>(constant.value()) : std::nullopt;
}

Value constantBefore(Operation *op, int64_t value) {
  OpBuilder builder(op);
  return arith::ConstantIndexOp::create(builder, op->getLoc(), value);
}

// x sin + y cos, both with the same sign.
void breakRotation(ModuleOp module) {
  auto difference = inLoopsOf<arith::SubFOp>(module, "rotary").back();
  OpBuilder builder(difference);
  difference.replaceAllUsesWith(
      arith::AddFOp::create(builder, difference.getLoc(), difference.getLhs(), difference.getRhs()).getResult());
}

// The first and the last tap of a convolution change places.
void breakTaps(ModuleOp module) {
  SmallVector<math::FmaOp> taps;
  for (math::FmaOp fma : inLoopsOf<math::FmaOp>(module, "causal_conv1d"))
    if (auto load = fma.getA().getDefiningOp<vector::LoadOp>(); load && load->getBlock() != fma->getBlock())
      taps.push_back(fma);
  Value first = taps.front().getA();
  taps.front().setOperand(0, taps.back().getA());
  taps.back().setOperand(0, first);
}

// 2^x where e^x is meant.
void breakExponential(ModuleOp module) {
  for (arith::MulFOp product : llvm::reverse(inLoopsOf<arith::MulFOp>(module, "selective_scan"))) {
    auto factor = product.getRhs().getDefiningOp<arith::ConstantOp>();
    auto values = factor ? dyn_cast<SplatElementsAttr>(factor.getValue()) : SplatElementsAttr();
    if (!values || std::abs(values.getSplatValue<float>() - 1.442695f) > 1e-5f)
      continue;
    product.replaceAllUsesWith(product.getLhs());
    return;
  }
}

// The state of a scan stays what it was.
void breakStateWrite(ModuleOp module) {
  for (vector::StoreOp store : llvm::reverse(inLoopsOf<vector::StoreOp>(module, "selective_scan")))
    if (!store->getParentOfType<scf::ForOp>())
      return store.erase();
}

// One key more is in sight than there should be: its slot is still there. In the paths for few and for many queries.
void breakOldestKey(ModuleOp module) {
  for (arith::SubIOp difference : inLoopsOf<arith::SubIOp>(module, "sliding_window_attention"))
    if (std::optional<int64_t> behind = constantOf(difference.getRhs()); behind && *behind > 1)
      difference.setOperand(1, constantBefore(difference, *behind + 1));
}

// All groups of a quantised row are scaled like the first, in tiles of any size. The scales are read last.
void breakScale(ModuleOp module) {
  llvm::MapVector<Block *, arith::MulIOp> places;
  for (arith::MulIOp place : inLoopsOf<arith::MulIOp>(module, "linear"))
    if (isa<BlockArgument>(place.getLhs()) && constantOf(place.getRhs()) == 4)
      places[place->getBlock()] = place;
  for (auto [block, place] : places)
    place.setOperand(1, constantBefore(place, 0));
}

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
    {"test-break-rotation", breakRotation},
    {"test-break-taps", breakTaps},
    {"test-break-exponential", breakExponential},
    {"test-break-state-write", breakStateWrite},
    {"test-break-oldest-key", breakOldestKey},
    {"test-break-scale", breakScale},
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
