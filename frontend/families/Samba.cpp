//===- Samba.cpp - the samba family of flash-linear-attention -------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/families/Samba.h"

#include "frontend/Error.h"
#include "frontend/Json.h"
#include "frontend/KeyReader.h"
#include "frontend/families/Families.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>
#include <set>

using namespace llvm;
using namespace samba;

namespace {

/// `use_conv_bias` is harmless because the original ignores it (there is always a bias), and so is
/// `intermediate_size`, which is always derived from `expand`.
constexpr StringLiteral kHarmless[] = {
    "use_conv_bias", "intermediate_size",  "residual_in_fp32",          "time_step_init_scheme",
    "fuse_norm",     "fuse_swiglu",        "fuse_linear_cross_entropy", "rescale_prenorm_residual",
    "use_l2warp",    "fuse_cross_entropy",
};

constexpr StringLiteral kUnsupported[] = {"attnres_block_size", "num_experts"};

class ConfigParser {
public:
  ConfigParser(const json::Object &object, StringRef path) : object(object), keys(object, path, "", firstError) {
    config.path = path.str();
  }

  Expected<SambaConfig> parse() {
    const json::Value *type = keys.get("model_type");
    if (!type || type->getAsString() != StringRef("samba"))
      keys.error("model_type", "\"samba\"");
    keys.expectSilu("hidden_act");
    keys.acceptHarmless(kHarmless);
    refuseUnsupported(keys);
    parseSizes();
    parseTokens();
    if (firstError.empty())
      parseAttention();
    if (!firstError.empty())
      return makeError(firstError);
    keys.warnOfUnknown(config.warnings);
    return std::move(config);
  }

private:
  static void refuseUnsupported(KeyReader &reader) {
    reader.refuse(kUnsupported);
    reader.refuse(kUnsupportedKeys);
  }

  void parseSizes() {
    config.vocabSize = keys.integer("vocab_size", 32000, 1, kMaxVocab);
    config.hiddenSize = keys.integer("hidden_size", 2304, 1, kMaxHidden);
    config.numLayers = keys.integer("num_hidden_layers", 18, 1, kMaxLayers);
    config.stateSize = keys.integer("state_size", 16, 1, 1 << 10);
    config.convKernel = keys.integer("conv_kernel", 4, 2, 1 << 6);
    config.normEps = keys.eps("norm_eps", 1e-5);
    config.useBias = keys.boolean("use_bias", false);
    config.tieWordEmbeddings = keys.boolean("tie_word_embeddings", false);
    config.maxPositionEmbeddings = keys.integer("max_position_embeddings", 2048, 1, kMaxPositions);
    config.initializerRange = keys.hint("initializer_range", 0.02);
    config.timeStepMin = keys.hint("time_step_min", 1e-3);
    config.timeStepMax = keys.hint("time_step_max", 0.1);
    config.timeStepFloor = keys.hint("time_step_floor", 1e-4);
    config.timeStepScale = keys.hint("time_step_scale", 1);

    config.innerSize = int64_t(keys.number("expand", 2, 16) * double(config.hiddenSize));
    if (config.innerSize < 1)
      keys.error("expand", "an inner width int(expand * hidden_size) of at least 1");
    config.dtRank = keys.integerOrAuto("time_step_rank", (config.hiddenSize + 15) / 16, 1, kMaxHidden);
    double ratio = keys.isNull("hidden_ratio") ? 4 : keys.number("hidden_ratio", 4, 64);
    config.mlpSize = 256 * ((int64_t(double(config.hiddenSize) * ratio * 2 / 3) + 255) / 256);
    if (config.mlpSize < 1)
      keys.error("hidden_ratio", "a width int(hidden_size * hidden_ratio * 2 / 3) of at least 1");
  }

  void parseTokens() {
    config.bosToken = keys.token("bos_token_id", 1, config.vocabSize);
    config.endTokens = keys.tokens("eos_token_id", 2, config.vocabSize);
    config.padToken = keys.padToken(config.vocabSize);
  }

  void parseAttention() {
    static constexpr StringLiteral kOldKeys[] = {"num_heads", "num_kv_heads", "window_size"};
    const json::Value *attn = keys.get("attn");
    if (attn) {
      if (const json::Object *spec = attn->getAsObject())
        parseSpec(*spec, "attn.");
      else if (const json::Array *list = attn->getAsArray())
        for (auto [index, entry] : llvm::enumerate(*list)) {
          std::string name = ("attn[" + Twine(index) + "]").str();
          if (const json::Object *spec = entry.getAsObject())
            parseSpec(*spec, name + ".");
          else
            keys.error(name, "an object", describe(&entry));
        }
      else if (attn->kind() != json::Value::Null)
        keys.error("attn", "an object, a list of objects or null");
      return;
    }
    bool isOld = llvm::any_of(kOldKeys, [&](StringRef key) { return object.get(key) != nullptr; });
    SambaAttention spec;
    for (int64_t layer = 1; layer < (isOld ? config.numLayers : std::min<int64_t>(config.numLayers, 18)); layer += 2)
      spec.layers.push_back(layer);
    spec.numHeads = keys.integer("num_heads", 18, 1, kMaxHidden);
    spec.numKvHeads = keys.integerOrNull("num_kv_heads", spec.numHeads, 1, kMaxHidden);
    if (!keys.isNull("window_size"))
      spec.window = keys.integer("window_size", 2048, 1, kMaxWindow);
    addSpec(std::move(spec), keys, isOld ? "num_heads" : "attn.num_heads",
            isOld ? "num_kv_heads" : "attn.num_kv_heads");
  }

  void parseSpec(const json::Object &entry, const std::string &prefix) {
    KeyReader specKeys(entry, config.path, prefix, firstError);
    refuseUnsupported(specKeys);
    SambaAttention spec;
    const json::Value *layers = specKeys.get("layers");
    const json::Array *list = layers ? layers->getAsArray() : nullptr;
    if (!list)
      return specKeys.error("layers", "a list of layer numbers");
    for (const json::Value &item : *list) {
      std::optional<int64_t> layer = item.getAsInteger();
      if (!layer || *layer < 0)
        return specKeys.error("layers", "non-negative layer numbers", describe(&item));
      // Shallow models of older versions name the layers of a deep one.
      if (*layer < config.numLayers)
        spec.layers.push_back(*layer);
    }
    llvm::sort(spec.layers);
    if (!specKeys.has("num_heads"))
      return specKeys.error("num_heads", "the number of heads");
    spec.numHeads = specKeys.integer("num_heads", 1, 1, kMaxHidden);
    spec.numKvHeads = specKeys.integerOrNull("num_kv_heads", spec.numHeads, 1, kMaxHidden);
    spec.qkvBias = specKeys.boolean("qkv_bias", false);
    if (specKeys.has("window_size") && !specKeys.isNull("window_size"))
      spec.window = specKeys.integer("window_size", 1, 1, kMaxWindow);
    spec.ropeTheta = specKeys.number("rope_theta", 10000, 1e15);
    specKeys.warnOfUnknown(config.warnings);
    addSpec(std::move(spec), specKeys, "num_heads", "num_kv_heads");
  }

  /// Checks what depends on more than one key.
  void addSpec(SambaAttention spec, KeyReader &specKeys, StringRef headsKey, StringRef kvHeadsKey) {
    if (spec.layers.empty() || !firstError.empty())
      return;
    for (int64_t layer : spec.layers)
      if (!attentionLayers.insert(layer).second)
        return specKeys.error("layers", "each layer once", "layer " + Twine(layer) + " twice");
    if (config.hiddenSize % spec.numHeads)
      return specKeys.error(headsKey, "a divisor of hidden_size, " + Twine(config.hiddenSize), Twine(spec.numHeads));
    if (spec.numHeads % spec.numKvHeads)
      return specKeys.error(kvHeadsKey, "a divisor of num_heads, " + Twine(spec.numHeads), Twine(spec.numKvHeads));
    spec.headDim = config.hiddenSize / spec.numHeads;
    if (spec.headDim % 2)
      return specKeys.error(headsKey, "an even head dimension hidden_size / num_heads",
                            Twine(config.hiddenSize) + " / " + Twine(spec.numHeads) + " = " + Twine(spec.headDim));
    config.attention.push_back(std::move(spec));
  }

  const json::Object &object;
  std::string firstError;
  KeyReader keys;
  SambaConfig config;
  std::set<int64_t> attentionLayers;
};

} // namespace

Expected<SambaConfig> SambaConfig::load(StringRef path) {
  Expected<json::Object> object = readJsonObject(path);
  if (!object)
    return object.takeError();
  return parse(*object, path);
}

Expected<SambaConfig> SambaConfig::parse(const json::Object &object, StringRef path) {
  return ConfigParser(object, path).parse();
}

const SambaAttention *SambaConfig::attentionOf(int64_t layer) const {
  for (const SambaAttention &spec : attention)
    if (llvm::is_contained(spec.layers, layer))
      return &spec;
  return nullptr;
}

//===----------------------------------------------------------------------===//
// Description
//===----------------------------------------------------------------------===//

namespace {

BlockSpec describeAttention(const SambaConfig &config, const SambaAttention &spec, const std::string &prefix) {
  int64_t hidden = config.hiddenSize, kvWidth = spec.numKvHeads * spec.headDim;
  BlockSpec block{"mixer",
                  {config.normEps},
                  AttentionSpec{spec.numHeads, spec.numKvHeads, spec.headDim, spec.window, spec.ropeTheta},
                  {}};
  block.add("norm.weight", prefix + "mixer_norm.weight", {hidden});
  block.addLinear("q_proj", prefix + "mixer.q_proj", hidden, hidden, spec.qkvBias);
  block.addLinear("k_proj", prefix + "mixer.k_proj", kvWidth, hidden, spec.qkvBias);
  block.addLinear("v_proj", prefix + "mixer.v_proj", kvWidth, hidden, spec.qkvBias);
  block.addLinear("o_proj", prefix + "mixer.o_proj", hidden, hidden);
  return block;
}

BlockSpec describeMamba(const SambaConfig &config, const std::string &prefix) {
  int64_t hidden = config.hiddenSize;
  BlockSpec block{"mixer",
                  {config.normEps},
                  MambaSpec{config.innerSize, config.stateSize, config.convKernel, config.dtRank, std::nullopt},
                  {}};
  block.add("norm.weight", prefix + "mixer_norm.weight", {hidden});
  addMambaWeights(block, prefix + "mixer.", hidden, {config.useBias, config.useBias, /*conv=*/true});
  return block;
}

bool hasFusedGate(const Checkpoint *checkpoint, const std::string &mlp, int64_t width, int64_t hidden) {
  const Checkpoint::Tensor *gate = checkpoint ? checkpoint->find(mlp + "gate_proj.weight") : nullptr;
  return gate && !checkpoint->find(mlp + "up_proj.weight") &&
         ArrayRef<int64_t>(gate->info->shape) == ArrayRef<int64_t>({2 * width, hidden});
}

BlockSpec describeMlp(const SambaConfig &config, const std::string &prefix, const Checkpoint *checkpoint) {
  int64_t hidden = config.hiddenSize, width = config.mlpSize;
  BlockSpec block{"mlp", {config.normEps}, MlpSpec{width}, {}};
  std::string mlp = prefix + "mlp.";
  block.add("norm.weight", prefix + "mlp_norm.weight", {hidden});
  if (hasFusedGate(checkpoint, mlp, width, hidden)) {
    TensorSpec both{mlp + "gate_proj.weight", {2 * width, hidden}};
    block.weights.push_back({"gate_proj.weight", {{both, 0, width}}});
    block.weights.push_back({"up_proj.weight", {{both, width, width}}});
  } else {
    block.addLinear("gate_proj", mlp + "gate_proj", width, hidden);
    block.addLinear("up_proj", mlp + "up_proj", width, hidden);
  }
  block.addLinear("down_proj", mlp + "down_proj", hidden, width);
  return block;
}

} // namespace

ModelDescription samba::describeSamba(const SambaConfig &config, const Checkpoint *checkpoint) {
  ModelDescription model;
  model.family = "samba";
  model.configPath = config.path;
  model.vocabSize = config.vocabSize;
  model.hiddenSize = config.hiddenSize;
  model.embeddings =
      WeightSpec::of("embeddings.weight", "backbone.embeddings.weight", {config.vocabSize, config.hiddenSize});
  for (int64_t layer = 0; layer < config.numLayers; ++layer) {
    std::string prefix = ("backbone.layers." + Twine(layer) + ".").str();
    const SambaAttention *attention = config.attentionOf(layer);
    model.layers.push_back({{attention ? describeAttention(config, *attention, prefix) : describeMamba(config, prefix),
                             describeMlp(config, prefix, checkpoint)}});
  }
  model.addFinalNorm("backbone.norm_f.weight", config.normEps);
  model.addHead(config.tieWordEmbeddings);
  model.maxPositionEmbeddings = config.maxPositionEmbeddings;
  model.bosToken = config.bosToken;
  model.endAt(config.endTokens);
  model.padToken = config.padToken;
  model.warnings = config.warnings;
  return model;
}

static Expected<ModelDescription> read(const json::Object &object, StringRef path, const Checkpoint *checkpoint) {
  Expected<SambaConfig> config = SambaConfig::parse(object, path);
  if (!config)
    return config.takeError();
  return describeSamba(*config, checkpoint);
}

const Family samba::kSambaFamily = {
    "samba",
    {"samba"},
    nullptr,
    read,
    "SAMBA in the format of flash-linear-attention, in all its versions: any mix of Mamba and attention layers"};
