//===- Phi4Flash.cpp - the family phi4flash (SambaY) ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A self-decoder of Mamba and differential attention with windows, which ends in a Mamba layer whose scan is kept and
// an attention layer that sees everything; then a cross-decoder of gated memory units that read the former and of
// attention to the keys and values of the latter. SPEC 3.5.
//
//===----------------------------------------------------------------------===//

#include "frontend/Error.h"
#include "frontend/families/Families.h"
#include "frontend/families/LlamaNames.h"

using namespace llvm;
using namespace samba;

namespace {

// No layer has a rotary embedding, whatever its base.
constexpr StringLiteral kHarmless[] = {"attention_dropout", "resid_pdrop", "embd_pdrop", "rope_theta"};

struct Sizes : LlamaSizes {
  int64_t layers = 0, width = 0;
  AttentionSpec attention;
  std::vector<std::optional<int64_t>> windows; // of each layer
  MambaSpec mamba;
  MambaBiases mambaBiases;
  bool mlpBias = false;
};

/// One number is the window of the attention layers of the first half; a list says it of each layer.
void readWindows(KeyReader &keys, Sizes &sizes) {
  sizes.windows.resize(sizes.layers);
  const json::Value *value = keys.get("sliding_window");
  const json::Array *list = value ? value->getAsArray() : nullptr;
  if (!list) {
    int64_t window = keys.integer("sliding_window", 2047, 1, kMaxWindow);
    for (int64_t layer = 1; layer < sizes.layers / 2; layer += 2)
      sizes.windows[layer] = window;
    return;
  }
  if (static_cast<int64_t>(list->size()) != sizes.layers)
    return keys.error("sliding_window", "a number, or a list of " + Twine(sizes.layers) + " entries",
                      "one of " + Twine(list->size()));
  for (auto [layer, entry] : enumerate(*list)) {
    std::optional<int64_t> window = entry.getAsInteger();
    if (entry.kind() != json::Value::Null && (!window || *window < 1 || *window > kMaxWindow))
      return keys.error("sliding_window", "null or integers between 1 and " + Twine(kMaxWindow) + " in the list");
    sizes.windows[layer] = window;
  }
}

void readAttention(KeyReader &keys, Sizes &sizes) {
  sizes.attention = readHeads(keys, sizes.hidden, 4, 40);
  sizes.attention.ropeTheta = std::nullopt;
  sizes.attention.differential = DifferentialSpec(); // its eps is not in the configuration
  if (sizes.attention.numHeads * sizes.attention.headDim != sizes.hidden)
    keys.error("num_attention_heads", "heads that together are as wide as the model");
  if (sizes.attention.numKvHeads % 2)
    keys.error("num_key_value_heads", "an even number, for heads in pairs", Twine(sizes.attention.numKvHeads));
  if (sizes.attention.numHeads % 2)
    keys.error("num_attention_heads", "an even number, for heads in pairs", Twine(sizes.attention.numHeads));
  readWindows(keys, sizes);
}

void addNorm(BlockSpec &block, const std::string &tensor, int64_t hidden) {
  block.add("norm.weight", tensor + ".weight", {hidden});
  block.add("norm.bias", tensor + ".bias", {hidden});
}

/// Rows `first .. first + count - 1` of a tensor, more of them than it gives already.
void addRows(WeightSpec &weight, const TensorSpec &tensor, int64_t first, int64_t count) {
  if (!weight.parts.empty() && *weight.parts.back().firstRow + weight.parts.back().rows == first)
    weight.parts.back().rows += count;
  else
    weight.parts.push_back({tensor, first, count});
}

/// Weight and bias of q, k or v: the heads `heads` of Wqkv, which begin with its head number `firstHead`.
void addHeads(BlockSpec &block, StringRef role, const std::string &tensor, int64_t outputs, int64_t hidden,
              int64_t firstHead, ArrayRef<int64_t> heads) {
  int64_t lanes = block.attention()->headDim;
  for (StringRef kind : {"weight", "bias"}) {
    WeightSpec weight;
    weight.role = (role + "." + kind).str();
    TensorSpec source{(tensor + "." + kind).str(), {outputs}};
    if (kind == "weight")
      source.shape.push_back(hidden);
    for (int64_t head : heads)
      addRows(weight, source, (firstHead + head) * lanes, lanes);
    block.weights.push_back(std::move(weight));
  }
}

// A pair are two neighbouring heads of queries. The pairs whose keys are the same pair of heads lie together, first all
// their first heads, then all their second ones: so each meets its key by its number, and all of them one value.
void addAttention(BlockSpec &block, const std::string &prefix, int64_t hidden) {
  const AttentionSpec &attention = *block.attention();
  int64_t heads = attention.numHeads, kvHeads = attention.numKvHeads, lanes = attention.headDim;
  int64_t outputs = (heads + (attention.cross ? 0 : 2 * kvHeads)) * lanes, pairs = heads / kvHeads;
  SmallVector<int64_t> queries;
  for (int64_t group = 0; group < kvHeads / 2; ++group)
    for (int64_t part = 0; part < 2; ++part)
      for (int64_t pair = 0; pair < pairs; ++pair)
        queries.push_back(2 * (group * pairs + pair) + part);
  std::string qkv = prefix + "Wqkv";
  addHeads(block, "q_proj", qkv, outputs, hidden, 0, queries);
  if (!attention.cross) {
    auto inOrder = to_vector(seq<int64_t>(0, kvHeads));
    addHeads(block, "k_proj", qkv, outputs, hidden, heads, inOrder);
    addHeads(block, "v_proj", qkv, outputs, hidden, heads + kvHeads, inOrder);
  }
  WeightSpec lambda;
  lambda.role = "lambda";
  for (StringRef part : {"q1", "k1", "q2", "k2"})
    lambda.parts.push_back({{(prefix + "inner_cross_attn.lambda_" + part).str(), {lanes}}, std::nullopt, 0});
  block.weights.push_back(std::move(lambda));
  block.add("subln.weight", prefix + "inner_cross_attn.subln.weight", {2 * lanes});
  block.addLinear("o_proj", prefix + "out_proj", hidden, hidden, /*bias=*/true);
}

BlockSpec describeMixer(const Sizes &sizes, int64_t layer, const std::string &prefix) {
  int64_t half = sizes.layers / 2;
  bool cross = layer >= half + 2;
  NormSpec norm{sizes.eps, /*centred=*/true};
  BlockSpec block{"mixer", norm, GatedMemorySpec{sizes.mamba.innerSize}, {}};
  block.selected = cross;
  if (layer % 2) {
    AttentionSpec attention = sizes.attention;
    attention.cross = cross;
    if (layer < half)
      attention.window = sizes.windows[layer];
    block.body = attention;
  } else if (!cross) {
    MambaSpec mamba = sizes.mamba;
    mamba.memory = layer == half;
    block.body = mamba;
  }
  addNorm(block, prefix + "input_layernorm", sizes.hidden);
  std::string attn = prefix + "attn.";
  if (block.attention()) {
    addAttention(block, attn, sizes.hidden);
  } else if (block.mamba()) {
    addMambaWeights(block, attn, sizes.hidden, sizes.mambaBiases);
  } else {
    block.addLinear("in_proj", attn + "in_proj", sizes.mamba.innerSize, sizes.hidden, sizes.mambaBiases.inProj);
    block.addLinear("out_proj", attn + "out_proj", sizes.hidden, sizes.mamba.innerSize, sizes.mambaBiases.outProj);
  }
  return block;
}

BlockSpec describeMlp(const Sizes &sizes, int64_t layer, const std::string &prefix) {
  BlockSpec block{"mlp", {sizes.eps, /*centred=*/true}, MlpSpec{sizes.width}, {}};
  block.selected = layer > sizes.layers / 2; // the last keys and values are there
  addNorm(block, prefix + "post_attention_layernorm", sizes.hidden);
  auto half = [&](StringRef role, int64_t first) {
    for (StringRef kind : {"weight", "bias"}) {
      if (kind == "bias" && !sizes.mlpBias)
        continue;
      WeightSpec weight;
      weight.role = (role + "." + kind).str();
      TensorSpec source{(prefix + "mlp.fc1." + kind).str(), {2 * sizes.width}};
      if (kind == "weight")
        source.shape.push_back(sizes.hidden);
      addRows(weight, source, first, sizes.width);
      block.weights.push_back(std::move(weight));
    }
  };
  half("gate_proj", 0);
  half("up_proj", sizes.width);
  block.addLinear("down_proj", prefix + "mlp.fc2", sizes.hidden, sizes.width, sizes.mlpBias);
  return block;
}

Expected<ModelDescription> read(const json::Object &config, StringRef path, const Checkpoint *) {
  std::string firstError;
  KeyReader keys(config, path, "", firstError);
  keys.acceptHarmless(kHarmless);
  keys.refuse(kUnsupportedKeys);
  keys.refuse({"lm_head_bias", "head_dim"});
  keys.expectSilu("hidden_act");
  if (int64_t period = keys.integer("mb_per_layer", 2, 0, kMaxLayers); period != 2)
    keys.error("mb_per_layer", "2 (every other layer a Mamba or a gated memory unit)", Twine(period));

  Sizes sizes;
  sizes.vocab = keys.integer("vocab_size", 51200, 1, kMaxVocab);
  sizes.hidden = keys.integer("hidden_size", 2560, 1, kMaxHidden);
  sizes.eps = keys.eps("layer_norm_eps", 1e-5);
  sizes.width = keys.integer("intermediate_size", 9216, 1, 16 * kMaxHidden);
  sizes.mlpBias = keys.boolean("mlp_bias", false);
  sizes.layers = keys.integer("num_hidden_layers", 32, 1, kMaxLayers);
  if (sizes.layers % 4)
    keys.error("num_hidden_layers", "a multiple of 4, for halves that begin with a Mamba layer", Twine(sizes.layers));
  readAttention(keys, sizes);
  sizes.mamba.stateSize = keys.integer("mamba_d_state", 16, 1, 1 << 10);
  sizes.mamba.convKernel = keys.integer("mamba_d_conv", 4, 2, 1 << 6);
  sizes.mamba.innerSize = keys.integer("mamba_expand", 2, 1, 16) * sizes.hidden;
  sizes.mamba.dtRank = keys.integerOrAuto("mamba_dt_rank", (sizes.hidden + 15) / 16, 1, kMaxHidden);
  sizes.mambaBiases.inProj = sizes.mambaBiases.outProj = keys.boolean("mamba_proj_bias", false);
  sizes.mambaBiases.conv = keys.boolean("mamba_conv_bias", true);
  int64_t positions = keys.integer("max_position_embeddings", 4096, 1, kMaxPositions);
  bool tied = keys.boolean("tie_word_embeddings", true);
  LlamaTokens tokens = readTokens(keys, sizes.vocab);
  if (keys.failed())
    return makeError(firstError);

  ModelDescription model = startLlama("phi4flash", path, sizes, "model.final_layernorm.weight", tied);
  model.finalNorm.centred = true;
  model.finalNormBias = WeightSpec::of("norm_f.bias", "model.final_layernorm.bias", {sizes.hidden});
  for (int64_t layer = 0; layer < sizes.layers; ++layer) {
    std::string prefix = "model.layers." + std::to_string(layer) + ".";
    model.layers.push_back({{describeMixer(sizes, layer, prefix), describeMlp(sizes, layer, prefix)}});
  }
  model.numerics = "residual=f32,norm_input=model";
  model.maxPositionEmbeddings = positions;
  finishLlama(model, tokens, keys);
  return model;
}

} // namespace

const Family samba::kPhi4FlashFamily = {"phi4flash",
                                        {"phi4flash"},
                                        nullptr,
                                        read,
                                        "SambaY (Phi-4-mini-flash): Mamba, differential attention, gated memory units, "
                                        "one shared cache of keys and values"};
