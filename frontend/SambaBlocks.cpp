//===- SambaBlocks.cpp - the functions that layers of a kind share --------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/SambaBlocks.h"

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
  BlockBuilder(OpBuilder &builder, const SambaConfig &config, StringRef name, std::vector<TensorSpec> weights)
      : builder(builder), guard(builder), config(config), name(name) {
    block.weights = std::move(weights);
  }

  RankedTensorType rows(int64_t width) { return RankedTensorType::get({kTokens, width}, builder.getF32Type()); }
  RankedTensorType indices() { return RankedTensorType::get({kTokens}, builder.getI64Type()); }
  Location loc(StringRef what) { return NameLoc::get(builder.getStringAttr(name + "." + what)); }

  void addState(StringRef stateName, ArrayRef<int64_t> shape) {
    block.states.push_back({stateName.str(), StateType::get(builder.getContext(), shape, builder.getF32Type())});
  }

  /// Creates the function and enters its body. The arguments `leading` come before weights and states.
  void begin(ArrayRef<std::pair<StringRef, Type>> leading) {
    SmallVector<Type> arguments, results = {leading.front().second};
    SmallVector<Location> locations;
    auto add = [&](StringRef what, Type type) {
      indexOf[what.str()] = arguments.size();
      arguments.push_back(type);
      locations.push_back(loc(what));
    };
    for (auto &[what, type] : leading)
      add(what, type);
    for (const TensorSpec &weight : block.weights)
      add(weight.name, WeightDecl::of(weight, builder.getContext()).type);
    for (const StateDecl &state : block.states) {
      add(state.name, state.type);
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
  /// Null if the block has no such weight: a bias that the configuration leaves out.
  Value optional(StringRef what) {
    auto it = indexOf.find(what.str());
    return it == indexOf.end() ? Value() : Value(block.function.getArgument(it->second));
  }

  Value norm(StringRef what) {
    Value x = argument("x");
    FloatAttr eps = builder.getF32FloatAttr(float(config.normEps));
    return RmsNormOp::create(builder, loc(what), x.getType(), x, argument((what + ".weight").str()), eps);
  }

  /// `part` is the weight's name without its suffix: "mixer.in_proj".
  Value linear(Value x, StringRef part, bool useBias = true) {
    Value weight = argument((part + ".weight").str());
    Value bias = useBias ? optional((part + ".bias").str()) : Value();
    int64_t outputs = cast<RankedTensorType>(weight.getType()).getDimSize(0);
    return LinearOp::create(builder, loc(part.split('.').second), rows(outputs), x, weight, bias);
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
  const SambaConfig &config;
  std::string name;
  SharedBlock block;
  Value tokens; // T, once needed
  std::map<std::string, unsigned> indexOf;
};

} // namespace

WeightDecl WeightDecl::of(const TensorSpec &tensor, MLIRContext *context) {
  WeightDecl decl;
  decl.source = tensor.name;
  StringRef symbol = tensor.name;
  symbol.consume_front("backbone.");
  symbol.consume_back(".weight");
  bool isALog = symbol.consume_back("A_log");
  decl.symbol = (symbol + (isALog ? "A" : "")).str();
  decl.transform = isALog ? WeightTransform::NegExp : WeightTransform::None;
  SmallVector<int64_t, 3> shape = tensor.shape;
  if (shape.size() == 3)
    shape.erase(shape.begin() + 1);
  decl.type = RankedTensorType::get(shape, Float32Type::get(context));
  return decl;
}

SharedBlock samba::buildMamba(OpBuilder &builder, const SambaConfig &config, StringRef name) {
  int64_t inner = config.innerSize, rank = config.dtRank, states = config.stateSize;
  BlockBuilder b(builder, config, name, mixerTensors(config, /*attention=*/nullptr));
  b.addState("conv", {config.convKernel - 1, inner});
  b.addState("ssm", {states, inner});
  b.begin({{"x", b.rows(config.hiddenSize)}, {"segments", b.indices()}});

  Value segments = b.argument("segments");
  Value xz = b.linear(b.norm("mixer_norm"), "mixer.in_proj");
  Value x = b.columns(xz, 0, inner, "in_proj.x"), z = b.columns(xz, inner, inner, "in_proj.z");
  auto conv = CausalConv1dOp::create(builder, b.loc("conv1d"), x.getType(), b.argument("conv").getType(), x,
                                     b.argument("mixer.conv1d.weight"), b.argument("mixer.conv1d.bias"), segments,
                                     b.argument("conv"), Activation::Silu);
  Value u = conv.getResult();
  Value projected = b.linear(u, "mixer.x_proj");
  Value dt = b.columns(projected, 0, rank, "x_proj.dt"), B = b.columns(projected, rank, states, "x_proj.B");
  Value C = b.columns(projected, rank + states, states, "x_proj.C");
  // The bias of dt_proj is added by the scan, before softplus.
  Value delta = b.linear(dt, "mixer.dt_proj", /*useBias=*/false);
  auto scan = SelectiveScanOp::create(builder, b.loc("scan"), u.getType(), b.argument("ssm").getType(), u, delta,
                                      b.argument("mixer.A_log"), B, C, segments, b.argument("ssm"),
                                      b.argument("mixer.D"), z, b.argument("mixer.dt_proj.bias"),
                                      /*delta_softplus=*/true);
  return b.finish(b.linear(scan.getResult(), "mixer.out_proj"), {conv.getNewState(), scan.getNewState()});
}

SharedBlock samba::buildAttention(OpBuilder &builder, const SambaConfig &config, const AttentionSpec &spec,
                                  int64_t slots, StringRef name) {
  BlockBuilder b(builder, config, name, mixerTensors(config, &spec));
  b.addState("key", {spec.numKvHeads, slots, spec.headDim});
  b.addState("value", {spec.numKvHeads, slots, spec.headDim});
  b.begin({{"x", b.rows(config.hiddenSize)},
           {"segments", b.indices()},
           {"positions", b.indices()},
           {"rotary", b.rows(spec.headDim)}});

  Value h = b.norm("mixer_norm"), table = b.argument("rotary");
  Value q = b.linear(h, "mixer.q_proj"), k = b.linear(h, "mixer.k_proj"), v = b.linear(h, "mixer.v_proj");
  q = RotaryOp::create(builder, b.loc("rotary_q"), q.getType(), q, table);
  k = RotaryOp::create(builder, b.loc("rotary_k"), k.getType(), k, table);
  Value key = b.argument("key"), value = b.argument("value");
  IntegerAttr window = spec.window ? builder.getI64IntegerAttr(*spec.window) : IntegerAttr();
  auto attention =
      SlidingWindowAttentionOp::create(builder, b.loc("attention"), q.getType(), key.getType(), value.getType(), q, k,
                                       v, b.argument("segments"), b.argument("positions"), key, value, window);
  return b.finish(b.linear(attention.getResult(), "mixer.o_proj"),
                  {attention.getNewKeyState(), attention.getNewValueState()});
}

SharedBlock samba::buildMlp(OpBuilder &builder, const SambaConfig &config, StringRef name) {
  BlockBuilder b(builder, config, name, mlpTensors(config));
  b.begin({{"x", b.rows(config.hiddenSize)}});
  Value h = b.norm("mlp_norm");
  Value gate = b.linear(h, "mlp.gate_proj"), up = b.linear(h, "mlp.up_proj");
  Value hidden = SwigluOp::create(builder, b.loc("swiglu"), gate.getType(), gate, up);
  return b.finish(b.linear(hidden, "mlp.down_proj"), {});
}
