//===- PackWeights.cpp - chooses the memory layout of weights -------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"
#include "passes/WeightUses.h"

namespace samba {
#define GEN_PASS_DEF_SAMBAPACKWEIGHTS
#include "passes/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

/// Outputs of a panel of quantised elements where matrices are row-major: as many as a tensor core takes at once.
constexpr int64_t kQuantWidth = 8;

/// The layout that a reader of a weight wants: a null attribute means row-major; none, that it reads whatever layout
/// the others want.
std::optional<LayoutAttr> getWantedLayout(OpOperand &use, int64_t panelWidth) {
  MLIRContext *context = use.getOwner()->getContext();
  unsigned operand = use.getOperandNumber();
  return TypeSwitch<Operation *, std::optional<LayoutAttr>>(use.getOwner())
      .Case<LinearOp>([&](LinearOp op) -> std::optional<LayoutAttr> {
        if (panelWidth == 0)
          return LayoutAttr();
        bool narrow = op.getWeight().getType().getElementTypeBitWidth() == 16;
        return operand == op.getWeightMutable().getOperandNumber()
                   ? LayoutAttr::get(context, narrow ? LayoutKind::PanelPairs : LayoutKind::Panel, panelWidth)
                   : LayoutAttr();
      })
      .Case<EmbeddingOp>([&](EmbeddingOp op) { return std::nullopt; })
      .Case<SelectiveScanOp>([&](SelectiveScanOp op) {
        return operand == op.getAMutable().getOperandNumber() ? LayoutAttr::get(context, LayoutKind::Transposed, 0)
                                                              : LayoutAttr();
      })
      .Case<CausalConv1dOp>([&](CausalConv1dOp op) {
        return operand == op.getWeightMutable().getOperandNumber() ? LayoutAttr::get(context, LayoutKind::Transposed, 0)
                                                                   : LayoutAttr();
      })
      .Default([](Operation *) { return LayoutAttr(); });
}

std::string layoutText(LayoutAttr layout) {
  if (!layout)
    return "row-major";
  std::string text;
  llvm::raw_string_ostream(text) << layout;
  return text;
}

/// The layout that all readers of the weight agree on.
FailureOr<LayoutAttr> chooseLayout(WeightOp weight, ArrayRef<OpOperand *> readers, int64_t panelWidth) {
  OpOperand *decider = nullptr;
  LayoutAttr layout;
  for (OpOperand *use : readers) {
    std::optional<LayoutAttr> wanted = getWantedLayout(*use, panelWidth);
    if (!wanted)
      continue;
    if (!decider) {
      decider = use;
      layout = *wanted;
    } else if (*wanted != layout) {
      return weight.emitError() << "expected uses of weight '" << weight.getSymName() << "' that want one layout, got "
                                << decider->getOwner()->getName() << " (" << layoutText(layout) << ") and "
                                << use->getOwner()->getName() << " (" << layoutText(*wanted) << ")";
    }
  }
  return layout;
}

struct PackWeights : public samba::impl::SambaPackWeightsBase<PackWeights> {
  using SambaPackWeightsBase::SambaPackWeightsBase;

  void runOnOperation() override {
    auto emitOptionError = [&] { return emitError(getOperation().getLoc()); };
    if (panelWidth != 0 && failed(LayoutAttr::verify(emitOptionError, LayoutKind::Panel, panelWidth)))
      return signalPassFailure();

    WeightUses uses(getOperation());
    llvm::MapVector<WeightOp, RankedTensorType> types;
    for (WeightOp weight : uses.weights()) {
      if (uses.of(weight).empty())
        continue;
      FailureOr<LayoutAttr> layout = chooseLayout(weight, uses.of(weight), panelWidth);
      if (failed(layout))
        return signalPassFailure();
      RankedTensorType type = weight.getTensorType();
      Attribute encoding = *layout;
      if (auto quant = dyn_cast_or_null<QuantAttr>(type.getEncoding())) // panels of groups, whatever reads them
        encoding = QuantAttr::get(quant.getContext(), quant.getBits(), quant.getGroup(),
                                  panelWidth ? int64_t(panelWidth) : kQuantWidth);
      types[weight] = RankedTensorType::get(type.getShape(), type.getElementType(), encoding);
    }
    if (failed(uses.retype(types)))
      signalPassFailure();
  }
};

} // namespace
