//===- SambaConfig.cpp - config.json of a samba model ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/SambaConfig.h"

#include "frontend/Error.h"
#include "frontend/Json.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include <cmath>
#include <set>

using namespace llvm;
using namespace samba;

namespace {

constexpr int64_t kMaxVocab = 1 << 24, kMaxHidden = 1 << 16, kMaxLayers = 1 << 12;
constexpr int64_t kMaxWindow = 1 << 24; // times kMaxHidden: 2^40 elements of a state
constexpr int64_t kMaxPositions = int64_t(1) << 40;

/// Keys that do not change what the model computes: training, caching and fusion switches, and what the Hugging Face
/// library stores in any config. `use_conv_bias` is of this kind because the original ignores it (there is always a
/// bias), and so is `intermediate_size`, which is always derived from `expand`.
constexpr StringLiteral kHarmless[] = {
    "model_type",
    "architectures",
    "torch_dtype",
    "dtype",
    "transformers_version",
    "_name_or_path",
    "auto_map",
    "use_conv_bias",
    "intermediate_size",
    "residual_in_fp32",
    "time_step_init_scheme",
    "rescale_prenorm_residual",
    "use_cache",
    "fuse_norm",
    "fuse_swiglu",
    "fuse_cross_entropy",
    "fuse_linear_cross_entropy",
    "use_l2warp",
    "chunk_size_feed_forward",
    "is_decoder",
    "is_encoder_decoder",
    "output_attentions",
    "output_hidden_states",
    "return_dict",
    "return_dict_in_generate",
    "torchscript",
    "_attn_implementation",
    "_attn_implementation_autoset",
    "gradient_checkpointing",
    "task_specific_params",
    "problem_type",
    "id2label",
    "label2id",
    "finetuning_task",
};

/// Keys that would make it another model, unless they are null or false.
constexpr StringLiteral kUnsupported[] = {"attnres_block_size",  "rope_scaling", "rope_parameters",
                                          "quantization_config", "qk_norm",      "num_experts"};

/// Reads typed values out of one object, remembers which keys were asked for, and keeps the first error.
class KeyReader {
public:
  KeyReader(const json::Object &object, StringRef file, StringRef prefix, std::string &firstError)
      : object(object), file(file), prefix(prefix), firstError(firstError) {}

  void error(StringRef key, const Twine &expected, const Twine &found) {
    if (firstError.empty())
      firstError =
          (file + ": key " + quoted((prefix + key).str()) + ": expected " + expected + ", found " + found).str();
  }
  void error(StringRef key, const Twine &expected) { error(key, expected, describe(object.get(key))); }

  /// The key's value; null if the key is absent.
  const json::Value *get(StringRef key) {
    known.insert(key);
    return object.get(key);
  }
  bool has(StringRef key) { return get(key) != nullptr; }
  bool isNull(StringRef key) {
    const json::Value *value = get(key);
    return value && value->kind() == json::Value::Null;
  }

  int64_t integer(StringRef key, int64_t absent, int64_t low, int64_t high) {
    const json::Value *value = get(key);
    if (!value)
      return absent;
    std::optional<int64_t> number = value->getAsInteger();
    if (number && *number >= low && *number <= high)
      return *number;
    error(key, "an integer between " + Twine(low) + " and " + Twine(high));
    return absent;
  }

  /// Null and absent give their own answers; the range is `0 < x <= high`.
  double number(StringRef key, double absent, double high) {
    const json::Value *value = get(key);
    if (!value)
      return absent;
    std::optional<double> number = value->getAsNumber();
    if (number && *number > 0 && *number <= high)
      return *number;
    std::string bound;
    raw_string_ostream(bound) << json::Value(high);
    error(key, "a positive number, at most " + bound);
    return absent;
  }

  /// For keys that do not matter to inference: what is no positive number gives `absent`, never an error.
  double hint(StringRef key, double absent) {
    const json::Value *value = get(key);
    std::optional<double> number = value ? value->getAsNumber() : std::nullopt;
    return number && *number > 0 && *number <= 1e3 ? *number : absent;
  }

  bool boolean(StringRef key, bool absent) {
    const json::Value *value = get(key);
    if (!value)
      return absent;
    if (std::optional<bool> flag = value->getAsBoolean())
      return *flag;
    error(key, "true or false");
    return absent;
  }

  void refuseUnsupported() {
    for (StringRef key : kUnsupported)
      if (const json::Value *value = get(key);
          value && value->kind() != json::Value::Null && value->getAsBoolean() != false)
        error(key, "null (anything else is a variant that is not supported)");
  }

  void warnOfUnknown(std::vector<std::string> &warnings) const {
    std::vector<std::string> unknown;
    for (auto &[key, value] : object)
      if (!known.contains(key))
        unknown.push_back(prefix + StringRef(key).str());
    llvm::sort(unknown);
    for (const std::string &key : unknown)
      warnings.push_back((file + ": key " + quoted(key) + " is not known and was ignored").str());
  }

private:
  const json::Object &object;
  StringRef file;
  std::string prefix;
  std::string &firstError;
  StringSet<> known;
};

class ConfigParser {
public:
  ConfigParser(const json::Object &object, StringRef path) : object(object), keys(object, path, "", firstError) {
    config.path = path.str();
  }

  Expected<SambaConfig> parse() {
    const json::Value *type = keys.get("model_type");
    if (!type || type->getAsString() != StringRef("samba"))
      keys.error("model_type", "\"samba\"");
    const json::Value *act = keys.get("hidden_act");
    if (act && act->getAsString() != StringRef("swish") && act->getAsString() != StringRef("silu"))
      keys.error("hidden_act", "\"swish\" or \"silu\"");
    for (StringRef key : kHarmless)
      keys.get(key);
    keys.refuseUnsupported();
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
  void parseSizes() {
    config.vocabSize = keys.integer("vocab_size", 32000, 1, kMaxVocab);
    config.hiddenSize = keys.integer("hidden_size", 2304, 1, kMaxHidden);
    config.numLayers = keys.integer("num_hidden_layers", 18, 1, kMaxLayers);
    config.stateSize = keys.integer("state_size", 16, 1, 1 << 10);
    config.convKernel = keys.integer("conv_kernel", 4, 2, 1 << 6);
    config.normEps = keys.number("norm_eps", 1e-5, 1);
    if (float(config.normEps) == 0)
      keys.error("norm_eps", "a number that is positive as a float");
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
    const json::Value *rank = keys.get("time_step_rank");
    if (!rank || rank->getAsString() == StringRef("auto"))
      config.dtRank = (config.hiddenSize + 15) / 16;
    else if (!rank->getAsInteger())
      keys.error("time_step_rank", "\"auto\" or an integer");
    else
      config.dtRank = keys.integer("time_step_rank", 1, 1, kMaxHidden);
    double ratio = keys.isNull("hidden_ratio") ? 4 : keys.number("hidden_ratio", 4, 64);
    config.mlpSize = 256 * ((int64_t(double(config.hiddenSize) * ratio * 2 / 3) + 255) / 256);
    if (config.mlpSize < 1)
      keys.error("hidden_ratio", "a width int(hidden_size * hidden_ratio * 2 / 3) of at least 1");
  }

  std::optional<int64_t> parseToken(StringRef key, int64_t absent) {
    if (keys.isNull(key))
      return std::nullopt;
    if (!keys.has(key))
      return absent < config.vocabSize ? std::optional(absent) : std::nullopt;
    return keys.integer(key, 0, 0, config.vocabSize - 1);
  }

  void parseTokens() {
    config.bosToken = parseToken("bos_token_id", 1);
    config.eosToken = parseToken("eos_token_id", 2);
    // Padding is never generated nor read, and libraries store all kinds of placeholders here: no error.
    const json::Value *pad = keys.get("pad_token_id");
    std::optional<int64_t> id = pad ? pad->getAsInteger() : std::nullopt;
    if (id && *id >= 0 && *id < config.vocabSize)
      config.padToken = id;
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
    AttentionSpec spec;
    for (int64_t layer = 1; layer < (isOld ? config.numLayers : std::min<int64_t>(config.numLayers, 18)); layer += 2)
      spec.layers.push_back(layer);
    spec.numHeads = keys.integer("num_heads", 18, 1, kMaxHidden);
    spec.numKvHeads = spec.numHeads;
    if (!keys.isNull("num_kv_heads"))
      spec.numKvHeads = keys.integer("num_kv_heads", spec.numHeads, 1, kMaxHidden);
    if (!keys.isNull("window_size"))
      spec.window = keys.integer("window_size", 2048, 1, kMaxWindow);
    addSpec(std::move(spec), keys, isOld ? "num_heads" : "attn.num_heads",
            isOld ? "num_kv_heads" : "attn.num_kv_heads");
  }

  void parseSpec(const json::Object &entry, const std::string &prefix) {
    KeyReader specKeys(entry, config.path, prefix, firstError);
    specKeys.refuseUnsupported();
    AttentionSpec spec;
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
    spec.numKvHeads = spec.numHeads;
    if (!specKeys.isNull("num_kv_heads"))
      spec.numKvHeads = specKeys.integer("num_kv_heads", spec.numHeads, 1, kMaxHidden);
    spec.qkvBias = specKeys.boolean("qkv_bias", false);
    if (specKeys.has("window_size") && !specKeys.isNull("window_size"))
      spec.window = specKeys.integer("window_size", 1, 1, kMaxWindow);
    spec.ropeTheta = specKeys.number("rope_theta", 10000, 1e15);
    specKeys.warnOfUnknown(config.warnings);
    addSpec(std::move(spec), specKeys, "num_heads", "num_kv_heads");
  }

  /// Checks what depends on more than one key.
  void addSpec(AttentionSpec spec, KeyReader &specKeys, StringRef headsKey, StringRef kvHeadsKey) {
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

const AttentionSpec *SambaConfig::attentionOf(int64_t layer) const {
  for (const AttentionSpec &spec : attention)
    if (llvm::is_contained(spec.layers, layer))
      return &spec;
  return nullptr;
}
