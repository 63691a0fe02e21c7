//===- Jamba.cpp - the family jamba, without experts ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Mamba with norms of dt, B and C, and in some layers full attention without positions; SPEC 3.3.
//
//===----------------------------------------------------------------------===//

#include "frontend/Error.h"
#include "frontend/families/Families.h"
#include "frontend/families/LlamaNames.h"

using namespace llvm;
using namespace samba;

namespace {

constexpr StringLiteral kHarmless[] = {
    "attention_dropout",   "calc_logits_for_entire_prompt", "output_router_logits", "router_aux_loss_coef",
    "num_experts_per_tok", "expert_layer_period",           "expert_layer_offset",  "use_mamba_kernels",
    "num_logits_to_keep",
};

BlockSpec describeMixer(const std::string &prefix, const LlamaSizes &sizes, const MambaSpec &mamba,
                        MambaBiases biases) {
  BlockSpec block{"mixer", {sizes.eps}, mamba, {}};
  block.add("norm.weight", prefix + "input_layernorm.weight", {sizes.hidden});
  addMambaWeights(block, prefix + "mamba.", sizes.hidden, biases);
  block.add("dt_norm.weight", prefix + "mamba.dt_layernorm.weight", {mamba.dtRank});
  block.add("B_norm.weight", prefix + "mamba.b_layernorm.weight", {mamba.stateSize});
  block.add("C_norm.weight", prefix + "mamba.c_layernorm.weight", {mamba.stateSize});
  return block;
}

Expected<ModelDescription> read(const json::Object &config, StringRef path, const Checkpoint *) {
  std::string firstError;
  KeyReader keys(config, path, "", firstError);
  keys.acceptHarmless(kHarmless);
  keys.refuse(kUnsupportedKeys);
  keys.refuse({"sliding_window"});
  keys.expectSilu("hidden_act");
  if (int64_t experts = keys.integer("num_experts", 16, 1, 1 << 16); experts != 1)
    keys.error("num_experts", "1 (mixtures of experts are not supported)", Twine(experts));

  LlamaSizes sizes;
  sizes.vocab = keys.integer("vocab_size", 65536, 1, kMaxVocab);
  sizes.hidden = keys.integer("hidden_size", 4096, 1, kMaxHidden);
  sizes.eps = keys.eps("rms_norm_eps", 1e-6);
  int64_t width = keys.integer("intermediate_size", 14336, 1, 16 * kMaxHidden);
  int64_t layers = keys.integer("num_hidden_layers", 32, 1, kMaxLayers);
  int64_t period = keys.integer("attn_layer_period", 8, 1, kMaxLayers);
  int64_t offset = keys.integer("attn_layer_offset", 4, 0, kMaxLayers);
  AttentionSpec attention = readHeads(keys, sizes.hidden, 8);
  attention.ropeTheta = std::nullopt;
  MambaSpec mamba;
  mamba.stateSize = keys.integer("mamba_d_state", 16, 1, 1 << 10);
  mamba.convKernel = keys.integer("mamba_d_conv", 4, 2, 1 << 6);
  mamba.innerSize = keys.integer("mamba_expand", 2, 1, 16) * sizes.hidden;
  mamba.dtRank = keys.integerOrAuto("mamba_dt_rank", (sizes.hidden + 15) / 16, 1, kMaxHidden);
  mamba.innerNormEps = sizes.eps;
  MambaBiases biases;
  biases.inProj = biases.outProj = keys.boolean("mamba_proj_bias", false);
  biases.conv = keys.boolean("mamba_conv_bias", true);
  int64_t positions = keys.integer("max_position_embeddings", 262144, 1, kMaxPositions);
  bool tied = keys.boolean("tie_word_embeddings", false);
  LlamaTokens tokens = readTokens(keys, sizes.vocab);
  if (keys.failed())
    return makeError(firstError);

  ModelDescription model = startLlama("jamba", path, sizes, "model.final_layernorm.weight", tied);
  for (int64_t layer = 0; layer < layers; ++layer) {
    std::string prefix = "model.layers." + std::to_string(layer) + ".";
    BlockSpec mixer;
    if (layer % period == offset) {
      mixer = {"mixer", {sizes.eps}, attention, {}};
      mixer.add("norm.weight", prefix + "input_layernorm.weight", {sizes.hidden});
      addAttentionWeights(mixer, prefix + "self_attn.", sizes.hidden, /*qkvBias=*/false, /*oBias=*/false);
    } else {
      mixer = describeMixer(prefix, sizes, mamba, biases);
    }
    BlockSpec mlp{"mlp", {sizes.eps}, MlpSpec{width}, {}};
    mlp.add("norm.weight", prefix + "pre_ff_layernorm.weight", {sizes.hidden});
    addMlpWeights(mlp, prefix + "feed_forward.", sizes.hidden, /*bias=*/false);
    model.layers.push_back({{std::move(mixer), std::move(mlp)}});
  }
  model.numerics = "norm_cast=hf";
  model.maxPositionEmbeddings = positions;
  finishLlama(model, tokens, keys);
  return model;
}

} // namespace

const Family samba::kJambaFamily = {"jamba",
                                    {"jamba"},
                                    nullptr,
                                    read,
                                    "Jamba without experts: Mamba with inner norms, and attention without positions"};
