//===- Microsoft.cpp - checkpoints of microsoft/Samba ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/families/Microsoft.h"

#include "frontend/Error.h"
#include "frontend/KeyReader.h"
#include "frontend/families/Families.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include <set>

using namespace llvm;
using namespace samba;

namespace {

constexpr StringLiteral kTable = "transformer.wte.weight", kHeadName = "lm_head.weight",
                        kFinalNorm = "transformer.ln_f.weight", kLayers = "transformer.h.";

/// Describes a model by the shapes of its tensors. What does not fit together is left for the check of all tensors to
/// tell; here only what the description needs is looked at.
class Describer {
public:
  Describer(const Checkpoint &checkpoint, const MicrosoftConfig *config) : checkpoint(checkpoint), config(config) {}

  Expected<ModelDescription> run() {
    model.family = "microsoft";
    model.numerics = "residual=f32,norm_input=model"; // SPEC 6, P-cuda
    model.configPath = config ? config->origin : checkpoint.files().front()->file().path();
    double normEps = eps();
    describeTable();
    describeLayers();
    if (!problem.empty())
      return makeError(problem);
    model.addFinalNorm(kFinalNorm, normEps);
    model.maxPositionEmbeddings = config ? config->contextLength : 4096;
    auto token = [&](std::optional<int64_t> id) { return id && *id < model.vocabSize ? id : std::nullopt; };
    MicrosoftConfig defaults;
    model.bosToken = token((config ? *config : defaults).bosToken);
    std::vector<int64_t> ends = (config ? *config : defaults).endTokens;
    llvm::erase_if(ends, [&](int64_t id) { return id >= model.vocabSize; });
    model.endAt(ends);
    if (config)
      model.warnings = config->warnings;
    return std::move(model);
  }

private:
  double eps() const { return config ? config->normEps : 1e-5; }

  void fail(const Twine &message) {
    if (problem.empty())
      problem = message.str();
  }
  void fail(StringRef tensor, const Twine &expected, const Twine &found) {
    const Checkpoint::Tensor *entry = checkpoint.find(tensor);
    fail((entry ? entry->file->file().path() : checkpoint.directory()) + ": tensor " + quoted(tensor) + ": expected " +
         expected + ", found " + found);
  }

  /// A size of a tensor of that rank, between 1 and `largest`; 1 after an error.
  int64_t sizeOf(const std::string &tensor, size_t rank, size_t dimension, int64_t largest) {
    const Checkpoint::Tensor *entry = checkpoint.find(tensor);
    if (!entry) {
      fail(tensor, "it in the checkpoint", "nothing");
      return 1;
    }
    ArrayRef<int64_t> shape = entry->info->shape;
    if (shape.size() == rank && shape[dimension] >= 1 && shape[dimension] <= largest)
      return shape[dimension];
    fail(tensor, Twine(rank) + " sizes, and size " + Twine(dimension) + " between 1 and " + Twine(largest),
         "shape " + shapeText(shape));
    return 1;
  }

  bool has(const Twine &tensor) const { return checkpoint.find(tensor.str()) != nullptr; }

  /// The head is tied if it is stored as the same values, or not at all.
  void describeTable() {
    bool onlyHead = !has(kTable);
    StringRef table = onlyHead ? kHeadName : kTable;
    model.vocabSize = sizeOf(table.str(), 2, 0, kMaxVocab);
    model.hiddenSize = sizeOf(table.str(), 2, 1, kMaxHidden);
    model.embeddings = WeightSpec::of("embeddings.weight", table, {model.vocabSize, model.hiddenSize});
    if (config && config->width && *config->width != model.hiddenSize)
      fail(config->origin + ": expected a model of width " + Twine(*config->width) + ", found " +
           Twine(model.hiddenSize) + " in tensor " + quoted(table));
    if (onlyHead || !has(kHeadName))
      return;
    if (checkpoint.isSame(*checkpoint.find(kHeadName), *checkpoint.find(kTable)))
      model.tiedHead = kHeadName.str();
    else
      model.head = WeightSpec::of("lm_head.weight", kHeadName, {model.vocabSize, model.hiddenSize});
  }

  void describeLayers() {
    std::set<int64_t> numbers;
    for (StringRef name : checkpoint.tensorNames()) {
      int64_t number;
      if (!name.consume_front(kLayers))
        continue;
      StringRef digits = name.take_while(isDigit);
      if (to_integer(digits, number, 10) && number < kMaxLayers && std::to_string(number) == digits)
        numbers.insert(number);
    }
    if (numbers.empty())
      fail(checkpoint.directory() + ": expected layers (tensors '" + kLayers + "0....'), found none");
    else if (size_t(*numbers.rbegin()) + 1 != numbers.size())
      fail(checkpoint.directory() + ": expected tensors of each layer from 0 to " + Twine(*numbers.rbegin()) +
           ", found them of " + Twine(numbers.size()) + " layers");
    for (size_t layer = 0; layer < numbers.size() && problem.empty(); ++layer)
      describeLayer(int64_t(layer));
  }

  void describeLayer(int64_t layer) {
    std::string prefix = (kLayers + Twine(layer) + ".").str();
    LayerSpec &spec = model.layers.emplace_back();
    auto norm = [&](StringRef name) { return prefix + name.str() + ".weight"; };
    if (has(prefix + "mixer.in_proj.weight")) // a model of Mamba layers alone
      return spec.blocks.push_back(mamba("mixer", norm("norm"), prefix + "mixer."));
    bool both = has(prefix + "mb.in_proj.weight"); // Mamba, then attention
    if (both)
      spec.blocks.push_back(mamba("mamba", norm("norm_m"), prefix + "mb."));
    std::string mixer = prefix + "attn.", mixerNorm = norm(both ? "norm_attn" : "norm_1");
    if (has(mixer + "q_conv1d.weight"))
      fail(mixer + "q_conv1d.weight", "attention without convolutions of queries, keys and values (sc_attn)",
           "such a convolution, which is not supported");
    else if (has(mixer + "attn.weight"))
      spec.blocks.push_back(attention(layer, both ? "attention" : "mixer", mixerNorm, mixer));
    else if (has(mixer + "in_proj.weight") && !both)
      spec.blocks.push_back(mamba("mixer", mixerNorm, mixer));
    else if (has(mixer + "swiglu.w1.weight") && !both) // Mamba replaced by an MLP
      spec.blocks.push_back(mlp("mixer", mixerNorm, mixer + "swiglu."));
    else
      fail(checkpoint.directory() + ": layer " + Twine(layer) + ": expected a tensor '" + mixer + "in_proj.weight' " +
           "(Mamba), '" + mixer + "attn.weight' (attention) or '" + mixer + "swiglu.w1.weight' (MLP), found none");
    spec.blocks.push_back(mlp("mlp", norm("norm_2"), prefix + "mlp.swiglu."));
  }

  BlockSpec mamba(StringRef name, const std::string &norm, const std::string &prefix) {
    MambaSpec spec;
    spec.innerSize = std::max<int64_t>(1, sizeOf(prefix + "in_proj.weight", 2, 0, 32 * kMaxHidden) / 2);
    spec.stateSize = sizeOf(prefix + "A_log", 2, 1, 1 << 10);
    spec.convKernel = std::max<int64_t>(2, sizeOf(prefix + "conv1d.weight", 3, 2, 1 << 6));
    spec.dtRank = sizeOf(prefix + "dt_proj.weight", 2, 1, kMaxHidden);
    BlockSpec block{name.str(), {eps()}, spec, {}};
    block.add("norm.weight", norm, {model.hiddenSize});
    addMambaWeights(block, prefix, model.hiddenSize, MambaBiases());
    return block;
  }

  BlockSpec mlp(StringRef name, const std::string &norm, const std::string &prefix) {
    int64_t width = sizeOf(prefix + "w1.weight", 2, 0, 64 * kMaxHidden);
    BlockSpec block{name.str(), {eps()}, MlpSpec{width}, {}};
    block.add("norm.weight", norm, {model.hiddenSize});
    block.addLinear("gate_proj", prefix + "w1", width, model.hiddenSize);
    block.addLinear("up_proj", prefix + "w2", width, model.hiddenSize);
    block.addLinear("down_proj", prefix + "w3", model.hiddenSize, width);
    return block;
  }

  /// The rows of one matrix are, for each key/value head, its query heads, its key head and its value head (SPEC 1.3).
  BlockSpec attention(int64_t layer, StringRef name, const std::string &norm, const std::string &prefix) {
    const std::string all = prefix + "attn.weight";
    int64_t hidden = model.hiddenSize;
    AttentionSpec spec = attentionSpec(layer, all);
    BlockSpec block{name.str(), {eps()}, spec, {}};
    block.add("norm.weight", norm, {hidden});
    int64_t queries = spec.numHeads / std::max<int64_t>(1, spec.numKvHeads) * spec.headDim;
    int64_t group = queries + 2 * spec.headDim;
    TensorSpec tensor{all, {group * spec.numKvHeads, hidden}};
    auto take = [&](StringRef role, int64_t first, int64_t rows) {
      WeightSpec weight{role.str(), {}};
      for (int64_t head = 0; head < spec.numKvHeads; ++head)
        weight.parts.push_back({tensor, head * group + first, rows});
      block.weights.push_back(std::move(weight));
    };
    take("q_proj.weight", 0, queries);
    take("k_proj.weight", queries, spec.headDim);
    take("v_proj.weight", queries + spec.headDim, spec.headDim);
    block.addLinear("o_proj", prefix + "proj", hidden, hidden);
    return block;
  }

  AttentionSpec attentionSpec(int64_t layer, const std::string &tensor) {
    int64_t hidden = model.hiddenSize, rows = sizeOf(tensor, 2, 0, 3 * kMaxHidden);
    AttentionSpec spec;
    if (!config) {
      fail(
          checkpoint.files().front()->file().path() +
          ": expected a configuration, as the number of heads, the window and the rotary embedding do not show in the "
          "tensors of microsoft/Samba, found none; give --config=NAME (such as Samba_421M; --config=help lists all) or "
          "--config=FILE with the keys n_head, local_window and nope");
      return spec;
    }
    if (hidden % config->numHeads || hidden / config->numHeads % 2) {
      fail(config->origin + ": expected a number of heads (n_head) that gives an even head dimension of the width " +
           Twine(hidden) + ", found " + Twine(config->numHeads));
      return spec;
    }
    spec.numHeads = config->numHeads;
    spec.headDim = hidden / spec.numHeads;
    int64_t keysAndValues = rows - hidden;
    spec.numKvHeads = keysAndValues / (2 * spec.headDim);
    if (keysAndValues <= 0 || keysAndValues % (2 * spec.headDim) || spec.numHeads % spec.numKvHeads)
      fail(tensor,
           "rows of " + Twine(spec.numHeads) +
               " query heads and of as many key as value heads, a divisor of it, each of " + Twine(spec.headDim) +
               " rows (n_head is " + Twine(spec.numHeads) + " in " + config->origin + ")",
           Twine(rows) + " rows");
    else if (config->numGroups && *config->numGroups != spec.numKvHeads)
      fail(tensor, Twine(*config->numGroups) + " key/value heads (n_query_groups in " + config->origin + ")",
           Twine(spec.numKvHeads));
    if (!problem.empty())
      spec.numKvHeads = 1;
    bool isFull = config->fullPerLayer && layer % config->fullPerLayer == config->fullPerLayer - 1;
    spec.window = isFull ? std::nullopt : config->window;
    if (!config->rotary)
      spec.ropeTheta = std::nullopt;
    return spec;
  }

  const Checkpoint &checkpoint;
  const MicrosoftConfig *config;
  ModelDescription model;
  std::string problem;
};

Expected<ModelDescription> read(const json::Object &object, StringRef path, const Checkpoint *checkpoint) {
  Expected<MicrosoftConfig> config = MicrosoftConfig::parse(object, path);
  if (!config)
    return config.takeError();
  if (!checkpoint)
    return makeError(path + ": a model of microsoft/Samba is described by its tensors, and there are none");
  return describeMicrosoft(*checkpoint, &*config);
}

} // namespace

bool samba::isMicrosoftCheckpoint(const Checkpoint &checkpoint) {
  return llvm::any_of(checkpoint.tensorNames(), [](StringRef name) { return name.starts_with(kLayers); });
}

Expected<ModelDescription> samba::describeMicrosoft(const Checkpoint &checkpoint, const MicrosoftConfig *config) {
  return Describer(checkpoint, config).run();
}

const Family samba::kMicrosoftFamily = {
    "microsoft",
    {},
    [](const json::Object &config) { return config.get("n_head") && config.get("n_embd"); },
    read,
    "The original training code (microsoft/Samba): Samba, Mamba-SWA-MLP, Mamba, attention with window or without, and "
    "their ablations"};
