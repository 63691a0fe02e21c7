//===- SetPrecision.cpp - stores weight matrices in a narrower type -------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Epilogues.h"
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

/// Whether a matrix is worth quantising: small ones cost accuracy and save nothing. An embedding alone reads single
/// rows.
bool worthQuantising(WeightOp weight, ArrayRef<OpOperand *> readers) {
  constexpr int64_t kFewest = 64;
  return llvm::all_of(weight.getTensorType().getShape(), [](int64_t size) { return size >= kFewest; }) &&
         llvm::any_of(readers, [](OpOperand *use) { return isa<LinearOp>(use->getOwner()); });
}

/// The groups of a matrix of so many inputs, if none are asked for. Each group of a product costs a conversion and two
/// multiplications, and 8 bits are precise enough for long ones; but a row is padded to whole groups.
int64_t defaultGroup(int64_t bits, int64_t inputs) {
  constexpr int64_t kShort = 64;
  if (bits == 8)
    for (int64_t longer : {256, 128})
      if (llvm::alignTo(inputs, longer) == llvm::alignTo(inputs, kShort))
        return longer;
  return kShort;
}

QuantAttr quantOf(Value value) {
  return dyn_cast_or_null<QuantAttr>(cast<RankedTensorType>(value.getType()).getEncoding());
}

struct SetPrecision : public samba::impl::SambaSetPrecisionBase<SetPrecision> {
  using SambaSetPrecisionBase::SambaSetPrecisionBase;

  void runOnOperation() override {
    int64_t bits = precision == "int8" ? 8 : precision == "int4" ? 4 : 0;
    auto emitOptionError = [&] { return emitError(getOperation().getLoc()); };
    if (precision != "f32" && precision != "bf16" && !bits) {
      emitOptionError() << "expected the precision f32, bf16, int8 or int4, got '" << precision << "'";
      return signalPassFailure();
    }
    if (bits && group && failed(QuantAttr::verify(emitOptionError, bits, group, 0)))
      return signalPassFailure();
    Type wide = Float32Type::get(&getContext()), narrow = BFloat16Type::get(&getContext());

    WeightUses uses(getOperation());
    llvm::MapVector<WeightOp, RankedTensorType> types;
    for (WeightOp weight : uses.weights()) {
      ArrayRef<OpOperand *> readers = uses.of(weight);
      // A transform is computed in f32, and its result may need the range and precision of it.
      if (readers.empty() || weight.getTransform() != WeightTransform::None ||
          !llvm::all_of(readers, [](OpOperand *use) { return acceptsNarrowElements(*use); }))
        continue;
      ArrayRef<int64_t> shape = weight.getTensorType().getShape();
      if (bits && worthQuantising(weight, readers))
        types[weight] = RankedTensorType::get(
            shape, wide, QuantAttr::get(&getContext(), bits, group ? group : defaultGroup(bits, shape.back()), 0));
      else
        types[weight] = weight.getTensorType().clone(precision == "f32" ? wide : narrow);
    }
    if (failed(uses.retype(types)))
      return signalPassFailure();
    getOperation().walk([&](func::FuncOp function) { roundInputs(function); });
  }

  /// How a linear wants its rows: rounded to this type, or (null) as they are.
  Type wantedRows(LinearOp linear) {
    Value x = linear.getX();
    auto type = cast<RankedTensorType>(x.getType());
    QuantAttr quant = quantOf(linear.getWeight());
    if (quant && quantiseRows && !quantOf(x))
      return RankedTensorType::get(type.getShape(), type.getElementType(),
                                   QuantAttr::get(&getContext(), 8, quant.getGroup(), 0));
    // Rounding to bf16 pays where the producer can store its result so.
    bool storesNarrow = x.getDefiningOp() && storesRounded(x.getDefiningOp());
    Type element = linear.getWeight().getType().getElementType();
    bool narrow = quant ? !quantiseRows : element.isBF16();
    return roundActivations && storesNarrow && narrow ? type.clone(BFloat16Type::get(&getContext())) : Type();
  }

  /// Rounds what linears multiply, once for all linears that share it.
  void roundInputs(func::FuncOp function) {
    llvm::MapVector<std::pair<Value, Type>, SmallVector<OpOperand *>> inputs;
    function.walk([&](LinearOp linear) {
      if (Type type = wantedRows(linear))
        inputs[{linear.getX(), type}].push_back(&linear.getXMutable());
    });
    for (auto &[input, operands] : inputs) {
      auto [x, type] = input;
      OpBuilder builder(x.getContext());
      builder.setInsertionPointAfterValue(x);
      bool quantised = bool(cast<RankedTensorType>(type).getEncoding());
      Value rounded = quantised ? Value(QuantizeRowsOp::create(builder, x.getLoc(), type, x))
                                : Value(arith::TruncFOp::create(builder, x.getLoc(), type, x));
      for (OpOperand *operand : operands)
        operand->set(rounded);
    }
  }
};

} // namespace
