//===- ToMicrosoft.cpp - to the layout of microsoft/Samba -----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// SPEC section 1.
//
//===----------------------------------------------------------------------===//

#include "frontend/Error.h"
#include "tools/samba-convert/Conversion.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSwitch.h"

using namespace llvm;
using namespace samba;
using namespace samba::convert;

namespace {

struct LayerAttention {
  size_t layer;
  const AttentionSpec *spec;
};

/// Full attention in some layers and a window in the others is expressed by a period: layer i is full if i % period is
/// period - 1. 0: no layer; none: there is no such period.
std::optional<int64_t> fullPerLayer(ArrayRef<LayerAttention> attention, size_t layers) {
  auto isFull = [](const LayerAttention &layer) { return !layer.spec->window; };
  if (none_of(attention, isFull) || all_of(attention, isFull))
    return 0;
  for (size_t period = 1; period <= layers; ++period)
    if (all_of(attention, [&](const LayerAttention &at) { return isFull(at) == (at.layer % period == period - 1); }))
      return int64_t(period);
  return std::nullopt;
}

Expected<json::Object> makeConfig(const ModelDescription &model) {
  std::vector<LayerAttention> attention;
  for (auto [number, layer] : enumerate(model.layers))
    if (const AttentionSpec *spec = layer.blocks.front().attention())
      attention.push_back({number, spec});
  json::Object config{{"n_embd", model.hiddenSize},
                      {"n_layer", int64_t(model.layers.size())},
                      {"padded_vocab_size", model.vocabSize},
                      {"vocab_size", model.vocabSize},
                      {"block_size", model.maxPositionEmbeddings},
                      {"norm_eps", model.finalNorm.eps},
                      {"rotary_percentage", 1.0},
                      {"bias", false},
                      {"parallel_residual", false},
                      {"mamba_init", !model.head}};
  // The original always has these two.
  if (model.bosToken != std::optional<int64_t>(1))
    config["bos_token_id"] = model.bosToken ? json::Value(*model.bosToken) : json::Value(nullptr);
  if (json::Value ends = model.ends(); ends != json::Value(2))
    config["eos_token_id"] = std::move(ends);
  const AttentionSpec *first = attention.empty() ? nullptr : attention.front().spec;
  std::optional<int64_t> window;
  for (const LayerAttention &at : attention) {
    const AttentionSpec &spec = *at.spec;
    bool sameWindow = !window || !spec.window || window == spec.window;
    window = spec.window ? spec.window : window;
    if (spec.numHeads != first->numHeads || spec.numKvHeads != first->numKvHeads ||
        spec.ropeTheta != first->ropeTheta || !sameWindow)
      return makeError(model.configPath + ": layer " + Twine(at.layer) + ": expected attention as in layer " +
                       Twine(attention.front().layer) +
                       ", as the layout microsoft has one configuration, found another");
    if (spec.ropeTheta && *spec.ropeTheta != 10000)
      return makeError(model.configPath + ": layer " + Twine(at.layer) +
                       ": expected a rotary embedding of theta 10000, as the layout microsoft has it, found another");
  }
  std::optional<int64_t> period = fullPerLayer(attention, model.layers.size());
  if (!period)
    return makeError(model.configPath + ": expected full attention in layers at a regular distance, as the layout "
                                        "microsoft has it, found it in others");
  config["n_head"] = first ? first->numHeads : 1;
  config["n_query_groups"] = first ? first->numKvHeads : 1;
  config["nope"] = first && !first->ropeTheta;
  config["local_window"] = window.value_or(-1);
  if (*period)
    config["full_per_layer"] = *period;
  return std::move(config);
}

/// Relative to the layer; empty for queries, keys and values, which make one tensor.
std::string nameOf(const BlockSpec &block, StringRef role) {
  if (role == "norm.weight")
    return block.mlp() ? "norm_2.weight" : "norm_1.weight";
  if (block.mamba())
    return ("attn." + role).str();
  return StringSwitch<std::string>(role)
      .Case("o_proj.weight", "attn.proj.weight")
      .Case("gate_proj.weight", "mlp.swiglu.w1.weight")
      .Case("up_proj.weight", "mlp.swiglu.w2.weight")
      .Case("down_proj.weight", "mlp.swiglu.w3.weight")
      .Default("");
}

const WeightSpec &weightOf(const BlockSpec &block, StringRef role) {
  return *find_if(block.weights, [&](const WeightSpec &weight) { return weight.role == role; });
}

/// For each key/value head: its query heads, its key head, its value head (SPEC 1.3).
Expected<OutputTensor> grouped(std::string name, const BlockSpec &block, const Weights &weights, int64_t hidden) {
  const AttentionSpec &spec = *block.attention();
  int64_t queries = spec.numHeads / spec.numKvHeads * spec.headDim;
  OutputTensor tensor{std::move(name), "", {spec.numKvHeads * (queries + 2 * spec.headDim), hidden}, {}};
  const std::pair<StringRef, int64_t> roles[] = {
      {"q_proj.weight", queries}, {"k_proj.weight", spec.headDim}, {"v_proj.weight", spec.headDim}};
  for (int64_t head = 0; head < spec.numKvHeads; ++head)
    for (auto [role, rows] : roles)
      if (Error failed = weights.append(tensor, weightOf(block, role), head * rows, rows))
        return std::move(failed);
  return std::move(tensor);
}

} // namespace

Expected<Conversion> samba::convert::toMicrosoft(const ModelDescription &model, const Checkpoint &checkpoint) {
  if (Error failed = checkConvertible(model))
    return std::move(failed);
  Conversion result;
  Weights weights(checkpoint);
  Error failed = Error::success();
  auto add = [&](Expected<OutputTensor> tensor) {
    if (tensor)
      result.tensors.push_back(std::move(*tensor));
    else if (!failed)
      failed = tensor.takeError();
    else
      consumeError(tensor.takeError());
  };
  // A tied head is stored, too.
  add(weights.whole("lm_head.weight", model.head ? *model.head : model.embeddings));
  add(weights.whole("transformer.wte.weight", model.embeddings));
  for (auto [number, layer] : enumerate(model.layers)) {
    std::string prefix = ("transformer.h." + Twine(number) + ".").str();
    for (const BlockSpec &block : layer.blocks)
      for (const WeightSpec &weight : block.weights) {
        std::string name = nameOf(block, weight.role);
        if (!name.empty())
          add(weights.whole(prefix + name, weight));
        else if (weight.role == "q_proj.weight")
          add(grouped(prefix + "attn.attn.weight", block, weights, model.hiddenSize));
      }
  }
  add(weights.whole("transformer.ln_f.weight", model.finalNormWeight));
  if (failed)
    return std::move(failed);
  Expected<json::Object> config = makeConfig(model);
  if (!config)
    return config.takeError();
  result.configName = "lit_config.json";
  result.config = std::move(*config);
  return std::move(result);
}
