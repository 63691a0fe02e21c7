//===- RandomModule.cpp - random models in samba IR -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-fuzz/RandomModule.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace samba;

namespace {

/// A private function: rows of the model's width to rows of that width. Its arguments are x, segments, positions and
/// the rotary table, then weights and states in the order in which operations ask for them.
class BlockBuilder {
public:
  BlockBuilder(OpBuilder &builder, reference::Random &random, StringRef name, int64_t width, int64_t headDim, bool wide)
      : b(builder), random(random), loc(builder.getUnknownLoc()), headDim(headDim), wide(wide) {
    Type index = RankedTensorType::get({ShapedType::kDynamic}, b.getI64Type());
    SmallVector<Type> types = {rowsType(width), index, index, rowsType(headDim)};
    function = func::FuncOp::create(b, loc, name, b.getFunctionType(types, {rowsType(width)}));
    function.setPrivate();
    b.setInsertionPointToStart(function.addEntryBlock());
    x = function.getArgument(0);
    segments = function.getArgument(1);
    positions = function.getArgument(2);
    table = function.getArgument(3);
    tokens = tensor::DimOp::create(b, loc, x, 0);
  }

  func::FuncOp build() {
    Value value = x;
    for (int64_t i = 0, count = 1 + random.below(4); i < count; ++i)
      value = step(value);
    int64_t width = widthOf(x);
    if (widthOf(value) != width || value == x)
      value = linear(value, width);
    Value sum = random.below(2) ? arith::AddFOp::create(b, loc, x, value).getResult()
                                : arith::AddFOp::create(b, loc, value, x).getResult();
    SmallVector<Value> results = {sum};
    llvm::append_range(results, newStates);
    func::ReturnOp::create(b, loc, results);
    function.setFunctionType(b.getFunctionType(function.getBody().getArgumentTypes(), ValueRange(results).getTypes()));
    return function;
  }

private:
  RankedTensorType rowsType(int64_t width) {
    return RankedTensorType::get({ShapedType::kDynamic, width}, b.getF32Type());
  }
  static int64_t widthOf(Value value) { return cast<RankedTensorType>(value.getType()).getDimSize(1); }
  int64_t pick(ArrayRef<int64_t> choices) { return choices[random.below(choices.size())]; }

  Value weight(ArrayRef<int64_t> shape) {
    Type type = RankedTensorType::get(shape, b.getF32Type());
    return function.getBody().front().addArgument(type, loc);
  }
  Value state(ArrayRef<int64_t> shape) {
    Type type = StateType::get(b.getContext(), shape, b.getF32Type());
    return function.getBody().front().addArgument(type, loc);
  }

  Value columns(Value from, int64_t first, int64_t width) {
    SmallVector<OpFoldResult> offsets = {b.getIndexAttr(0), b.getIndexAttr(first)};
    SmallVector<OpFoldResult> sizes = {tokens, b.getIndexAttr(width)}, strides(2, b.getIndexAttr(1));
    return tensor::ExtractSliceOp::create(b, loc, rowsType(width), from, offsets, sizes, strides);
  }

  Value linear(Value from, int64_t outputs) {
    Value matrix = weight({outputs, widthOf(from)});
    Value bias = random.below(4) == 0 ? weight({outputs}) : Value();
    return LinearOp::create(b, loc, rowsType(outputs), from, matrix, bias);
  }

  Value norm(Value from) {
    Value factors = random.below(4) ? weight({widthOf(from)}) : Value();
    return RmsNormOp::create(b, loc, from.getType(), from, factors, b.getF32FloatAttr(1e-5f));
  }

  Value gate(Value from) {
    int64_t width = wide ? pick({64, 65, 96}) : pick({1, 3, 8, 16, 20, 32});
    if (random.below(2)) {
      Value first = linear(from, width), second = linear(from, width);
      return SwigluOp::create(b, loc, first.getType(), first, second);
    }
    Value both = linear(from, 2 * width);
    Value first = columns(both, 0, width), second = columns(both, width, width);
    return SwigluOp::create(b, loc, first.getType(), first, second);
  }

  Value convolution(Value from) {
    int64_t taps = pick({2, 3, 4}), width = widthOf(from);
    Value matrix = weight({width, taps}), bias = random.below(2) ? weight({width}) : Value();
    auto op = CausalConv1dOp::create(
        b, loc, from.getType(), StateType::get(b.getContext(), {taps - 1, width}, b.getF32Type()), from, matrix, bias,
        segments, state({taps - 1, width}), random.below(2) ? Activation::Silu : Activation::None);
    newStates.push_back(op.getNewState());
    return op.getResult();
  }

  Value scan(Value u) {
    int64_t width = widthOf(u), states = pick({1, 2, 4}), rank = pick({1, 2});
    Value projected = linear(u, rank + 2 * states);
    Value delta = linear(columns(projected, 0, rank), width);
    Value B = columns(projected, rank, states), C = columns(projected, rank + states, states);
    Value A = weight({width, states}), D = random.below(2) ? weight({width}) : Value();
    Value z = random.below(2) ? linear(u, width) : Value(), bias = random.below(2) ? weight({width}) : Value();
    Value start = state({states, width});
    auto op = SelectiveScanOp::create(b, loc, u.getType(), start.getType(), u, delta, A, B, C, segments, start, D, z,
                                      bias, /*delta_softplus=*/true);
    newStates.push_back(op.getNewState());
    return op.getResult();
  }

  Value attention(Value from) {
    int64_t groups = pick({1, 2, 3}), heads = groups * pick({1, 2, 3});
    bool windowed = random.below(4) != 0;
    int64_t slots = windowed ? pick({1, 2, 5}) : 300; // seeded positions are below 256
    Value q = linear(from, heads * headDim), k = linear(from, groups * headDim), v = linear(from, groups * headDim);
    if (random.below(4) != 0) {
      q = RotaryOp::create(b, loc, q.getType(), q, table);
      k = RotaryOp::create(b, loc, k.getType(), k, table);
    }
    Value keys = state({groups, slots, headDim}), values = state({groups, slots, headDim});
    auto op = SlidingWindowAttentionOp::create(b, loc, q.getType(), keys.getType(), values.getType(), q, k, v, segments,
                                               positions, keys, values,
                                               windowed ? b.getI64IntegerAttr(slots) : IntegerAttr());
    newStates.push_back(op.getNewKeyState());
    newStates.push_back(op.getNewValueState());
    return op.getResult();
  }

  Value step(Value from) {
    switch (random.below(7)) {
    case 0:
      return norm(from);
    case 1:
      return linear(random.below(2) ? norm(from) : from, wide ? pick({5, 64, 70}) : pick({1, 5, 8, 16, 33}));
    case 2:
      return gate(random.below(2) ? norm(from) : from);
    case 3:
      return convolution(from);
    case 4:
      return scan(from);
    case 5:
      return attention(random.below(2) ? norm(from) : from);
    default:
      return arith::AddFOp::create(b, loc, from, linear(norm(from), widthOf(from)));
    }
  }

  OpBuilder &b;
  reference::Random &random;
  Location loc;
  int64_t headDim;
  bool wide;
  func::FuncOp function;
  Value x, segments, positions, table, tokens;
  SmallVector<Value> newStates;
};

} // namespace

OwningOpRef<ModuleOp> samba::randomModule(MLIRContext &context, reference::Random &random, bool wide) {
  context.loadDialect<SambaDialect, func::FuncDialect, arith::ArithDialect, tensor::TensorDialect>();
  OpBuilder b(&context);
  Location loc = b.getUnknownLoc();
  OwningOpRef<ModuleOp> module = ModuleOp::create(loc);
  int64_t widths[] = {3, 4, 8, 12, 16, 17}, headDims[] = {2, 4, 6, 8};
  int64_t wideWidths[] = {64, 72, 80}; // one group, and one group and a part
  int64_t width = wide ? wideWidths[random.below(std::size(wideWidths))] : widths[random.below(std::size(widths))];
  int64_t headDim = headDims[random.below(std::size(headDims))];
  int64_t vocabulary = 5 + random.below(30);

  SmallVector<func::FuncOp> blocks;
  for (int64_t i = 0, count = 1 + random.below(3); i < count; ++i) {
    b.setInsertionPointToEnd(module->getBody());
    blocks.push_back(BlockBuilder(b, random, "block" + std::to_string(i), width, headDim, wide).build());
  }
  SmallVector<func::FuncOp> layers;
  for (func::FuncOp block : blocks)
    layers.append(1 + random.below(2), block);

  auto rows = [&](int64_t columns) { return RankedTensorType::get({ShapedType::kDynamic, columns}, b.getF32Type()); };
  auto vector = [&](Type element) { return RankedTensorType::get({ShapedType::kDynamic}, element); };
  SmallVector<Type> arguments = {vector(b.getI32Type()), vector(b.getI64Type()), vector(b.getI64Type()),
                                 vector(b.getI64Type())};
  SmallVector<Type> results = {rows(vocabulary)};
  for (func::FuncOp layer : layers)
    for (Type type : layer.getArgumentTypes())
      if (isa<StateType>(type)) {
        arguments.push_back(type);
        results.push_back(type);
      }
  b.setInsertionPointToEnd(module->getBody());
  auto step = func::FuncOp::create(b, loc, "step", b.getFunctionType(arguments, results));
  Block *body = step.addEntryBlock();

  int64_t weights = 0;
  auto load = [&](RankedTensorType type, WeightTransform transform) -> Value {
    std::string name = "w" + std::to_string(weights++);
    OpBuilder declarations = OpBuilder::atBlockBegin(module->getBody());
    WeightOp::create(declarations, loc, name, name + ".source", type, transform, IntegerAttr());
    return LoadWeightOp::create(b, loc, type, name);
  };
  b.setInsertionPointToStart(body);
  Value tokens = body->getArgument(0), segments = body->getArgument(1), positions = body->getArgument(2);
  Value embeddings = load(RankedTensorType::get({vocabulary, width}, b.getF32Type()), WeightTransform::None);
  Value x = EmbeddingOp::create(b, loc, rows(width), tokens, embeddings);
  Value table = RotaryTableOp::create(b, loc, rows(headDim), segments, positions, b.getF64FloatAttr(10000.0));
  SmallVector<Value> states;
  unsigned next = 4;
  for (auto [number, layer] : llvm::enumerate(layers)) {
    SmallVector<Value> operands = {x, segments, positions, table};
    for (BlockArgument argument : layer.getArguments().drop_front(4)) {
      auto type = dyn_cast<RankedTensorType>(argument.getType());
      bool isDecay = llvm::any_of(argument.getUsers(), [&](Operation *user) {
        auto scan = dyn_cast<SelectiveScanOp>(user);
        return scan && scan.getA() == argument;
      });
      operands.push_back(type ? load(type, isDecay ? WeightTransform::NegExp : WeightTransform::None)
                              : Value(body->getArgument(next++)));
    }
    auto call = func::CallOp::create(b, loc, layer, operands);
    x = call.getResult(0);
    llvm::append_range(states, call.getResults().drop_front());
    ProbeOp::create(b, loc, x, b.getStringAttr("layers." + std::to_string(number)), b.getI32IntegerAttr(number));
  }
  x = GatherRowsOp::create(b, loc, rows(width), x, body->getArgument(3));
  if (random.below(2))
    x = RmsNormOp::create(b, loc, rows(width), x,
                          load(RankedTensorType::get({width}, b.getF32Type()), WeightTransform::None),
                          b.getF32FloatAttr(1e-5f));
  Value head = random.below(2)
                   ? embeddings
                   : load(RankedTensorType::get({vocabulary, width}, b.getF32Type()), WeightTransform::None);
  SmallVector<Value> returned = {LinearOp::create(b, loc, rows(vocabulary), x, head, Value())};
  llvm::append_range(returned, states);
  func::ReturnOp::create(b, loc, returned);
  return module;
}
