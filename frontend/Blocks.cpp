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

  /// The function will be passed these, besides x.
  void want(bool segments, bool positions = false, int64_t rotaryWidth = 0) {
    block.segments = segments;
    block.positions = positions;
    block.rotary = rotaryWidth > 0;
    leading.push_back({"x", rows(hiddenSize)});
    if (segments)
      leading.push_back({"segments", indices()});
    if (positions)
      leading.push_back({"positions", indices()});
    if (block.rotary)
      leading.push_back({"rotary", rows(rotaryWidth)});
  }

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

  SharedBlock finish(Value update, ValueRange states) {
    SmallVector<Value> results = {arith::AddFOp::create(builder, loc("residual"), argument("x"), update)};
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
  Value norm() { return rmsNorm(argument("x"), "norm", spec.norm.eps, spec.name + "_norm"); }

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
  Value tokens;                                    // T, once needed
  std::map<std::string, unsigned> indexOf;
};

SharedBlock buildMamba(BlockBuilder &b, const MambaSpec &spec) {
  int64_t inner = spec.innerSize, rank = spec.dtRank, states = spec.stateSize;
  OpBuilder &builder = b.builder;
  b.addState("conv", {spec.convKernel - 1, inner});
  b.addState("ssm", {states, inner});
  b.want(/*segments=*/true);
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
                                      b.argument("A_log"), B, C, segments, b.state("ssm"), b.argument("D"), z,
                                      b.argument("dt_proj.bias"), /*delta_softplus=*/true);
  return b.finish(b.linear(scan.getResult(), "out_proj"), {conv.getNewState(), scan.getNewState()});
}

SharedBlock buildAttention(BlockBuilder &b, const AttentionSpec &spec, int64_t slots) {
  OpBuilder &builder = b.builder;
  b.addState("key", {spec.numKvHeads, slots, spec.headDim});
  b.addState("value", {spec.numKvHeads, slots, spec.headDim});
  b.want(/*segments=*/true, /*positions=*/true, spec.ropeTheta ? spec.headDim : 0);
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
  auto attention =
      SlidingWindowAttentionOp::create(builder, b.loc("attention"), q.getType(), key.getType(), value.getType(), q, k,
                                       v, b.argument("segments"), b.argument("positions"), key, value, window);
  return b.finish(b.linear(attention.getResult(), "o_proj"),
                  {attention.getNewKeyState(), attention.getNewValueState()});
}

SharedBlock buildMlp(BlockBuilder &b) {
  b.want(/*segments=*/false);
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
  return spec.mamba() ? "mamba" : spec.attention() ? "attention" : "mlp";
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
    return buildAttention(b, *attention, attention->window.value_or(slots));
  return buildMlp(b);
}
