//===- SetPrecision.cpp - stores weight matrices in a narrower type -------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Passes.h"
#include "passes/WeightUses.h"

namespace samba {
#define GEN_PASS_DEF_SAMBASETPRECISION
#include "passes/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

/// Whether the operation reads the operand as a matrix that it widens element by element.
bool acceptsNarrowElements(OpOperand &use) {
  if (auto linear = dyn_cast<LinearOp>(use.getOwner()))
    return use.getOperandNumber() == linear.getWeightMutable().getOperandNumber();
  if (auto embedding = dyn_cast<EmbeddingOp>(use.getOwner()))
    return use.getOperandNumber() == embedding.getTableMutable().getOperandNumber();
  return false;
}

struct SetPrecision : public samba::impl::SambaSetPrecisionBase<SetPrecision> {
  using SambaSetPrecisionBase::SambaSetPrecisionBase;

  void runOnOperation() override {
    Type elementType;
    if (precision == "f32")
      elementType = Float32Type::get(&getContext());
    else if (precision == "bf16")
      elementType = BFloat16Type::get(&getContext());
    if (!elementType) {
      emitError(getOperation().getLoc()) << "expected the precision f32 or bf16, got '" << precision << "'";
      return signalPassFailure();
    }

    WeightUses uses(getOperation());
    llvm::MapVector<WeightOp, RankedTensorType> types;
    for (WeightOp weight : uses.weights()) {
      ArrayRef<OpOperand *> readers = uses.of(weight);
      // A transform is computed in f32, and its result may need the range and precision of it.
      if (readers.empty() || weight.getTransform() != WeightTransform::None ||
          !llvm::all_of(readers, [](OpOperand *use) { return acceptsNarrowElements(*use); }))
        continue;
      types[weight] = weight.getTensorType().clone(elementType);
    }
    if (failed(uses.retype(types)))
      return signalPassFailure();
    if (roundActivations && elementType.isBF16())
      getOperation().walk([&](func::FuncOp function) { roundInputs(function); });
  }

  /// Rounds what linears multiply with narrow matrices, once for all linears that share it.
  void roundInputs(func::FuncOp function) {
    llvm::MapVector<Value, SmallVector<OpOperand *>> inputs;
    function.walk([&](LinearOp linear) {
      Value x = linear.getX();
      bool storesNarrow =
          isa_and_present<RmsNormOp, SwigluOp, SelectiveScanOp, SlidingWindowAttentionOp>(x.getDefiningOp());
      if (storesNarrow && linear.getWeight().getType().getElementType().isBF16())
        inputs[x].push_back(&linear.getXMutable());
    });
    for (auto &[x, operands] : inputs) {
      OpBuilder builder(x.getContext());
      builder.setInsertionPointAfterValue(x);
      Type narrow = cast<RankedTensorType>(x.getType()).clone(builder.getBF16Type());
      Value rounded = arith::TruncFOp::create(builder, x.getLoc(), narrow, x);
      for (OpOperand *operand : operands)
        operand->set(rounded);
    }
  }
};

} // namespace
