//===- Blocks.cpp - the functions that layers of a kind share -------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/Blocks.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/STLExtras.h"
#include <map>

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kTokens = ShapedType::kDynamic;

/// Builds one function. Values are named in locations: "mamba.in_proj".
class BlockBuilder {
public:
  BlockBuilder(OpBuilder &builder, const BlockSpec &spec, int64_t hiddenSize, StringRef name)
      : builder(builder), guard(builder), spec(spec), hiddenSize(hiddenSize), name(name) {}

  RankedTensorType rows(int64_t width) { return RankedTensorType::get({kTokens, width}, builder.getF32Type()); }
  RankedTensorType indices() { return RankedTensorType::get({kTokens}, builder.getI64Type()); }
  Location loc(StringRef what) { return NameLoc::get(builder.getStringAttr(name + "." + what)); }

  void addState(StringRef stateName, ArrayRef<int64_t> shape) {
    block.states.push_back({stateName.str(), StateType::get(builder.getContext(), shape, builder.getF32Type())});
  }

  /// The function will be passed these, besides x. `width` is that of the rotary table or of the memory.
  void want(std::initializer_list<SharedBlock::Input> inputs, int64_t width = 0) {
    block.wants = inputs;
    leading.push_back({"x", rows(hiddenSize)});
    for (SharedBlock::Input input : inputs)
      switch (input) {
      case SharedBlock::Segments:
        leading.push_back({"segments", indices()});
        break;
      case SharedBlock::Positions:
        leading.push_back({"positions", indices()});
        break;
      case SharedBlock::Rows:
        leading.push_back({"rows", indices()});
        break;
      case SharedBlock::Rotary:
        leading.push_back({"rotary", rows(width)});
        break;
      case SharedBlock::Memory:
        leading.push_back({"memory", rows(width)});
        break;
      case SharedBlock::Depth:
        leading.push_back({"depth", builder.getIndexType()});
        break;
      }
  }

  /// A second result, before the states.
  void keepMemory(int64_t width) {
    block.keepsMemory = true;
    memoryType = rows(width);
  }
  void borrowStates() { block.borrowsStates = true; }

  /// Creates the function and enters its body.
  void begin() {
    SmallVector<Type> arguments, results = {leading.front().second};
    SmallVector<Location> locations;
    auto add = [&](StringRef what, Type type) {
      indexOf[what.str()] = arguments.size();
      arguments.push_back(type);
      locations.push_back(loc(what));
    };
    for (auto &[what, type] : leading)
      add(what, type);
    for (const WeightSpec &weight : spec.weights)
      add(weight.role, weightType(weight, builder.getContext()));
    if (block.keepsMemory)
      results.push_back(memoryType);
    for (const StateDecl &state : block.states) {
      add("state." + state.name, state.type);
      results.push_back(state.type);
    }
    Location here = NameLoc::get(builder.getStringAttr(name));
    block.function = func::FuncOp::create(builder, here, name, builder.getFunctionType(arguments, results));
    block.function.setPrivate();
    Block *body = block.function.addEntryBlock();
    for (auto [argument, location] : llvm::zip(body->getArguments(), locations))
      argument.setLoc(location);
    builder.setInsertionPointToStart(body);
  }

  SharedBlock finish(Value update, ValueRange states, Value memory = {}) {
    SmallVector<Value> results = {arith::AddFOp::create(builder, loc("residual"), argument("x"), update)};
    if (memory)
      results.push_back(memory);
    llvm::append_range(results, states);
    func::ReturnOp::create(builder, loc("return"), results);
    return std::move(block);
  }

  Value argument(StringRef what) { return block.function.getArgument(indexOf.at(what.str())); }
  Value state(StringRef what) { return argument(("state." + what).str()); }
  /// Null if the block has no such weight: a bias that the model does not have.
  Value optional(StringRef what) {
    auto it = indexOf.find(what.str());
    return it == indexOf.end() ? Value() : Value(block.function.getArgument(it->second));
  }

  /// The norm of x at the block's start.
  Value norm() {
    Value x = argument("x");
    if (!spec.norm.centred)
      return rmsNorm(x, "norm", spec.norm.eps, spec.name + "_norm");
    return LayerNormOp::create(builder, loc(spec.name + "_norm"), x.getType(), x, argument("norm.weight"),
                               optional("norm.bias"), builder.getF32FloatAttr(float(spec.norm.eps)));
  }

  Value rmsNorm(Value x, StringRef part, double eps, StringRef what) {
    return RmsNormOp::create(builder, loc(what), x.getType(), x, optional((part + ".weight").str()),
                             builder.getF32FloatAttr(float(eps)));
  }

  /// `part` is the weight's role without its suffix: "in_proj".
  Value linear(Value x, StringRef part, bool useBias = true) {
    Value weight = argument((part + ".weight").str());
    Value bias = useBias ? optional((part + ".bias").str()) : Value();
    int64_t outputs = cast<RankedTensorType>(weight.getType()).getDimSize(0);
    return LinearOp::create(builder, loc(part), rows(outputs), x, weight, bias);
  }

  /// Columns `first .. first + width - 1`.
  Value columns(Value x, int64_t first, int64_t width, StringRef what) {
    if (!tokens)
      tokens = tensor::DimOp::create(builder, loc("tokens"), argument("x"), 0);
    SmallVector<OpFoldResult> offsets = {builder.getIndexAttr(0), builder.getIndexAttr(first)};
    SmallVector<OpFoldResult> sizes = {tokens, builder.getIndexAttr(width)};
    SmallVector<OpFoldResult> strides(2, builder.getIndexAttr(1));
    return tensor::ExtractSliceOp::create(builder, loc(what), rows(width), x, offsets, sizes, strides);
  }

  OpBuilder &builder;

private:
  OpBuilder::InsertionGuard guard;
  const BlockSpec &spec;
  int64_t hiddenSize;
  std::string name;
  SharedBlock block;
  SmallVector<std::pair<StringRef, Type>> leading; // the arguments before the weights
  RankedTensorType memoryType;
  Value tokens; // T, once needed
  std::map<std::string, unsigned> indexOf;
};

SharedBlock buildMamba(BlockBuilder &b, const MambaSpec &spec) {
  int64_t inner = spec.innerSize, rank = spec.dtRank, states = spec.stateSize;
  OpBuilder &builder = b.builder;
  b.addState("conv", {spec.convKernel - 1, inner});
  b.addState("ssm", {states, inner});
  b.want({SharedBlock::Segments});
  if (spec.memory)
    b.keepMemory(inner);
  b.begin();

  Value segments = b.argument("segments");
  Value xz = b.linear(b.norm(), "in_proj");
  Value x = b.columns(xz, 0, inner, "in_proj.x"), z = b.columns(xz, inner, inner, "in_proj.z");
  auto conv = CausalConv1dOp::create(builder, b.loc("conv1d"), x.getType(), b.state("conv").getType(), x,
                                     b.argument("conv1d.weight"), b.optional("conv1d.bias"), segments, b.state("conv"),
                                     Activation::Silu);
  Value u = conv.getResult();
  Value projected = b.linear(u, "x_proj");
  Value dt = b.columns(projected, 0, rank, "x_proj.dt"), B = b.columns(projected, rank, states, "x_proj.B");
  Value C = b.columns(projected, rank + states, states, "x_proj.C");
  if (spec.innerNormEps) {
    dt = b.rmsNorm(dt, "dt_norm", *spec.innerNormEps, "dt_norm");
    B = b.rmsNorm(B, "B_norm", *spec.innerNormEps, "B_norm");
    C = b.rmsNorm(C, "C_norm", *spec.innerNormEps, "C_norm");
  }
  // The bias of dt_proj is added by the scan, before softplus.
  Value delta = b.linear(dt, "dt_proj", /*useBias=*/false);
  auto scan = SelectiveScanOp::create(builder, b.loc("scan"), u.getType(), b.state("ssm").getType(), u, delta,
                                      b.argument("A_log"), B, C, segments, b.state("ssm"), b.argument("D"),
                                      spec.memory ? Value() : z, b.argument("dt_proj.bias"), /*delta_softplus=*/true);
  Value y = scan.getResult(), memory;
  if (spec.memory) {
    memory = y;
    y = SwigluOp::create(builder, b.loc("gate"), y.getType(), z, y);
  }
  return b.finish(b.linear(y, "out_proj"), {conv.getNewState(), scan.getNewState()}, memory);
}

SharedBlock buildGatedMemory(BlockBuilder &b, const GatedMemorySpec &spec) {
  b.want({SharedBlock::Memory}, spec.innerSize);
  b.begin();
  Value gate = b.linear(b.norm(), "in_proj");
  Value gated = SwigluOp::create(b.builder, b.loc("gate"), gate.getType(), gate, b.argument("memory"));
  return b.finish(b.linear(gated, "out_proj"), {});
}

/// The states of keys and values, and the lanes of a value: neighbouring heads hold one value together if they are a
/// pair whose difference is taken.
int64_t addRings(BlockBuilder &b, const AttentionSpec &spec, int64_t slots) {
  int64_t shared = spec.differential ? 2 : 1;
  b.addState("key", {spec.numKvHeads, slots, spec.headDim});
  b.addState("value", {spec.numKvHeads / shared, slots, shared * spec.headDim});
  return shared * spec.headDim;
}

/// What the heads of attention, `[T, H V]`, yield in the end.
Value finishHeads(BlockBuilder &b, const AttentionSpec &spec, Value heads) {
  if (spec.differential)
    heads = DifferentialNormOp::create(b.builder, b.loc("differential_norm"), b.rows(spec.numHeads * spec.headDim),
                                       heads, b.argument("lambda"), b.argument("subln.weight"), b.argument("depth"),
                                       b.builder.getI64IntegerAttr(spec.numHeads / spec.numKvHeads),
                                       b.builder.getF32FloatAttr(float(spec.differential->eps)));
  return b.linear(heads, "o_proj");
}

SharedBlock buildAttention(BlockBuilder &b, const AttentionSpec &spec, int64_t slots) {
  OpBuilder &builder = b.builder;
  int64_t valueDim = addRings(b, spec, slots);
  if (spec.differential)
    b.want({SharedBlock::Segments, SharedBlock::Positions, SharedBlock::Depth});
  else if (spec.ropeTheta)
    b.want({SharedBlock::Segments, SharedBlock::Positions, SharedBlock::Rotary}, spec.headDim);
  else
    b.want({SharedBlock::Segments, SharedBlock::Positions});
  b.begin();

  Value h = b.norm();
  Value q = b.linear(h, "q_proj"), k = b.linear(h, "k_proj"), v = b.linear(h, "v_proj");
  if (spec.ropeTheta) {
    Value table = b.argument("rotary");
    q = RotaryOp::create(builder, b.loc("rotary_q"), q.getType(), q, table);
    k = RotaryOp::create(builder, b.loc("rotary_k"), k.getType(), k, table);
  }
  Value key = b.state("key"), value = b.state("value");
  IntegerAttr window = spec.window ? builder.getI64IntegerAttr(*spec.window) : IntegerAttr();
  auto attention = SlidingWindowAttentionOp::create(builder, b.loc("attention"), b.rows(spec.numHeads * valueDim),
                                                    key.getType(), value.getType(), q, k, v, b.argument("segments"),
                                                    b.argument("positions"), key, value, window);
  return b.finish(finishHeads(b, spec, attention.getResult()),
                  {attention.getNewKeyState(), attention.getNewValueState()});
}

SharedBlock buildCrossAttention(BlockBuilder &b, const AttentionSpec &spec, int64_t slots) {
  int64_t valueDim = addRings(b, spec, slots);
  b.borrowStates();
  if (spec.differential)
    b.want({SharedBlock::Segments, SharedBlock::Positions, SharedBlock::Rows, SharedBlock::Depth});
  else
    b.want({SharedBlock::Segments, SharedBlock::Positions, SharedBlock::Rows});
  b.begin();
  Value q = b.linear(b.norm(), "q_proj"), key = b.state("key"), value = b.state("value");
  auto attention = CrossAttentionOp::create(b.builder, b.loc("attention"), b.rows(spec.numHeads * valueDim),
                                            key.getType(), value.getType(), q, b.argument("rows"),
                                            b.argument("segments"), b.argument("positions"), key, value);
  return b.finish(finishHeads(b, spec, attention.getResult()),
                  {attention.getNewKeyState(), attention.getNewValueState()});
}

SharedBlock buildMlp(BlockBuilder &b) {
  b.want({});
  b.begin();
  Value h = b.norm();
  Value gate = b.linear(h, "gate_proj"), up = b.linear(h, "up_proj");
  Value hidden = SwigluOp::create(b.builder, b.loc("swiglu"), gate.getType(), gate, up);
  return b.finish(b.linear(hidden, "down_proj"), {});
}

} // namespace

RankedTensorType samba::weightType(const WeightSpec &weight, MLIRContext *context) {
  return RankedTensorType::get(weight.shape(), Float32Type::get(context));
}

WeightTransform samba::weightTransform(const WeightSpec &weight) {
  return weight.role == "A_log" ? WeightTransform::NegExp : WeightTransform::None;
}

StringRef samba::kindOf(const BlockSpec &spec) {
  if (const AttentionSpec *attention = spec.attention())
    return attention->cross ? "cross_attention" : "attention";
  return spec.mamba() ? "mamba" : spec.gatedMemory() ? "gated_memory" : "mlp";
}

bool samba::canShare(const BlockSpec &a, const BlockSpec &b) {
  // Theta does not count: it is in the table that the function is passed.
  auto withoutTheta = [](const BlockSpec &spec) {
    auto body = spec.body;
    if (auto *attention = std::get_if<AttentionSpec>(&body); attention && attention->ropeTheta)
      attention->ropeTheta = 1;
    return body;
  };
  auto same = [](const WeightSpec &x, const WeightSpec &y) { return x.role == y.role && x.shape() == y.shape(); };
  return a.norm == b.norm && withoutTheta(a) == withoutTheta(b) &&
         std::equal(a.weights.begin(), a.weights.end(), b.weights.begin(), b.weights.end(), same);
}

SharedBlock samba::buildBlock(OpBuilder &builder, const BlockSpec &spec, int64_t hiddenSize, int64_t slots,
                              StringRef name) {
  BlockBuilder b(builder, spec, hiddenSize, name);
  if (const MambaSpec *mamba = spec.mamba())
    return buildMamba(b, *mamba);
  if (const AttentionSpec *attention = spec.attention())
    return attention->cross ? buildCrossAttention(b, *attention, slots)
                            : buildAttention(b, *attention, attention->window.value_or(slots));
  if (const GatedMemorySpec *memory = spec.gatedMemory())
    return buildGatedMemory(b, *memory);
  return buildMlp(b);
}
