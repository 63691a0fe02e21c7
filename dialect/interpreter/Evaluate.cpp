//===- Evaluate.cpp - operations of the samba dialect on values -----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/Evaluate.h"

#include "dialect/Numerics.h"
#include "dialect/interpreter/Operations.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace llvm;

namespace samba::reference {

namespace {

/// Operands as what their types say they are. The interpreter has checked every value against its type.
template <class F> struct Operands {
  Lookup<F> lookup;

  const Tensor<F> &rows(mlir::Value value) const { return *std::get_if<Tensor<F>>(&lookup(value)); }
  const Tensor<F> *optional(mlir::Value value) const { return value ? &rows(value) : nullptr; }
  const IntTensor &integers(mlir::Value value) const { return *std::get_if<IntTensor>(&lookup(value)); }
  const StateBatch<F> &states(mlir::Value value) const { return *std::get_if<StateBatch<F>>(&lookup(value)); }
};

template <class F> using Results = Expected<std::vector<Value<F>>>;

template <class F> Results<F> one(Expected<Tensor<F>> result) {
  if (!result)
    return result.takeError();
  std::vector<Value<F>> values;
  values.push_back(std::move(*result));
  return values;
}

template <class F> Results<F> two(Expected<Stepped<F>> result) {
  if (!result)
    return result.takeError();
  std::vector<Value<F>> values;
  values.push_back(std::move(result->result));
  values.push_back(std::move(result->state));
  return values;
}

template <class F> Results<F> three(Expected<AttentionOutputs<F>> result) {
  if (!result)
    return result.takeError();
  std::vector<Value<F>> values;
  values.push_back(std::move(result->result));
  values.push_back(std::move(result->keys));
  values.push_back(std::move(result->values));
  return values;
}

template <class F> Tensor<F> roundedToBf16(mlir::Operation *op, Tensor<F> values) {
  auto type = mlir::BFloat16Type::get(op->getContext());
  for (F &value : values.data)
    value = F(roundTo(type, value));
  return values;
}

template <class F> Expected<Tensor<F>> scaleColumns(Tensor<F> rows, const Tensor<F> &factors) {
  int64_t width = rows.shape[1];
  if (Error error = checkShape("weight", factors.shape, {width}))
    return std::move(error);
  for (size_t i = 0; i < rows.data.size(); ++i)
    rows.data[i] *= factors.data[i % width];
  return rows;
}

Error checkSizes(StringRef what, mlir::ShapedType type, ArrayRef<int64_t> actual) {
  bool same = type.getRank() == int64_t(actual.size());
  for (size_t i = 0; same && i < actual.size(); ++i)
    same = type.isDynamicDim(i) || type.getDimSize(i) == actual[i];
  if (same)
    return Error::success();
  std::string text;
  raw_string_ostream(text) << mlir::Type(type);
  return makeError("expected {0} of type {1}, got shape {2}", what, text, shapeText(actual));
}

} // namespace

template <class F> Error checkType(StringRef what, mlir::Type type, const Value<F> &value) {
  if (auto state = dyn_cast<StateType>(type)) {
    auto *batch = std::get_if<StateBatch<F>>(&value);
    if (!batch)
      return makeError("expected {0} to be a state, got a tensor", what);
    return checkStates(what, *batch, batch->sequences.size(), state.getShape());
  }
  auto ranked = dyn_cast<mlir::RankedTensorType>(type);
  mlir::Type element = ranked ? ranked.getElementType() : type;
  const Shape *shape = nullptr;
  if (isa<mlir::FloatType>(element)) {
    auto *tensor = std::get_if<Tensor<F>>(&value);
    if (!tensor)
      return makeError("expected {0} to hold floating-point numbers", what);
    shape = &tensor->shape;
  } else if (element.isIntOrIndex()) {
    auto *tensor = std::get_if<IntTensor>(&value);
    if (!tensor)
      return makeError("expected {0} to hold integers", what);
    shape = &tensor->shape;
  } else {
    std::string text;
    raw_string_ostream(text) << type;
    return makeError("type {0} of {1} is not supported", text, what);
  }
  return ranked ? checkSizes(what, ranked, *shape) : checkShape(what, *shape, {});
}

template <class F> Expected<std::vector<Value<F>>> evaluateSamba(mlir::Operation *op, Lookup<F> lookup) {
  Operands<F> in{lookup};
  return TypeSwitch<mlir::Operation *, Results<F>>(op)
      .Case([&](EmbeddingOp op) { return one(embedding(in.integers(op.getTokens()), in.rows(op.getTable()))); })
      .Case([&](GatherRowsOp op) { return one(gatherRows(in.rows(op.getX()), in.integers(op.getRows()))); })
      .Case([&](RmsNormOp op) {
        F eps = F(op.getEps().convertToFloat());
        if (!op.getWeight() || !op->hasAttr(kRoundNormalised))
          return one(rmsNorm(in.rows(op.getX()), in.optional(op.getWeight()), eps));
        Expected<Tensor<F>> normalised = rmsNorm(in.rows(op.getX()), static_cast<const Tensor<F> *>(nullptr), eps);
        return one(normalised ? scaleColumns(roundedToBf16(op, std::move(*normalised)), in.rows(op.getWeight()))
                              : normalised.takeError());
      })
      .Case([&](LayerNormOp op) {
        return one(layerNorm(in.rows(op.getX()), in.rows(op.getWeight()), in.optional(op.getBias()),
                             F(op.getEps().convertToFloat())));
      })
      .Case([&](DifferentialNormOp op) {
        return one(differentialNorm(in.rows(op.getX()), in.rows(op.getLambda()), in.rows(op.getWeight()),
                                    in.integers(op.getDepth()).data[0], static_cast<int64_t>(op.getPairs()),
                                    F(op.getEps().convertToFloat())));
      })
      .Case([&](LinearOp op) {
        return one(linear(in.rows(op.getX()), in.rows(op.getWeight()), in.optional(op.getBias())));
      })
      .Case([&](QuantizeRowsOp op) { return one(quantizeRows(in.rows(op.getX()), op.getQuant().getGroup())); })
      .Case([&](SwigluOp op) { return one(swiglu(in.rows(op.getGate()), in.rows(op.getUp()))); })
      .Case([&](RotaryTableOp op) {
        int64_t headDim = cast<mlir::RankedTensorType>(op.getType()).getDimSize(1);
        return one(rotaryTable<F>(in.integers(op.getSegments()), in.integers(op.getPositions()), headDim,
                                  op.getTheta().convertToDouble(), op->hasAttr(kNarrowAngles)));
      })
      .Case([&](RotaryOp op) {
        return one(rotary(in.rows(op.getX()), in.rows(op.getTable()), op->hasAttr(kRoundProducts)));
      })
      .Case([&](CausalConv1dOp op) {
        return two(causalConv1d(in.rows(op.getX()), in.rows(op.getWeight()), in.optional(op.getBias()),
                                in.integers(op.getSegments()), in.states(op.getState()),
                                op.getActivation() == Activation::Silu));
      })
      .Case([&](SelectiveScanOp op) {
        ScanInputs<F> inputs{
            in.rows(op.getU()),    in.rows(op.getDelta()), in.rows(op.getA()),       in.rows(op.getB()),
            in.rows(op.getC()),    in.optional(op.getD()), in.optional(op.getZ()),   in.optional(op.getDeltaBias()),
            op.getDeltaSoftplus(), op->hasAttr(kPlainLog), op->hasAttr(kRoundOutput)};
        Expected<Stepped<F>> stepped = selectiveScan(inputs, in.integers(op.getSegments()), in.states(op.getState()));
        if (stepped && op->hasAttr(kRoundState))
          for (Tensor<F> &state : stepped->state.sequences)
            state = roundedToBf16(op, std::move(state));
        return two(std::move(stepped));
      })
      .Case([&](SlidingWindowAttentionOp op) -> Results<F> {
        Expected<RingShape> ring =
            RingShape::of(op.getKeyState().getType().getShape(), op.getValueState().getType().getShape()[0]);
        if (!ring)
          return ring.takeError();
        return three(slidingWindowAttention(in.rows(op.getQ()), in.rows(op.getK()), in.rows(op.getV()),
                                            in.integers(op.getSegments()), in.integers(op.getPositions()),
                                            in.states(op.getKeyState()), in.states(op.getValueState()), *ring,
                                            op.getWindow().has_value(), op->hasAttr(kRoundWeights)));
      })
      .Case([&](CrossAttentionOp op) -> Results<F> {
        Expected<RingShape> ring =
            RingShape::of(op.getKeyState().getType().getShape(), op.getValueState().getType().getShape()[0]);
        if (!ring)
          return ring.takeError();
        const StateBatch<F> &keys = in.states(op.getKeyState()), &values = in.states(op.getValueState());
        Expected<Tensor<F>> result =
            crossAttention(in.rows(op.getQ()), in.integers(op.getRows()), in.integers(op.getSegments()),
                           in.integers(op.getPositions()), keys, values, *ring, op->hasAttr(kRoundWeights));
        if (!result)
          return result.takeError();
        return three<F>(AttentionOutputs<F>{std::move(*result), keys, values});
      })
      .Default([](mlir::Operation *) -> Results<F> { return makeError("operation not supported"); });
}

#define INSTANTIATE(F)                                                                                                 \
  template Expected<std::vector<Value<F>>> evaluateSamba<F>(mlir::Operation *, Lookup<F>);                             \
  template Error checkType(StringRef, mlir::Type, const Value<F> &);
INSTANTIATE(float)
INSTANTIATE(double)
#undef INSTANTIATE

} // namespace samba::reference
