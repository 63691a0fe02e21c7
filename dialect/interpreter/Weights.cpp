//===- Weights.cpp - values of weights ------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/Evaluate.h"

#include "dialect/Numerics.h"
#include "dialect/Quantisation.h"
#include "llvm/ADT/APFloat.h"
#include <cmath>

using namespace llvm;

namespace samba::reference {

namespace {

/// What is left of a weight after quantisation, which works on f32.
template <class F> void roundGroups(Tensor<F> &weight, QuantAttr quant) {
  int64_t columns = weight.shape[1], group = quant.getGroup();
  std::vector<float> values(group);
  std::vector<int8_t> codes(group);
  for (int64_t row = 0; row < weight.shape[0]; ++row)
    for (int64_t first = 0; first < columns; first += group) {
      int64_t count = std::min(group, columns - first);
      F *elements = &weight.data[row * columns + first];
      std::copy(elements, elements + count, values.begin());
      float scale = quantiseWeights(ArrayRef(values).take_front(count), quant.getBits(), codes.data());
      for (int64_t i = 0; i < count; ++i)
        elements[i] = F(scale) * F(codes[i]);
    }
}

} // namespace

template <class F> F roundTo(mlir::FloatType type, F value) {
  APFloat number(value);
  bool lossy;
  number.convert(type.getFloatSemantics(), APFloat::rmNearestTiesToEven, &lossy);
  number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &lossy);
  return F(number.convertToDouble());
}

template float roundTo(mlir::FloatType, float);
template double roundTo(mlir::FloatType, double);

template <class F> Expected<Tensor<F>> evaluateWeight(WeightOp weight, const WeightSource &source) {
  mlir::RankedTensorType type = weight.getTensorType();
  mlir::Type element = type.getElementType();
  if (!element.isF32() && !element.isBF16() && !element.isF16())
    return makeError("expected '{0}' declared in f32, bf16 or f16", weight.getSymName());

  bool roundSource = weight->hasAttr(kRoundSource), plusOne = weight->hasAttr(kPlusOne);
  Tensor<F> values{Shape(type.getShape()), {}};
  values.data.reserve(type.getNumElements());
  for (const WeightOp::Part &part : weight.getParts()) {
    Expected<TensorView> view = source.lookup(part.source);
    if (!view)
      return view.takeError();
    std::optional<int64_t> first = part.firstElementIn(view->shape);
    if (!first)
      return makeError("expected tensor '{0}' {1} {2}, apart from unit sizes, got {3}", part.source,
                       part.firstRow ? "with rows from " + std::to_string(*part.firstRow) + " on of shape" : "of shape",
                       shapeText(part.shape), shapeText(view->shape));
    int64_t elements = view->numElements(), end = *first + numElements(part.shape);
    if (int64_t(view->bytes.size() / dtypeSize(view->dtype)) != elements)
      return makeError("expected {0} elements in tensor '{1}', got {2} bytes of {3}", elements, part.source,
                       view->bytes.size(), dtypeName(view->dtype));
    for (int64_t i = *first; i < end; ++i) {
      float value = loadElement(view->bytes.data(), view->dtype, i);
      if (roundSource)
        value = roundTo(mlir::BFloat16Type::get(weight.getContext()), value);
      if (plusOne)
        value += 1.0f;
      if (weight.getTransform() == WeightTransform::NegExp)
        values.data.push_back(-std::exp(F(value))); // always f32, so there is nothing to round
      else if (element.isF32())
        values.data.push_back(F(value));
      else
        values.data.push_back(F(roundTo(cast<mlir::FloatType>(element), value)));
    }
  }
  if (auto quant = dyn_cast_or_null<QuantAttr>(type.getEncoding()))
    roundGroups(values, quant);
  return values;
}

template Expected<Tensor<float>> evaluateWeight(WeightOp, const WeightSource &);
template Expected<Tensor<double>> evaluateWeight(WeightOp, const WeightSource &);

} // namespace samba::reference
