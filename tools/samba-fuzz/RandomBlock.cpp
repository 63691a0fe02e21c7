//===- RandomBlock.cpp - random functions in samba IR ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-fuzz/RandomBlock.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kContext = 300; // seeded positions are below 256

class BlockBuilder {
public:
  BlockBuilder(OpBuilder &builder, reference::Random &random, const BlockShape &shape)
      : b(builder), random(random), loc(builder.getUnknownLoc()), headDim(shape.headDim), width(shape.width),
        wide(shape.wide) {}

  RandomBlock build(StringRef name, BlockRows rowsOf, RingTypes &known) {
    begin(name, true);
    block.rows = rowsOf;
    earlier = known;
    Value value = x, residual = x;
    if (rowsOf == BlockRows::Selected)
      selected = true;
    else
      value = steps(value, /*fewest=*/1);
    if (rowsOf == BlockRows::Selecting) {
      selected = true; // from here on there are rows of the selected tokens only
      value = gather(value);
      residual = gather(x);
    }
    if (rowsOf != BlockRows::All)
      value = steps(value, /*fewest=*/rowsOf == BlockRows::Selected);
    if (widthOf(value) != width || value == residual)
      value = linear(value, width);
    finish(random.below(2) ? arith::AddFOp::create(b, loc, residual, value).getResult()
                           : arith::AddFOp::create(b, loc, value, residual).getResult());
    for (const RandomBlock::Ring &ring : block.rings)
      known.emplace_back(cast<StateType>(newStates[ring.key].getType()),
                         cast<StateType>(newStates[ring.key + 1].getType()));
    return block;
  }

  void buildAlone(StringRef name) {
    begin(name, false);
    alone = true;
    switch (random.below(6)) {
    case 0: {
      Type tokens = RankedTensorType::get({ShapedType::kDynamic}, b.getI32Type());
      finish(EmbeddingOp::create(b, loc, rowsType(width), argument(tokens), weight({pick({1, 5, 30}), width})));
      return;
    }
    case 1:
      finish(RotaryTableOp::create(b, loc, rowsType(headDim), segments, positions, b.getF64FloatAttr(10000.0)));
      return;
    case 2:
      selected = true;
      if (random.below(4) == 0)
        finish(gather(x));
      else
        finish(crossAttention(x));
      return;
    default:
      Value result = step(x);
      // An argument that is returned as it came is no operation.
      finish(result == x ? norm(x) : result);
    }
  }

private:
  void begin(StringRef name, bool isPrivate) {
    Type index = RankedTensorType::get({ShapedType::kDynamic}, b.getI64Type());
    SmallVector<Type> types = {rowsType(width), index, index, rowsType(headDim), index};
    if (isPrivate)
      types.push_back(b.getIndexType());
    function = func::FuncOp::create(b, loc, name, b.getFunctionType(types, {rowsType(width)}));
    b.setInsertionPointToStart(function.addEntryBlock());
    x = function.getArgument(0);
    segments = function.getArgument(1);
    positions = function.getArgument(2);
    table = function.getArgument(3);
    rows = function.getArgument(4);
    if (isPrivate) {
      function.setPrivate();
      depth = function.getArgument(5);
    }
    block.function = function;
  }

  void finish(Value result) {
    SmallVector<Value> results = {result};
    llvm::append_range(results, newStates);
    func::ReturnOp::create(b, loc, results);
    function.setFunctionType(b.getFunctionType(function.getBody().getArgumentTypes(), ValueRange(results).getTypes()));
  }

  Value steps(Value value, int64_t fewest) {
    for (int64_t i = 0, count = fewest + random.below(4); i < count; ++i)
      value = step(value);
    return value;
  }

  RankedTensorType rowsType(int64_t columns) {
    return RankedTensorType::get({ShapedType::kDynamic, columns}, b.getF32Type());
  }
  static int64_t widthOf(Value value) { return cast<RankedTensorType>(value.getType()).getDimSize(1); }
  int64_t pick(ArrayRef<int64_t> choices) { return choices[random.below(choices.size())]; }

  /// A number from 1 to `number` that divides it.
  int64_t pickDivisor(int64_t number) {
    SmallVector<int64_t> divisors;
    for (int64_t i = 1; i <= number; ++i)
      if (number % i == 0)
        divisors.push_back(i);
    return pick(divisors);
  }

  Value argument(Type type) { return function.getBody().front().addArgument(type, loc); }

  /// An argument, which the caller loads; a public function loads its weights itself.
  Value weight(ArrayRef<int64_t> shape, WeightTransform transform = WeightTransform::None) {
    auto type = RankedTensorType::get(shape, b.getF32Type());
    if (!alone)
      return argument(type);
    std::string name = "w" + std::to_string(weights++);
    OpBuilder declarations = OpBuilder::atBlockBegin(function->getBlock());
    WeightOp::create(declarations, loc, name, name + ".source", type, transform, IntegerAttr());
    return LoadWeightOp::create(b, loc, type, name);
  }

  /// A state that the function is given; its new value is what it was, until somebody says otherwise.
  size_t addState(StateType type) {
    newStates.push_back(argument(type));
    return newStates.size() - 1;
  }
  StateType stateType(ArrayRef<int64_t> shape) { return StateType::get(b.getContext(), shape, b.getF32Type()); }

  /// Rows of the selected tokens.
  Value gather(Value from) { return GatherRowsOp::create(b, loc, from.getType(), from, rows); }

  /// Rows that an operation takes: computed from `from`, or an argument if the operation is alone.
  Value project(Value from, int64_t outputs) {
    if (!alone)
      return linear(from, outputs);
    Value given = argument(rowsType(outputs));
    return selected ? gather(given) : given;
  }

  Value columns(Value from, int64_t first, int64_t count) {
    Value tokens = tensor::DimOp::create(b, loc, from, 0);
    SmallVector<OpFoldResult> offsets = {b.getIndexAttr(0), b.getIndexAttr(first)};
    SmallVector<OpFoldResult> sizes = {tokens, b.getIndexAttr(count)}, strides(2, b.getIndexAttr(1));
    return tensor::ExtractSliceOp::create(b, loc, rowsType(count), from, offsets, sizes, strides);
  }

  Value linear(Value from, int64_t outputs) {
    Value matrix = weight({outputs, widthOf(from)});
    Value bias = random.below(4) == 0 ? weight({outputs}) : Value();
    return LinearOp::create(b, loc, rowsType(outputs), from, matrix, bias);
  }

  Value norm(Value from) {
    FloatAttr eps = b.getF32FloatAttr(1e-5f);
    if (random.below(3) == 0) {
      Value factors = weight({widthOf(from)}), bias = random.below(2) ? weight({widthOf(from)}) : Value();
      return LayerNormOp::create(b, loc, from.getType(), from, factors, bias, eps);
    }
    Value factors = random.below(4) ? weight({widthOf(from)}) : Value();
    return RmsNormOp::create(b, loc, from.getType(), from, factors, eps);
  }

  Value gate(Value from) {
    int64_t hidden = wide ? pick({64, 65, 96}) : pick({1, 3, 8, 16, 20, 32});
    if (alone || random.below(2)) {
      Value first = project(from, hidden), second = project(from, hidden);
      return SwigluOp::create(b, loc, first.getType(), first, second);
    }
    Value both = linear(from, 2 * hidden);
    Value first = columns(both, 0, hidden), second = columns(both, hidden, hidden);
    return SwigluOp::create(b, loc, first.getType(), first, second);
  }

  Value convolution(Value from) {
    int64_t taps = pick({2, 3, 4}), channels = widthOf(from);
    Value matrix = weight({channels, taps}), bias = random.below(2) ? weight({channels}) : Value();
    size_t state = addState(stateType({taps - 1, channels}));
    auto op = CausalConv1dOp::create(b, loc, from.getType(), newStates[state].getType(), from, matrix, bias, segments,
                                     newStates[state], random.below(2) ? Activation::Silu : Activation::None);
    newStates[state] = op.getNewState();
    return op.getResult();
  }

  Value scan(Value u) {
    int64_t channels = widthOf(u), states = pick({1, 2, 4}), rank = pick({1, 2});
    Value delta, B, C;
    if (alone) {
      delta = argument(rowsType(channels));
      B = argument(rowsType(states));
      C = argument(rowsType(states));
    } else {
      Value projected = linear(u, rank + 2 * states);
      delta = linear(columns(projected, 0, rank), channels);
      B = columns(projected, rank, states);
      C = columns(projected, rank + states, states);
    }
    Value A = weight({channels, states}, WeightTransform::NegExp), D = random.below(2) ? weight({channels}) : Value();
    Value z = random.below(2) ? project(u, channels) : Value(), bias = random.below(2) ? weight({channels}) : Value();
    size_t state = addState(stateType({states, channels}));
    auto op = SelectiveScanOp::create(b, loc, u.getType(), newStates[state].getType(), u, delta, A, B, C, segments,
                                      newStates[state], D, z, bias, /*delta_softplus=*/true);
    newStates[state] = op.getNewState();
    return op.getResult();
  }

  /// Differences of heads of `lanes` lanes.
  Value differences(Value heads, int64_t lanes) {
    int64_t pairs = pickDivisor(widthOf(heads) / lanes / 2);
    Value lambda = weight({4 * pick({1, 2, headDim, 9})}), factors = weight({lanes}), number = depth;
    if (!number || random.below(4) == 0)
      number = arith::ConstantIndexOp::create(b, loc, random.below(40));
    return DifferentialNormOp::create(b, loc, rowsType(widthOf(heads) / 2), heads, lambda, factors, number,
                                      b.getI64IntegerAttr(pairs), b.getF32FloatAttr(1e-5f));
  }

  /// Heads of attention as they are, or differences of them.
  Value finishHeads(Value heads, int64_t lanes) {
    if (alone || widthOf(heads) / lanes % 2 || random.below(2))
      return heads;
    return differences(heads, lanes);
  }

  /// The states of keys and values; neighbouring heads may hold one value together.
  std::pair<StateType, StateType> ringTypes(int64_t groups, int64_t slots) {
    int64_t shared = random.below(3) ? 1 : pickDivisor(groups);
    return {stateType({groups, slots, headDim}), stateType({groups / shared, slots, headDim * shared})};
  }

  Value rotated(Value heads) {
    if (random.below(4) == 0 || alone)
      return heads;
    return RotaryOp::create(b, loc, heads.getType(), heads, selected ? gather(table) : table);
  }

  Value attention(Value from) {
    int64_t groups = pick({1, 2, 3, 4}), heads = groups * pick({1, 2, 3});
    bool windowed = random.below(4) != 0;
    auto [keyType, valueType] = ringTypes(groups, windowed ? pick({1, 2, 5}) : kContext);
    Value q = rotated(project(from, heads * headDim)), k = rotated(project(from, groups * headDim));
    Value v = project(from, groups * headDim);
    size_t key = addState(keyType), value = addState(valueType);
    int64_t lanes = valueType.getShape()[2];
    auto op = SlidingWindowAttentionOp::create(b, loc, rowsType(heads * lanes), keyType, valueType, q, k, v, segments,
                                               positions, newStates[key], newStates[value],
                                               windowed ? b.getI64IntegerAttr(slotsOf(keyType)) : IntegerAttr());
    newStates[key] = op.getNewKeyState();
    newStates[value] = op.getNewValueState();
    if (!windowed)
      block.rings.push_back({key, /*borrowed=*/false});
    return finishHeads(op.getResult(), lanes);
  }

  static int64_t slotsOf(StateType ring) { return ring.getShape()[1]; }

  /// To keys and values of an attention before it in this function, of one in another function, or of nobody. States
  /// of another function must be all that this one has.
  Value crossAttention(Value from) {
    size_t key;
    if (!block.rings.empty() && (block.rings.front().borrowed || random.below(4))) {
      key = block.rings[random.below(block.rings.size())].key;
    } else {
      bool borrowed = newStates.empty() && !earlier.empty() && random.below(4);
      auto types = borrowed ? earlier[random.below(earlier.size())] : ringTypes(pick({1, 2, 3, 4}), kContext);
      key = addState(types.first);
      addState(types.second);
      block.rings.push_back({key, borrowed});
    }
    auto keyType = cast<StateType>(newStates[key].getType()), valueType = cast<StateType>(newStates[key + 1].getType());
    int64_t heads = keyType.getShape()[0] * pick({1, 2, 3}), lanes = valueType.getShape()[2];
    Value q = alone ? gather(argument(rowsType(heads * headDim))) : rotated(project(from, heads * headDim));
    auto op = CrossAttentionOp::create(b, loc, rowsType(heads * lanes), keyType, valueType, q, rows, segments,
                                       positions, newStates[key], newStates[key + 1]);
    newStates[key] = op.getNewKeyState();
    newStates[key + 1] = op.getNewValueState();
    return finishHeads(op.getResult(), lanes);
  }

  /// Normalised, or not.
  Value maybeNorm(Value from) { return !alone && random.below(2) ? norm(from) : from; }

  Value step(Value from) {
    // What looks along time needs rows of all tokens; cross attention comes where there are selected ones.
    switch (random.below(selected ? 6 : 8)) {
    case 0:
      return norm(from);
    case 1:
      return linear(maybeNorm(from), wide ? pick({5, 64, 70}) : pick({1, 5, 8, 16, 33}));
    case 2:
      return gate(maybeNorm(from));
    case 3: {
      int64_t lanes = pick({1, 2, 3, 8, 16, 17});
      return differences(project(from, 2 * lanes * pick({1, 2, 3, 4})), lanes);
    }
    case 4:
      return alone ? RotaryOp::create(b, loc, rowsType(2 * headDim), argument(rowsType(2 * headDim)), table).getResult()
                   : arith::AddFOp::create(b, loc, from, linear(norm(from), widthOf(from))).getResult();
    case 5:
      return selected ? crossAttention(maybeNorm(from)) : convolution(from);
    case 6:
      return scan(from);
    default:
      return attention(maybeNorm(from));
    }
  }

  OpBuilder &b;
  reference::Random &random;
  Location loc;
  int64_t headDim, width;
  bool wide, alone = false, selected = false;
  RandomBlock block;
  func::FuncOp function;
  Value x, segments, positions, table, rows, depth;
  SmallVector<Value> newStates;
  int64_t weights = 0; // that a public function has loaded
  RingTypes earlier;
};

} // namespace

RandomBlock samba::randomBlock(OpBuilder &builder, reference::Random &random, StringRef name, const BlockShape &shape,
                               BlockRows rows, RingTypes &rings) {
  return BlockBuilder(builder, random, shape).build(name, rows, rings);
}

void samba::randomOperation(OpBuilder &builder, reference::Random &random, StringRef name, const BlockShape &shape) {
  BlockBuilder(builder, random, shape).buildAlone(name);
}
