//===- Llama.cpp - the families llama, mistral and qwen2 ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Attention and SwiGLU in turn, SPEC 3.2. The three differ in defaults, in which projections have a bias and in how a
// window is asked for.
//
//===----------------------------------------------------------------------===//

#include "frontend/Error.h"
#include "frontend/KeyReader.h"
#include "frontend/families/Families.h"
#include "frontend/families/LlamaNames.h"

using namespace llvm;
using namespace samba;

namespace {

enum class Kind { Llama, Mistral, Qwen2 };

constexpr StringLiteral kHarmless[] = {"attention_dropout", "pretraining_tp", "max_window_layers"};

struct Biases {
  bool qkv = false, o = false, mlp = false;
};

/// `rope_scaling` of the kind "default" says nothing; newer configurations keep the base in `rope_parameters`.
double readRopeTheta(KeyReader &keys, StringRef path, std::string &firstError) {
  double theta = keys.number("rope_theta", 10000, 1e15);
  for (StringRef key : {"rope_scaling", "rope_parameters"}) {
    const json::Value *value = keys.get(key);
    if (!value || value->kind() == json::Value::Null)
      continue;
    const json::Object *object = value->getAsObject();
    const json::Value *kind = object ? object->get("rope_type") : nullptr;
    if (object && !kind)
      kind = object->get("type");
    if (!kind || kind->getAsString() != StringRef("default")) {
      keys.error(key, "null or the rope_type \"default\" (scaled rotary embeddings are not supported)");
      continue;
    }
    KeyReader rope(*object, path, (key + ".").str(), firstError);
    theta = rope.number("rope_theta", theta, 1e15);
  }
  return theta;
}

/// Newer configurations list what each layer attends to.
void checkLayerTypes(KeyReader &keys, bool windowed) {
  const json::Value *types = keys.get("layer_types");
  if (!types || types->kind() == json::Value::Null)
    return;
  StringRef wanted = windowed ? "sliding_attention" : "full_attention";
  const json::Array *list = types->getAsArray();
  if (!list || !all_of(*list, [&](const json::Value &type) { return type.getAsString() == wanted; }))
    keys.error("layer_types", "\"" + wanted + "\" for all layers");
}

Expected<ModelDescription> readAny(const json::Object &config, StringRef path, Kind kind) {
  std::string firstError;
  KeyReader keys(config, path, "", firstError);
  keys.acceptHarmless(kHarmless);
  keys.refuse({"quantization_config", "qk_norm", "num_experts", "num_local_experts"});
  keys.expectSilu("hidden_act");
  bool llama = kind == Kind::Llama, mistral = kind == Kind::Mistral;

  LlamaSizes sizes;
  sizes.vocab = keys.integer("vocab_size", kind == Kind::Qwen2 ? 151936 : 32000, 1, kMaxVocab);
  sizes.hidden = keys.integer("hidden_size", 4096, 1, kMaxHidden);
  int64_t width = keys.integer("intermediate_size", llama ? 11008 : mistral ? 14336 : 22016, 1, 16 * kMaxHidden);
  int64_t layers = keys.integer("num_hidden_layers", 32, 1, kMaxLayers);
  sizes.eps = keys.eps("rms_norm_eps", 1e-6);
  AttentionSpec attention = readHeads(keys, sizes.hidden, mistral ? std::optional<int64_t>(8) : std::nullopt);
  attention.ropeTheta = readRopeTheta(keys, path, firstError);
  if (keys.number("partial_rotary_factor", 1, 1) != 1)
    keys.error("partial_rotary_factor", "1 (embeddings of a part of each head are not supported)");

  Biases biases;
  if (llama) {
    biases.qkv = biases.o = keys.boolean("attention_bias", false);
    biases.mlp = keys.boolean("mlp_bias", false);
  } else if (mistral) {
    if (keys.has("sliding_window") ? !keys.isNull("sliding_window") : true)
      attention.window = keys.integer("sliding_window", 4096, 1, kMaxWindow);
  } else {
    biases.qkv = true;
    keys.get("sliding_window"); // has no effect without the flag
    if (keys.boolean("use_sliding_window", false))
      keys.error("use_sliding_window", "false (windows in some layers are not supported)");
  }
  checkLayerTypes(keys, attention.window.has_value());
  int64_t positions = keys.integer("max_position_embeddings",
                                   llama     ? 2048
                                   : mistral ? 131072
                                             : 32768,
                                   1, kMaxPositions);
  bool tied = keys.boolean("tie_word_embeddings", false);
  LlamaTokens tokens = readTokens(keys, sizes.vocab);
  if (keys.failed())
    return makeError(firstError);

  StringRef family = llama ? "llama" : mistral ? "mistral" : "qwen2";
  ModelDescription model = startLlama(family, path, sizes, "model.norm.weight", tied);
  for (int64_t layer = 0; layer < layers; ++layer) {
    std::string prefix = "model.layers." + std::to_string(layer) + ".";
    BlockSpec mixer{"mixer", {sizes.eps}, attention, {}};
    mixer.add("norm.weight", prefix + "input_layernorm.weight", {sizes.hidden});
    addAttentionWeights(mixer, prefix + "self_attn.", sizes.hidden, biases.qkv, biases.o);
    BlockSpec mlp{"mlp", {sizes.eps}, MlpSpec{width}, {}};
    mlp.add("norm.weight", prefix + "post_attention_layernorm.weight", {sizes.hidden});
    addMlpWeights(mlp, prefix + "mlp.", sizes.hidden, biases.mlp);
    model.layers.push_back({{std::move(mixer), std::move(mlp)}});
    // Older libraries stored the frequencies of the rotary embedding.
    model.ignoredTensors.push_back(prefix + "self_attn.rotary_emb.inv_freq");
  }
  model.numerics = "norm_cast=hf";
  model.maxPositionEmbeddings = positions;
  finishLlama(model, tokens, keys);
  return model;
}

Expected<ModelDescription> readLlama(const json::Object &config, StringRef path, const Checkpoint *) {
  return readAny(config, path, Kind::Llama);
}
Expected<ModelDescription> readMistral(const json::Object &config, StringRef path, const Checkpoint *) {
  return readAny(config, path, Kind::Mistral);
}
Expected<ModelDescription> readQwen2(const json::Object &config, StringRef path, const Checkpoint *) {
  return readAny(config, path, Kind::Qwen2);
}

} // namespace

const Family samba::kLlamaFamily = {
    "llama", {"llama"}, nullptr, readLlama, "Llama and its like: full attention, grouped heads, biases or none"};
const Family samba::kMistralFamily = {"mistral", {"mistral"}, nullptr, readMistral, "Mistral: the same with a window"};
const Family samba::kQwen2Family = {
    "qwen2", {"qwen2"}, nullptr, readQwen2, "Qwen2 and Qwen2.5: the same as Llama with biases of q, k and v"};

//===----------------------------------------------------------------------===//
// Shared with families of the same names
//===----------------------------------------------------------------------===//

AttentionSpec samba::readHeads(KeyReader &keys, int64_t hidden, std::optional<int64_t> kvHeadsByDefault,
                               int64_t headsByDefault) {
  AttentionSpec attention;
  attention.numHeads = keys.integer("num_attention_heads", headsByDefault, 1, kMaxHidden);
  attention.numKvHeads =
      keys.integerOrNull("num_key_value_heads", kvHeadsByDefault.value_or(attention.numHeads), 1, kMaxHidden);
  if (keys.has("head_dim") && !keys.isNull("head_dim")) {
    attention.headDim = keys.integer("head_dim", 2, 2, 1 << 12);
    if (attention.numHeads * attention.headDim > kMaxHidden)
      keys.error("head_dim", "heads of together at most " + Twine(kMaxHidden) + " lanes");
  } else {
    if (hidden % attention.numHeads)
      keys.error("num_attention_heads", "a divisor of hidden_size, " + Twine(hidden), Twine(attention.numHeads));
    attention.headDim = hidden / attention.numHeads;
  }
  if (attention.numHeads % attention.numKvHeads)
    keys.error("num_key_value_heads", "a divisor of num_attention_heads, " + Twine(attention.numHeads),
               Twine(attention.numKvHeads));
  if (attention.headDim % 2 || attention.headDim < 1)
    keys.error(keys.has("head_dim") && !keys.isNull("head_dim") ? "head_dim" : "num_attention_heads",
               "an even head dimension", Twine(attention.headDim));
  return attention;
}

ModelDescription samba::startLlama(StringRef family, StringRef path, const LlamaSizes &sizes, StringRef finalNorm,
                                   bool tied) {
  ModelDescription model;
  model.family = family.str();
  model.configPath = path.str();
  model.vocabSize = sizes.vocab;
  model.hiddenSize = sizes.hidden;
  model.embeddings = WeightSpec::of("embeddings.weight", "model.embed_tokens.weight", {sizes.vocab, sizes.hidden});
  model.addFinalNorm(finalNorm, sizes.eps);
  model.addHead(tied);
  return model;
}

void samba::addAttentionWeights(BlockSpec &block, const std::string &prefix, int64_t hidden, bool qkvBias, bool oBias) {
  const AttentionSpec &attention = *block.attention();
  int64_t width = attention.numHeads * attention.headDim, kvWidth = attention.numKvHeads * attention.headDim;
  block.addLinear("q_proj", prefix + "q_proj", width, hidden, qkvBias);
  block.addLinear("k_proj", prefix + "k_proj", kvWidth, hidden, qkvBias);
  block.addLinear("v_proj", prefix + "v_proj", kvWidth, hidden, qkvBias);
  block.addLinear("o_proj", prefix + "o_proj", hidden, width, oBias);
}

void samba::addMlpWeights(BlockSpec &block, const std::string &prefix, int64_t hidden, bool bias) {
  int64_t width = block.mlp()->width;
  block.addLinear("gate_proj", prefix + "gate_proj", width, hidden, bias);
  block.addLinear("up_proj", prefix + "up_proj", width, hidden, bias);
  block.addLinear("down_proj", prefix + "down_proj", hidden, width, bias);
}

LlamaTokens samba::readTokens(KeyReader &keys, int64_t vocab) {
  LlamaTokens tokens;
  tokens.bos = keys.token("bos_token_id", 1, vocab);
  tokens.eos = keys.tokens("eos_token_id", 2, vocab);
  tokens.pad = keys.padToken(vocab);
  return tokens;
}

void samba::finishLlama(ModelDescription &model, const LlamaTokens &tokens, const KeyReader &keys) {
  model.bosToken = tokens.bos;
  model.endAt(tokens.eos);
  model.padToken = tokens.pad;
  keys.warnOfUnknown(model.warnings);
}
