//===- Weights.cpp - values of weights ------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/Evaluate.h"

#include "llvm/ADT/APFloat.h"
#include <cmath>

using namespace llvm;

namespace samba::reference {

namespace {

/// The nearest number of `type`, ties to even.
float roundTo(const fltSemantics &type, float value) {
  APFloat number(value);
  bool lossy;
  number.convert(type, APFloat::rmNearestTiesToEven, &lossy);
  number.convert(APFloat::IEEEsingle(), APFloat::rmNearestTiesToEven, &lossy);
  return number.convertToFloat();
}

Shape withoutUnits(ArrayRef<int64_t> shape) {
  Shape kept;
  copy_if(shape, std::back_inserter(kept), [](int64_t size) { return size != 1; });
  return kept;
}

} // namespace

template <class F> Expected<Tensor<F>> evaluateWeight(WeightOp weight, const WeightSource &source) {
  Expected<TensorView> view = source.lookup(weight.getSource());
  if (!view)
    return view.takeError();
  mlir::RankedTensorType type = weight.getTensorType();
  if (withoutUnits(view->shape) != withoutUnits(type.getShape()))
    return makeError("expected tensor '{0}' of shape {1}, apart from unit sizes, got {2}", weight.getSource(),
                     shapeText(type.getShape()), shapeText(view->shape));
  Tensor<F> values{Shape(type.getShape())};
  if (view->bytes.size() / dtypeSize(view->dtype) != values.data.size())
    return makeError("expected {0} elements in tensor '{1}', got {2} bytes of {3}", values.data.size(),
                     weight.getSource(), view->bytes.size(), dtypeName(view->dtype));

  mlir::Type element = type.getElementType();
  if (!element.isF32() && !element.isBF16() && !element.isF16())
    return makeError("expected '{0}' declared in f32, bf16 or f16", weight.getSymName());
  for (size_t i = 0; i < values.data.size(); ++i) {
    float value = loadElement(view->bytes.data(), view->dtype, i);
    if (weight.getTransform() == WeightTransform::NegExp)
      values.data[i] = -std::exp(F(value)); // always f32, so there is nothing to round
    else if (element.isF32())
      values.data[i] = F(value);
    else
      values.data[i] = F(roundTo(cast<mlir::FloatType>(element).getFloatSemantics(), value));
  }
  return values;
}

template Expected<Tensor<float>> evaluateWeight(WeightOp, const WeightSource &);
template Expected<Tensor<double>> evaluateWeight(WeightOp, const WeightSource &);

} // namespace samba::reference
