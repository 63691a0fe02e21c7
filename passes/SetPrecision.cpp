//===- SetPrecision.cpp - stores weight matrices in a narrower type -------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

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
      signalPassFailure();
  }
};

} // namespace
