//===- Importer.cpp - samba IR of a checkpoint ----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/Importer.h"

#include "dialect/Samba.h"
#include "frontend/Error.h"
#include "frontend/SambaBlocks.h"
#include "frontend/SambaTensors.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include <deque>
#include <map>

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kMaxContext = 1 << 24;

class Importer {
public:
  Importer(MLIRContext &context, const SambaConfig &config, int64_t fullContext)
      : builder(&context), config(config), fullContext(fullContext) {}

  OwningOpRef<ModuleOp> build(StringRef name) {
    OwningOpRef<ModuleOp> module = ModuleOp::create(builder, loc(name), name);
    (*module)->setAttr("samba.model", describeModel(name));
    builder.setInsertionPointToEnd(module->getBody());
    for (const TensorSpec &tensor : modelTensors(config)) {
      WeightDecl weight = WeightDecl::of(tensor, builder.getContext());
      WeightOp::create(builder, loc(weight.symbol), weight.symbol, weight.source, weight.type, weight.transform,
                       /*offset=*/IntegerAttr());
    }
    chooseBlocks();
    buildStep();
    return module;
  }

private:
  Location loc(const Twine &name) { return NameLoc::get(builder.getStringAttr(name)); }
  RankedTensorType tensorType(ArrayRef<int64_t> shape, Type element) { return RankedTensorType::get(shape, element); }
  RankedTensorType rows(int64_t width) { return tensorType({ShapedType::kDynamic, width}, builder.getF32Type()); }

  DictionaryAttr describeModel(StringRef name) {
    NamedAttrList attributes;
    auto set = [&](StringRef key, std::optional<int64_t> value) {
      if (value)
        attributes.set(key, builder.getI64IntegerAttr(*value));
    };
    attributes.set("name", builder.getStringAttr(name));
    attributes.set("family", builder.getStringAttr("samba"));
    set("vocab_size", config.vocabSize);
    set("hidden_size", config.hiddenSize);
    set("num_layers", config.numLayers);
    set("inner_size", config.innerSize);
    set("state_size", config.stateSize);
    set("conv_kernel", config.convKernel);
    set("dt_rank", config.dtRank);
    set("mlp_size", config.mlpSize);
    attributes.set("norm_eps", builder.getF64FloatAttr(config.normEps));
    attributes.set("tie_word_embeddings", builder.getBoolAttr(config.tieWordEmbeddings));
    set("parameters", numParameters(config));
    set("bos_token_id", config.bosToken);
    set("eos_token_id", config.eosToken);
    set("pad_token_id", config.padToken);
    SmallVector<Attribute> layers, attention;
    for (int64_t layer = 0; layer < config.numLayers; ++layer)
      layers.push_back(builder.getStringAttr(config.attentionOf(layer) ? "attention" : "mamba"));
    attributes.set("layers", builder.getArrayAttr(layers));
    for (const AttentionSpec &spec : config.attention)
      attention.push_back(describeAttention(spec));
    attributes.set("attention", builder.getArrayAttr(attention));
    if (llvm::any_of(config.attention, [](const AttentionSpec &spec) { return !spec.window; }))
      set("max_context", fullContext);
    return attributes.getDictionary(builder.getContext());
  }

  DictionaryAttr describeAttention(const AttentionSpec &spec) {
    NamedAttrList attributes;
    SmallVector<Attribute> layers;
    for (int64_t layer : spec.layers)
      layers.push_back(builder.getI64IntegerAttr(layer));
    attributes.set("layers", builder.getArrayAttr(layers));
    attributes.set("num_heads", builder.getI64IntegerAttr(spec.numHeads));
    attributes.set("num_kv_heads", builder.getI64IntegerAttr(spec.numKvHeads));
    attributes.set("head_dim", builder.getI64IntegerAttr(spec.headDim));
    if (spec.window)
      attributes.set("window", builder.getI64IntegerAttr(*spec.window));
    attributes.set("rope_theta", builder.getF64FloatAttr(spec.ropeTheta));
    return attributes.getDictionary(builder.getContext());
  }

  /// Builds the functions that the layers need, and says which mixer each layer calls. The size of the module's code
  /// must not grow with its depth.
  void chooseBlocks() {
    SharedBlock *mamba = nullptr;
    std::map<const AttentionSpec *, SharedBlock *> mixerOf;
    std::map<std::tuple<int64_t, int64_t, bool, int64_t>, SharedBlock *> attentionOf;
    for (const AttentionSpec &spec : config.attention) {
      // Theta is not part of the key: it is in the table that the function is passed.
      SharedBlock *&block = attentionOf[{spec.numHeads, spec.numKvHeads, spec.qkvBias, spec.window.value_or(0)}];
      if (!block) {
        size_t number = attentionOf.size() - 1;
        std::string name = number == 0 ? "attention" : ("attention_" + Twine(number)).str();
        block = &blocks.emplace_back(buildAttention(builder, config, spec, spec.window.value_or(fullContext), name));
      }
      mixerOf[&spec] = block;
    }
    for (int64_t layer = 0; layer < config.numLayers; ++layer) {
      const AttentionSpec *spec = config.attentionOf(layer);
      if (!spec && !mamba)
        mamba = &blocks.emplace_back(buildMamba(builder, config, "mamba"));
      mixers.push_back(spec ? mixerOf[spec] : mamba);
    }
    mlp = &blocks.emplace_back(buildMlp(builder, config, "mlp"));
  }

  void buildStep() {
    Type i64 = builder.getI64Type();
    RankedTensorType indices = tensorType({ShapedType::kDynamic}, i64);
    SmallVector<Type> arguments = {tensorType({ShapedType::kDynamic}, builder.getI32Type()), indices, indices, indices};
    SmallVector<Type> results = {rows(config.vocabSize)};
    SmallVector<std::string> names = {"tokens", "segments", "positions", "rows"};
    const size_t firstState = arguments.size();
    for (auto [layer, mixer] : llvm::enumerate(mixers))
      for (const StateDecl &state : mixer->states) {
        arguments.push_back(state.type);
        results.push_back(state.type);
        names.push_back(("layers." + Twine(layer) + "." + state.name).str());
      }
    step = func::FuncOp::create(builder, loc("samba_step"), "samba_step", builder.getFunctionType(arguments, results));
    Block *body = step.addEntryBlock();
    for (auto [index, name] : llvm::enumerate(names)) {
      body->getArgument(index).setLoc(loc(name));
      if (index >= firstState)
        step.setArgAttr(index, "samba.name", builder.getStringAttr(name));
    }
    builder.setInsertionPointToStart(body);

    Value table = loadWeight({kEmbeddings.str(), {config.vocabSize, config.hiddenSize}});
    Value x = EmbeddingOp::create(builder, loc("embeddings"), rows(config.hiddenSize), body->getArgument(0), table);
    probe(x, "embeddings");
    SmallVector<Value> returned = {Value()};
    size_t nextState = firstState;
    for (auto [layer, mixer] : llvm::enumerate(mixers)) {
      std::string name = ("layers." + Twine(layer)).str();
      ValueRange states = body->getArguments().slice(nextState, mixer->states.size());
      nextState += mixer->states.size();
      ResultRange mixed = callBlock(*mixer, layer, config.attentionOf(layer), x, states, name + ".mixer");
      llvm::append_range(returned, mixed.drop_front());
      x = callBlock(*mlp, layer, nullptr, mixed.front(), {}, name + ".mlp").front();
      probe(x, name);
    }
    x = GatherRowsOp::create(builder, loc("rows"), x.getType(), x, body->getArgument(3));
    Value norm = loadWeight({kFinalNorm.str(), {config.hiddenSize}});
    x = RmsNormOp::create(builder, loc("norm_f"), x.getType(), x, norm, builder.getF32FloatAttr(float(config.normEps)));
    probe(x, "norm_f");
    Value head = config.tieWordEmbeddings ? table : loadWeight({kHead.str(), {config.vocabSize, config.hiddenSize}});
    returned[0] = LinearOp::create(builder, loc("lm_head"), rows(config.vocabSize), x, head, /*bias=*/Value());
    func::ReturnOp::create(builder, loc("samba_step"), returned);
  }

  ResultRange callBlock(SharedBlock &block, int64_t layer, const AttentionSpec *spec, Value x, ValueRange states,
                        const std::string &name) {
    SmallVector<Value> operands = {x};
    if (&block != mlp)
      operands.push_back(step.getArgument(1));
    if (spec)
      operands.append({step.getArgument(2), rotaryTable(*spec)});
    for (const TensorSpec &tensor : block.weights)
      operands.push_back(loadWeight({layerPrefix(layer) + tensor.name, tensor.shape}));
    llvm::append_range(operands, states);
    return func::CallOp::create(builder, loc(name), block.function, operands).getResults();
  }

  /// One table for all layers of the same theta and head dimension, made where it is first needed.
  Value rotaryTable(const AttentionSpec &spec) {
    Value &table = tables[{spec.ropeTheta, spec.headDim}];
    if (!table)
      table = RotaryTableOp::create(builder, loc("rotary_table"), rows(spec.headDim), step.getArgument(1),
                                    step.getArgument(2), builder.getF64FloatAttr(spec.ropeTheta));
    return table;
  }

  Value loadWeight(const TensorSpec &tensor) {
    WeightDecl weight = WeightDecl::of(tensor, builder.getContext());
    return LoadWeightOp::create(builder, loc(weight.symbol), weight.type, weight.symbol);
  }

  void probe(Value x, StringRef name) { ProbeOp::create(builder, loc(name), x, name, probes++); }

  OpBuilder builder;
  const SambaConfig &config;
  int64_t fullContext;
  std::deque<SharedBlock> blocks; // addresses stay
  std::vector<SharedBlock *> mixers;
  SharedBlock *mlp = nullptr;
  func::FuncOp step;
  std::map<std::pair<double, int64_t>, Value> tables;
  uint32_t probes = 0;
};

std::string directoryName(StringRef directory) {
  SmallString<128> path;
  if (llvm::sys::fs::real_path(directory, path))
    path = directory;
  StringRef name = llvm::sys::path::filename(path);
  return name.empty() || name == "/" ? "model" : llvm::json::fixUTF8(name);
}

} // namespace

llvm::Expected<OwningOpRef<ModuleOp>> samba::importSamba(MLIRContext &context, const SambaConfig &config,
                                                         const Checkpoint &checkpoint, const ImportOptions &options) {
  if (llvm::Error failed = checkTensors(config, checkpoint))
    return std::move(failed);
  int64_t fullContext = options.context ? options.context : config.maxPositionEmbeddings;
  bool hasFull = llvm::any_of(config.attention, [](const AttentionSpec &spec) { return !spec.window; });
  if (hasFull && (fullContext < 1 || fullContext > kMaxContext))
    return makeError(config.path + ": full attention: expected a context between 1 and " + Twine(kMaxContext) +
                     " tokens, found " + Twine(fullContext) +
                     (options.context ? "" : " (key 'max_position_embeddings'; choose a context)"));
  context.loadDialect<SambaDialect, arith::ArithDialect, func::FuncDialect, tensor::TensorDialect>();
  OwningOpRef<ModuleOp> module =
      Importer(context, config, fullContext)
          .build(options.name.empty() ? directoryName(checkpoint.directory()) : options.name);

  std::string problem;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    if (problem.empty())
      problem = diagnostic.str();
    return success();
  });
  if (failed(verify(*module)))
    return makeError(checkpoint.directory() + ": imported into invalid IR: " + problem);
  return std::move(module);
}
