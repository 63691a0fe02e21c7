//===- Importer.cpp - samba IR of a checkpoint ----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/Importer.h"

#include "dialect/Numerics.h"
#include "dialect/Samba.h"
#include "frontend/Blocks.h"
#include "frontend/Error.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Verifier.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringMap.h"
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
  Importer(MLIRContext &context, const ModelDescription &model, int64_t fullContext)
      : builder(&context), model(model), fullContext(fullContext) {}

  OwningOpRef<ModuleOp> build(StringRef name) {
    OwningOpRef<ModuleOp> module = ModuleOp::create(builder, loc(name), name);
    (*module)->setAttr("samba.model", describeModel(name));
    builder.setInsertionPointToEnd(module->getBody());
    model.forEachWeight([&](StringRef symbol, const WeightSpec &weight) { declareWeight(symbol, weight); });
    chooseBlocks();
    buildStep();
    return module;
  }

private:
  Location loc(const Twine &name) { return NameLoc::get(builder.getStringAttr(name)); }
  RankedTensorType tensorType(ArrayRef<int64_t> shape, Type element) { return RankedTensorType::get(shape, element); }
  RankedTensorType rows(int64_t width) { return tensorType({ShapedType::kDynamic, width}, builder.getF32Type()); }

  void declareWeight(StringRef symbol, const WeightSpec &weight) {
    RankedTensorType type = weightType(weight, builder.getContext());
    SmallVector<WeightPart> parts;
    for (const TensorRows &rows : weight.parts) {
      parts.push_back({rows.tensor.name, SmallVector<int64_t>(type.getShape()), rows.firstRow});
      parts.back().shape[0] = rows.firstRow ? rows.rows : rows.tensor.shape[0];
    }
    WeightOp::create(builder, loc(symbol), symbol, ArrayRef(parts), type, weightTransform(weight));
  }

  DictionaryAttr describeModel(StringRef name) {
    NamedAttrList attributes;
    auto set = [&](StringRef key, std::optional<int64_t> value) {
      if (value)
        attributes.set(key, builder.getI64IntegerAttr(*value));
    };
    attributes.set("name", builder.getStringAttr(name));
    attributes.set("family", builder.getStringAttr(model.family));
    set("vocab_size", model.vocabSize);
    set("hidden_size", model.hiddenSize);
    set("num_layers", model.layers.size());
    attributes.set("norm_eps", builder.getF64FloatAttr(model.finalNorm.eps));
    attributes.set("tie_word_embeddings", builder.getBoolAttr(!model.head));
    set("parameters", model.numParameters());
    set("bos_token_id", model.bosToken);
    set("eos_token_id", model.eosToken);
    set("pad_token_id", model.padToken);
    if (!model.moreEnds.empty())
      attributes.set("end_tokens", builder.getI64ArrayAttr(model.moreEnds));
    SmallVector<Attribute> layers;
    llvm::MapVector<const AttentionSpec *, SmallVector<int64_t>> attention; // the layers of each kind
    for (auto [number, layer] : llvm::enumerate(model.layers)) {
      std::string kinds;
      for (const BlockSpec &block : layer.blocks) {
        if (const MambaSpec *mamba = block.mamba()) {
          set("inner_size", mamba->innerSize);
          set("state_size", mamba->stateSize);
          set("conv_kernel", mamba->convKernel);
          set("dt_rank", mamba->dtRank);
        } else if (const MlpSpec *mlp = block.mlp()) {
          set("mlp_size", mlp->width);
          continue;
        } else if (const AttentionSpec *spec = block.attention()) {
          auto *known = llvm::find_if(attention, [&](auto &entry) { return *entry.first == *spec; });
          (known == attention.end() ? attention[spec] : known->second).push_back(number);
        }
        kinds += (kinds.empty() ? "" : "+") + kindOf(block).str();
      }
      layers.push_back(builder.getStringAttr(kinds.empty() ? "mlp" : kinds));
    }
    attributes.set("layers", builder.getArrayAttr(layers));
    SmallVector<Attribute> kinds;
    for (auto &[spec, numbers] : attention)
      kinds.push_back(describeAttention(*spec, numbers));
    attributes.set("attention", builder.getArrayAttr(kinds));
    if (model.hasFullAttention())
      set("max_context", fullContext);
    return attributes.getDictionary(builder.getContext());
  }

  DictionaryAttr describeAttention(const AttentionSpec &spec, ArrayRef<int64_t> layers) {
    NamedAttrList attributes;
    attributes.set("layers", builder.getArrayAttr(llvm::map_to_vector(layers, [&](int64_t layer) -> Attribute {
      return builder.getI64IntegerAttr(layer);
    })));
    attributes.set("num_heads", builder.getI64IntegerAttr(spec.numHeads));
    attributes.set("num_kv_heads", builder.getI64IntegerAttr(spec.numKvHeads));
    attributes.set("head_dim", builder.getI64IntegerAttr(spec.headDim));
    if (spec.window)
      attributes.set("window", builder.getI64IntegerAttr(*spec.window));
    if (spec.ropeTheta)
      attributes.set("rope_theta", builder.getF64FloatAttr(*spec.ropeTheta));
    return attributes.getDictionary(builder.getContext());
  }

  /// Builds the functions that the layers need, those of a kind side by side, and says which block calls which. The
  /// size of the module's code must not grow with its depth.
  void chooseBlocks() {
    auto kindsInOrder = [](const BlockSpec *a, const BlockSpec *b) { return a->body.index() < b->body.index(); };
    SmallVector<const BlockSpec *> distinct;
    for (const LayerSpec &layer : model.layers)
      for (const BlockSpec &spec : layer.blocks)
        if (llvm::none_of(distinct, [&](const BlockSpec *known) { return canShare(*known, spec); }))
          distinct.insert(llvm::upper_bound(distinct, &spec, kindsInOrder), &spec);
    llvm::StringMap<int64_t> numbers; // functions of each kind
    for (const BlockSpec *spec : distinct) {
      int64_t number = numbers[kindOf(*spec)]++;
      std::string name = kindOf(*spec).str() + (number ? "_" + std::to_string(number) : "");
      blocks.push_back(buildBlock(builder, *spec, model.hiddenSize, fullContext, name));
    }
    for (const LayerSpec &layer : model.layers)
      for (const BlockSpec &spec : layer.blocks) {
        auto *known = llvm::find_if(distinct, [&](const BlockSpec *other) { return canShare(*other, spec); });
        blockOf[&spec] = &blocks[known - distinct.begin()];
      }
  }

  ArrayRef<StateDecl> ownStates(const BlockSpec &spec) {
    const SharedBlock &block = *blockOf[&spec];
    return block.borrowsStates ? ArrayRef<StateDecl>() : ArrayRef<StateDecl>(block.states);
  }

  void buildStep() {
    Type i64 = builder.getI64Type();
    RankedTensorType indices = tensorType({ShapedType::kDynamic}, i64);
    SmallVector<Type> arguments = {tensorType({ShapedType::kDynamic}, builder.getI32Type()), indices, indices, indices};
    SmallVector<Type> results = {rows(model.vocabSize)};
    SmallVector<std::string> names = {"tokens", "segments", "positions", "rows"};
    const size_t firstState = arguments.size();
    for (auto [number, layer] : llvm::enumerate(model.layers))
      for (const BlockSpec &spec : layer.blocks)
        for (const StateDecl &state : ownStates(spec)) {
          arguments.push_back(state.type);
          results.push_back(state.type);
          names.push_back(("layers." + Twine(number) + "." + state.name).str());
        }
    step = func::FuncOp::create(builder, loc("samba_step"), "samba_step", builder.getFunctionType(arguments, results));
    Block *body = step.addEntryBlock();
    for (auto [index, name] : llvm::enumerate(names)) {
      body->getArgument(index).setLoc(loc(name));
      if (index >= firstState)
        step.setArgAttr(index, "samba.name", builder.getStringAttr(name));
    }
    builder.setInsertionPointToStart(body);

    Value table = loadWeight("embeddings", model.embeddings);
    Value x = EmbeddingOp::create(builder, loc("embeddings"), rows(model.hiddenSize), body->getArgument(0), table);
    probe(x, "embeddings");
    returned = {Value()};
    size_t nextState = firstState;
    for (auto [number, layer] : llvm::enumerate(model.layers)) {
      for (const BlockSpec &spec : layer.blocks) {
        if (spec.selected)
          selectRows(x);
        SharedBlock &block = *blockOf[&spec];
        size_t numStates = block.states.size();
        size_t firstReturned = block.borrowsStates ? lender : returned.size();
        if (!block.borrowsStates) {
          llvm::append_range(returned, ValueRange(body->getArguments()).slice(nextState, numStates));
          nextState += numStates;
          if (spec.attention())
            lender = firstReturned;
        }
        auto states = MutableArrayRef(returned).slice(firstReturned, numStates);
        ResultRange results = callBlock(number, spec, x, states);
        x = results.front();
        if (block.keepsMemory)
          memory = results[1];
        llvm::copy(results.take_back(numStates), states.begin());
      }
      probe(x, ("layers." + Twine(number)).str());
    }
    selectRows(x);
    x = finalNorm(x);
    probe(x, "norm_f");
    Value head = model.head ? loadWeight("lm_head", *model.head) : table;
    returned[0] = LinearOp::create(builder, loc("lm_head"), rows(model.vocabSize), x, head, /*bias=*/Value());
    func::ReturnOp::create(builder, loc("samba_step"), returned);
  }

  /// From here on there are only the tokens whose logits are wanted.
  void selectRows(Value &x) {
    if (selected)
      return;
    selected = true;
    Value wanted = step.getArgument(3);
    x = GatherRowsOp::create(builder, loc("rows"), x.getType(), x, wanted);
    if (memory)
      memory = GatherRowsOp::create(builder, loc("rows.memory"), memory.getType(), memory, wanted);
  }

  Value finalNorm(Value x) {
    Value weight = loadWeight("norm_f", model.finalNormWeight);
    FloatAttr eps = builder.getF32FloatAttr(float(model.finalNorm.eps));
    if (!model.finalNorm.centred)
      return RmsNormOp::create(builder, loc("norm_f"), x.getType(), x, weight, eps);
    Value bias = model.finalNormBias ? loadWeight("norm_f.bias", *model.finalNormBias) : Value();
    return LayerNormOp::create(builder, loc("norm_f"), x.getType(), x, weight, bias, eps);
  }

  ResultRange callBlock(size_t layer, const BlockSpec &spec, Value x, ValueRange states) {
    SharedBlock &block = *blockOf[&spec];
    Location name = loc("layers." + Twine(layer) + "." + spec.name);
    SmallVector<Value> operands = {x};
    for (SharedBlock::Input input : block.wants)
      operands.push_back(inputOf(input, layer, spec));
    for (const WeightSpec &weight : spec.weights)
      operands.push_back(loadWeight(ModelDescription::symbolOf(layer, spec, weight), weight));
    llvm::append_range(operands, states);
    return func::CallOp::create(builder, name, block.function, operands).getResults();
  }

  Value inputOf(SharedBlock::Input input, size_t layer, const BlockSpec &spec) {
    switch (input) {
    case SharedBlock::Segments:
      return step.getArgument(1);
    case SharedBlock::Positions:
      return step.getArgument(2);
    case SharedBlock::Rows:
      return step.getArgument(3);
    case SharedBlock::Rotary:
      return rotaryTable(*spec.attention());
    case SharedBlock::Memory:
      return memory;
    case SharedBlock::Depth:
      return arith::ConstantIndexOp::create(builder, loc("layers." + Twine(layer)), layer);
    }
    llvm_unreachable("unknown input");
  }

  /// One table for all layers of the same theta and head dimension, made where it is first needed.
  Value rotaryTable(const AttentionSpec &spec) {
    Value &table = tables[{*spec.ropeTheta, spec.headDim}];
    if (!table)
      table = RotaryTableOp::create(builder, loc("rotary_table"), rows(spec.headDim), step.getArgument(1),
                                    step.getArgument(2), builder.getF64FloatAttr(*spec.ropeTheta));
    return table;
  }

  Value loadWeight(StringRef symbol, const WeightSpec &weight) {
    return LoadWeightOp::create(builder, loc(symbol), weightType(weight, builder.getContext()), symbol);
  }

  void probe(Value x, StringRef name) { ProbeOp::create(builder, loc(name), x, name, probes++); }

  OpBuilder builder;
  const ModelDescription &model;
  int64_t fullContext;
  std::deque<SharedBlock> blocks; // addresses stay
  llvm::DenseMap<const BlockSpec *, SharedBlock *> blockOf;
  func::FuncOp step;
  std::map<std::pair<double, int64_t>, Value> tables;
  SmallVector<Value> returned; // logits and states, as far as the step has come
  size_t lender = 0;           // in `returned`: the states of the last layer that has keys and values of its own
  Value memory;                // of the last layer that keeps one
  bool selected = false;       // rows are those of the tokens whose logits are wanted
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

llvm::Expected<OwningOpRef<ModuleOp>> samba::importModel(MLIRContext &context, const ModelDescription &model,
                                                         const Checkpoint &checkpoint, const ImportOptions &options) {
  if (llvm::Error failed = checkTensors(model, checkpoint))
    return std::move(failed);
  int64_t fullContext = options.context ? options.context : model.maxPositionEmbeddings;
  if (model.hasFullAttention() && (fullContext < 1 || fullContext > kMaxContext))
    return makeError(model.configPath + ": full attention: expected a context between 1 and " + Twine(kMaxContext) +
                     " tokens, found " + Twine(fullContext) +
                     (options.context ? "" : " (key 'max_position_embeddings'; choose a context)"));
  Numerics numerics;
  for (llvm::StringRef flags : {StringRef(model.numerics), StringRef(options.numerics)})
    if (llvm::Error failed = numerics.set(flags))
      return std::move(failed);
  // A window of w+1 keys is a model with other windows.
  std::optional<ModelDescription> widened;
  if (numerics["window_keys"] == "w+1") {
    widened = model;
    for (LayerSpec &layer : widened->layers)
      for (BlockSpec &block : layer.blocks)
        if (auto *attention = std::get_if<AttentionSpec>(&block.body); attention && attention->window)
          ++*attention->window;
  }
  context.loadDialect<SambaDialect, arith::ArithDialect, func::FuncDialect, tensor::TensorDialect>();
  OwningOpRef<ModuleOp> module =
      Importer(context, widened ? *widened : model, fullContext)
          .build(options.name.empty() ? directoryName(checkpoint.directory()) : options.name);

  if (DictionaryAttr profile = numerics.attribute(&context))
    (*module)->setAttr(Numerics::kAttribute, profile);
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
