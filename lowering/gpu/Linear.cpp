//===- Linear.cpp - which kernel computes a matrix product ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/LinearEpilogue.h"

using namespace mlir;
using namespace samba;

void samba::launchLinear(StepBuilder &s, const LinearOperands &linear) {
  if (fitsLinearDecode(s, linear))
    return launchLinearDecode(s, linear);
  if (!linear.normWeight)
    return fitsLinearHopper(s, linear) ? launchLinearHopper(s, linear)
           : fitsLinearTensor(linear)  ? launchLinearTensor(s, linear)
           : fitsLinearSplit(linear)   ? launchLinearSplit(s, linear)
                                       : launchLinearTile(s, linear);
  LinearOperands rest = linear;
  rest.x = s.buffer(linear.x.width, linear.roundedTo ? linear.roundedTo : linear.x.element, linear.x.extent);
  rest.normWeight = {};
  launchRmsNorm(s, linear.x, linear.normWeight, linear.eps, rest.x);
  launchLinear(s, rest);
}

std::string samba::describe(const LinearOperands &linear) {
  std::string key;
  for (const Matrix *matrix :
       {&linear.x, &linear.weight, &linear.bias, &linear.residual, &linear.result, &linear.normWeight})
    key += matrix->describe() + " ";
  key += std::to_string(linear.outputs) + (linear.swiglu ? " swiglu" : "");
  if (linear.normWeight)
    key += llvm::formatv(" {0} {1}", linear.eps, linear.roundedTo).str();
  if (linear.conv)
    key += " conv " + describe(*linear.conv) + " at " + std::to_string(linear.convColumn);
  return key;
}

LinearArguments::LinearArguments(const LinearOperands &linear) {
  for (auto [matrix, place] : {std::pair(&linear.x, &x), std::pair(&linear.weight, &weight),
                               std::pair(&linear.bias, &bias), std::pair(&linear.residual, &residual),
                               std::pair(&linear.normWeight, &normWeight), std::pair(&linear.result, &result)})
    if (*matrix) {
      *place = list.size();
      list.push_back(matrix->base);
    }
  sizes = list.size();
  list.push_back(StepBuilder::input("sizes"));
  if (!linear.conv)
    return;
  conv = list.size();
  list.insert(list.end(), {linear.conv->weight.base,
                           linear.conv->result.base,
                           StepBuilder::input("segments"),
                           StepBuilder::input("states"),
                           {LaunchArgument::Kind::State, linear.conv->state.offset}});
  if (linear.conv->bias)
    list.push_back(linear.conv->bias.base);
}

ConvolutionPlaces LinearArguments::convolution(const LinearOperands &linear, ValueRange arguments) const {
  ValueRange own = arguments.drop_front(conv);
  return {own[0], linear.conv->bias ? own[5] : Value(), own[1], own[2], own[3], own[4]};
}

LinearEpilogue::LinearEpilogue(const LinearOperands &linear, const LinearArguments &places, ValueRange arguments)
    : linear(linear) {
  result = arguments[places.result];
  if (linear.bias)
    bias = arguments[places.bias];
  if (linear.residual)
    residual = arguments[places.residual];
}

void LinearEpilogue::store(GpuEmitter &e, Value row, Value column, ArrayRef<Value> sums, ArrayRef<Value> gated) const {
  SmallVector<Value> values(sums);
  int64_t lanes = values.size();
  auto addBias = [&](SmallVector<Value> &to, Value at) {
    for (auto [value, term] : llvm::zip(to, e.load(bias, linear.bias.element, at, lanes)))
      value = e.addf(value, term);
  };
  if (bias)
    addBias(values, column);
  if (!gated.empty()) {
    SmallVector<Value> up(gated);
    if (bias)
      addBias(up, e.add(column, linear.outputs / 2));
    for (auto [value, factor] : llvm::zip(values, up))
      value = e.mulf(e.silu(value), factor);
  }
  if (residual) {
    Value at = e.add(e.mul(row, linear.residual.stride), column);
    for (auto [value, term] : llvm::zip(values, e.load(residual, linear.residual.element, at, lanes)))
      value = e.addf(term, value);
  }
  e.store(values, result, linear.result.element, e.add(e.mul(row, linear.result.stride), column));
}

int64_t LinearEpilogue::vectorWidth(int64_t most) const {
  most = std::min(most, linear.result.vectorWidth(most));
  for (const Matrix *matrix : {&linear.bias, &linear.residual})
    if (*matrix)
      most = std::min(most, matrix->vectorWidth(most));
  return most;
}
