//===- Upstream.cpp - operations of other dialects on values --------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/Evaluate.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/CheckedArithmetic.h"
#include <functional>

using namespace llvm;

namespace samba::reference {

namespace {

// A splat says nothing of its size in the text, so what a constant may ask of memory is bounded.
constexpr int64_t kMaxConstantElements = int64_t(1) << 28;

template <class F, class Combine>
Expected<Value<F>> elementwise(mlir::Operation *op, Lookup<F> lookup, Combine combine) {
  if (!mlir::getElementTypeOrSelf(op->getResult(0).getType()).isF32())
    return makeError("expected f32 elements, the only ones supported");
  const auto &a = *std::get_if<Tensor<F>>(&lookup(op->getOperand(0)));
  const auto &b = *std::get_if<Tensor<F>>(&lookup(op->getOperand(1)));
  if (Error error = checkShape("the second operand", b.shape, a.shape))
    return error;
  Tensor<F> y(a.shape);
  for (size_t i = 0; i < y.data.size(); ++i)
    y.data[i] = combine(a.data[i], b.data[i]);
  return y;
}

template <class F> Expected<Value<F>> truncate(mlir::arith::TruncFOp op, Lookup<F> lookup) {
  auto type = cast<mlir::FloatType>(mlir::getElementTypeOrSelf(op.getType()));
  const auto *x = std::get_if<Tensor<F>>(&lookup(op.getIn()));
  if (!x || (!type.isBF16() && !type.isF16()))
    return makeError("expected floating-point numbers rounded to bf16 or f16");
  Tensor<F> y = *x;
  for (F &value : y.data)
    value = roundTo(type, value);
  return y;
}

/// Nothing is lost: narrow values are held as what they were rounded to.
template <class F> Expected<Value<F>> extend(mlir::arith::ExtFOp op, Lookup<F> lookup) {
  if (const auto *x = std::get_if<Tensor<F>>(&lookup(op.getIn())))
    return *x;
  return makeError("expected floating-point numbers");
}

template <class F> Expected<Value<F>> constant(mlir::arith::ConstantOp op) {
  mlir::Attribute attribute = op.getValue();
  if (auto number = dyn_cast<mlir::FloatAttr>(attribute))
    return Tensor<F>({}, {F(number.getValueAsDouble())});
  if (auto number = dyn_cast<mlir::IntegerAttr>(attribute); number && number.getValue().isSignedIntN(64))
    return IntTensor({}, {number.getValue().getSExtValue()});
  auto dense = dyn_cast<mlir::DenseElementsAttr>(attribute);
  if (!dense || dense.getNumElements() > kMaxConstantElements)
    return makeError("expected a number or dense elements, at most {0}", kMaxConstantElements);
  Shape shape(dense.getType().getShape());
  if (isa<mlir::FloatType>(dense.getElementType())) {
    Tensor<F> y(shape);
    for (auto [element, value] : zip_equal(y.data, dense.getValues<APFloat>()))
      element = F(value.convertToDouble());
    return y;
  }
  if (!dense.getElementType().isIntOrIndex() ||
      (dense.getElementType().isInteger() && dense.getElementType().getIntOrFloatBitWidth() > 64))
    return makeError("expected floating-point numbers or integers of at most 64 bits");
  IntTensor y(shape);
  for (auto [element, value] : zip_equal(y.data, dense.getValues<APInt>()))
    element = value.getSExtValue();
  return y;
}

template <class F> Expected<Value<F>> dimension(mlir::tensor::DimOp op, Lookup<F> lookup) {
  int64_t index = std::get_if<IntTensor>(&lookup(op.getIndex()))->data[0];
  const Shape &shape = std::visit(
      [](const auto &value) -> const Shape & {
        static const Shape none;
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, StateBatch<F>>)
          return none;
        else
          return value.shape;
      },
      lookup(op.getSource()));
  if (index < 0 || index >= int64_t(shape.size()))
    return makeError("expected a dimension below {0}, got {1}", shape.size(), index);
  return IntTensor({}, {shape[index]});
}

/// The elements of `source` at `offsets + i * strides`, `i < sizes`; `dropped` dimensions vanish from the shape.
template <class T>
Expected<Tensor<T>> slice(const Tensor<T> &source, ArrayRef<int64_t> offsets, ArrayRef<int64_t> sizes,
                          ArrayRef<int64_t> strides, const SmallBitVector &dropped) {
  int64_t rank = source.shape.size();
  Shape shape, steps(rank, 1);
  for (int64_t d = rank - 2; d >= 0; --d)
    steps[d] = steps[d + 1] * source.shape[d + 1];
  for (int64_t d = 0; d < rank; ++d) {
    if (sizes[d] < 0 || offsets[d] < 0 || strides[d] < 1)
      return makeError("expected offset and size not negative and a positive stride in dimension {0}, got {1}, {2}, "
                       "{3}",
                       d, offsets[d], sizes[d], strides[d]);
    std::optional<int64_t> last = checkedMulAdd(sizes[d] - 1, strides[d], offsets[d]);
    if (!last || *last >= source.shape[d] || offsets[d] > source.shape[d])
      return makeError("expected a slice within the {0} elements of dimension {1}, got offset {2}, size {3}, stride "
                       "{4}",
                       source.shape[d], d, offsets[d], sizes[d], strides[d]);
    if (!dropped[d])
      shape.push_back(sizes[d]);
  }
  Tensor<T> y(shape);
  SmallVector<int64_t> index(rank, 0);
  for (T &element : y.data) {
    int64_t from = 0;
    for (int64_t d = 0; d < rank; ++d)
      from += (offsets[d] + index[d] * strides[d]) * steps[d];
    element = source.data[from];
    for (int64_t d = rank - 1; d >= 0 && ++index[d] == sizes[d]; --d)
      index[d] = 0;
  }
  return y;
}

template <class F> Expected<Value<F>> extractSlice(mlir::tensor::ExtractSliceOp op, Lookup<F> lookup) {
  auto numbers = [&](ArrayRef<mlir::OpFoldResult> mixed) {
    return SmallVector<int64_t>(map_range(mixed, [&](mlir::OpFoldResult number) {
      if (auto value = dyn_cast<mlir::Value>(number))
        return std::get_if<IntTensor>(&lookup(value))->data[0];
      return *mlir::getConstantIntValue(number);
    }));
  };
  SmallVector<int64_t> offsets = numbers(op.getMixedOffsets()), sizes = numbers(op.getMixedSizes()),
                       strides = numbers(op.getMixedStrides());
  return std::visit(
      [&](const auto &source) -> Expected<Value<F>> {
        if constexpr (std::is_same_v<std::decay_t<decltype(source)>, StateBatch<F>>) {
          return makeError("expected a tensor, got a state");
        } else {
          auto y = slice(source, offsets, sizes, strides, op.getDroppedDims());
          if (!y)
            return y.takeError();
          return Value<F>(std::move(*y));
        }
      },
      lookup(op.getSource()));
}

} // namespace

template <class F> Expected<std::vector<Value<F>>> evaluateUpstream(mlir::Operation *op, Lookup<F> lookup) {
  Expected<Value<F>> result =
      TypeSwitch<mlir::Operation *, Expected<Value<F>>>(op)
          .Case([&](mlir::arith::AddFOp) { return elementwise<F>(op, lookup, std::plus<F>()); })
          .Case([&](mlir::arith::SubFOp) { return elementwise<F>(op, lookup, std::minus<F>()); })
          .Case([&](mlir::arith::MulFOp) { return elementwise<F>(op, lookup, std::multiplies<F>()); })
          .Case([&](mlir::arith::TruncFOp op) { return truncate<F>(op, lookup); })
          .Case([&](mlir::arith::ExtFOp op) { return extend<F>(op, lookup); })
          .Case([&](mlir::arith::ConstantOp op) { return constant<F>(op); })
          .Case([&](mlir::tensor::DimOp op) { return dimension<F>(op, lookup); })
          .Case([&](mlir::tensor::ExtractSliceOp op) { return extractSlice<F>(op, lookup); })
          .Default([](mlir::Operation *) -> Expected<Value<F>> { return makeError("operation not supported"); });
  if (!result)
    return result.takeError();
  std::vector<Value<F>> values;
  values.push_back(std::move(*result));
  return values;
}

template Expected<std::vector<Value<float>>> evaluateUpstream<float>(mlir::Operation *, Lookup<float>);
template Expected<std::vector<Value<double>>> evaluateUpstream<double>(mlir::Operation *, Lookup<double>);

} // namespace samba::reference
