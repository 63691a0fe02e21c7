//===- Linear.cpp - which kernel computes a matrix product ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/LinearEpilogue.h"
#include "lowering/gpu/Norm.h"

using namespace mlir;
using namespace samba;

static int64_t rowsOf(const StepBuilder &s, const LinearOperands &linear) {
  return s.limits().of(linear.result.extent);
}

/// The linear of rows that are normalised already.
static LinearOperands withoutNorm(StepBuilder &s, const LinearOperands &linear, Type element) {
  LinearOperands rest = linear;
  rest.x = s.buffer(linear.x.width, element, linear.x.extent);
  rest.norm = {};
  launchNorm(s, linear.x, linear.norm, rest.x);
  return rest;
}

// Tensor cores take bf16, 16 bytes at once. One row is not worth rounding, nor are rows that are not made up of that.
static void launchQuantised(StepBuilder &s, LinearOperands linear) {
  constexpr int64_t kTogether = 8;
  if (rowsOf(s, linear) == 1 && (!linear.norm.weight || fitsQuantDecodeNorm(linear)))
    return launchLinearQuantDecode(s, linear);
  Type bf16 = BFloat16Type::get(s.context());
  bool fits = rowsOf(s, linear) > 1 && linear.x.width % kTogether == 0;
  if (linear.norm.weight) {
    linear = withoutNorm(s, linear, fits || linear.roundedTo ? bf16 : linear.x.element);
  } else if (fits && !(linear.x.element.isBF16() && linear.x.vectorWidth(kTogether) == kTogether)) {
    Matrix rounded = s.buffer(linear.x.width, bf16, linear.x.extent);
    launchCopy(s, linear.x, rounded);
    linear.x = rounded;
  }
  if (!fits)
    return launchLinearQuantDecode(s, linear);
  fitsLinearFew(s, linear) ? launchLinearFew(s, linear)
  : s.isHopper()           ? launchLinearQuantHopper(s, linear)
                           : launchLinearQuant(s, linear);
}

bool samba::joinsConvolution(const StepBuilder &s, const LinearOperands &linear) {
  constexpr int64_t kMostRows = 16;
  return linear.weight.quant ? rowsOf(s, linear) <= kMostRows : fitsLinearFew(s, linear) || fitsLinearDecode(s, linear);
}

void samba::launchLinear(StepBuilder &s, const LinearOperands &linear) {
  if (linear.weight.quant)
    return launchQuantised(s, linear);
  if (fitsLinearFew(s, linear))
    return launchLinearFew(s, linear.norm.weight ? withoutNorm(s, linear, linear.roundedTo) : linear);
  if (fitsLinearDecode(s, linear))
    return launchLinearDecode(s, linear);
  if (!linear.norm.weight)
    return fitsLinearHopper(s, linear) ? launchLinearHopper(s, linear)
           : fitsLinearTensor(linear)  ? launchLinearTensor(s, linear)
           : fitsLinearSplit(linear)   ? launchLinearSplit(s, linear)
                                       : launchLinearTile(s, linear);
  launchLinear(s, withoutNorm(s, linear, linear.roundedTo ? linear.roundedTo : linear.x.element));
}

std::string samba::describe(const LinearOperands &linear) {
  std::string key;
  for (const Matrix *matrix : {&linear.x, &linear.weight, &linear.bias, &linear.residual, &linear.result})
    key += matrix->describe() + " ";
  key += std::to_string(linear.outputs) + (linear.swiglu ? " swiglu" : "");
  if (linear.norm.weight)
    key += llvm::formatv(" {0} {1}", describe(linear.norm), linear.roundedTo).str();
  if (linear.conv)
    key += " conv " + describe(*linear.conv) + " at " + std::to_string(linear.convColumn);
  return key;
}

LinearArguments::LinearArguments(const LinearOperands &linear) {
  for (auto [matrix, place] :
       {std::pair(&linear.x, &x), std::pair(&linear.weight, &weight), std::pair(&linear.bias, &bias),
        std::pair(&linear.residual, &residual), std::pair(&linear.norm.weight, &normWeight),
        std::pair(&linear.norm.bias, &normBias), std::pair(&linear.result, &result)})
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

LaunchArgument samba::mapOf(const Matrix &matrix, GridSize rows, int64_t boxRows) {
  LaunchArgument argument = matrix.base;
  argument.map = MatrixMap{matrix.width, matrix.stride * 2, rows, boxRows};
  return argument;
}

LinearEpilogue::LinearEpilogue(const LinearOperands &linear, const LinearArguments &places, ValueRange arguments)
    : linear(linear), places(places), arguments(arguments) {
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

void LinearEpilogue::storeInside(GpuEmitter &e, Value row, Value column, ArrayRef<Value> sums, ArrayRef<Value> gated,
                                 bool tail) const {
  e.when(tail ? e.less(column, e.index(linear.result.width)) : Value(), [&] { store(e, row, column, sums, gated); });
}

void LinearEpilogue::storeOrConvolve(GpuEmitter &e, Value row, Value column, ArrayRef<Value> sums,
                                     ArrayRef<Value> gated) const {
  if (!linear.conv)
    return store(e, row, column, sums, gated);
  for (size_t i = 0; i < sums.size(); ++i) {
    Value own = e.add(column, i), channel = e.sub(own, e.index(linear.convColumn)), input = sums[i];
    Value inside = e.both(e.less(e.index(-1), channel), e.less(channel, e.index(linear.conv->x.width)));
    e.whenElse(
        inside,
        [&] {
          if (bias)
            input = e.addf(input, e.load(bias, linear.bias.element, own));
          emitConvolutionStep(e, *linear.conv, places.convolution(linear, arguments), channel, row, input);
        },
        [&] { store(e, row, own, sums.slice(i, 1), gated.empty() ? gated : gated.slice(i, 1)); });
  }
}

int64_t LinearEpilogue::vectorWidth(int64_t most) const {
  most = std::min(most, linear.result.vectorWidth(most));
  for (const Matrix *matrix : {&linear.bias, &linear.residual})
    if (*matrix)
      most = std::min(most, matrix->vectorWidth(most));
  return most;
}
