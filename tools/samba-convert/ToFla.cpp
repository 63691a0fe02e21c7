//===- ToFla.cpp - to the layout of flash-linear-attention ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// SPEC section 2.
//
//===----------------------------------------------------------------------===//

#include "frontend/Error.h"
#include "tools/samba-convert/Conversion.h"
#include "llvm/ADT/STLExtras.h"
#include <cmath>

using namespace llvm;
using namespace samba;
using namespace samba::convert;

namespace {

/// The width of the MLP is 256 * ceil(int(hidden * ratio * 2 / 3) / 256): is there a ratio for it?
std::optional<double> hiddenRatio(int64_t hidden, int64_t width) {
  double ratio = double(width) * 3 / 2 / double(hidden);
  for (double candidate : {std::round(ratio), std::round(ratio * 2) / 2, ratio, std::nextafter(ratio, 1e9)})
    if (candidate > 0 && 256 * ((int64_t(double(hidden) * candidate * 2 / 3) + 255) / 256) == width)
      return candidate;
  return std::nullopt;
}

json::Object describe(const AttentionSpec &spec, json::Array layers) {
  return json::Object{{"layers", std::move(layers)},
                      {"num_heads", spec.numHeads},
                      {"num_kv_heads", spec.numKvHeads},
                      {"qkv_bias", false},
                      {"window_size", spec.window ? json::Value(*spec.window) : json::Value(nullptr)},
                      {"rope_theta", *spec.ropeTheta}};
}

Expected<json::Object> makeConfig(const ModelDescription &model, StringRef dtype) {
  MambaSpec mamba{2 * model.hiddenSize, 16, 4, (model.hiddenSize + 15) / 16, std::nullopt};
  std::vector<std::pair<AttentionSpec, json::Array>> attention;
  for (auto [number, layer] : enumerate(model.layers)) {
    const BlockSpec &mixer = layer.blocks.front();
    if (mixer.mamba()) {
      mamba = *mixer.mamba();
      continue;
    }
    if (!mixer.attention()->ropeTheta)
      return makeError(model.configPath + ": layer " + Twine(number) +
                       ": expected attention with a rotary embedding, which the layout fla always has, found none");
    auto group = find_if(attention, [&](auto &group) { return group.first == *mixer.attention(); });
    if (group == attention.end())
      group = attention.insert(group, {*mixer.attention(), {}});
    group->second.push_back(int64_t(number));
  }
  int64_t width = model.layers.front().blocks[1].mlp()->width;
  std::optional<double> ratio = hiddenRatio(model.hiddenSize, width);
  if (!ratio)
    return makeError(model.configPath +
                     ": expected an MLP width that is a multiple of 256, as the layout fla needs it, "
                     "found " +
                     Twine(width));
  double expand = double(mamba.innerSize) / double(model.hiddenSize);
  if (int64_t(expand * double(model.hiddenSize)) != mamba.innerSize)
    return makeError(model.configPath +
                     ": expected an inner width that is a multiple of the width, as the layout fla "
                     "needs it, found " +
                     Twine(mamba.innerSize));
  json::Value attn = nullptr;
  if (attention.size() == 1) {
    attn = describe(attention[0].first, std::move(attention[0].second));
  } else if (!attention.empty()) {
    json::Array list;
    for (auto &[spec, layers] : attention)
      list.push_back(describe(spec, std::move(layers)));
    attn = std::move(list);
  }
  auto token = [](std::optional<int64_t> id) { return id ? json::Value(*id) : json::Value(nullptr); };
  return json::Object{{"architectures", json::Array{"SambaForCausalLM"}},
                      {"model_type", "samba"},
                      {"vocab_size", model.vocabSize},
                      {"hidden_size", model.hiddenSize},
                      {"num_hidden_layers", int64_t(model.layers.size())},
                      {"state_size", mamba.stateSize},
                      {"conv_kernel", mamba.convKernel},
                      {"expand", expand},
                      {"time_step_rank", mamba.dtRank},
                      {"use_bias", false},
                      {"use_conv_bias", true},
                      {"hidden_act", "swish"},
                      {"hidden_ratio", *ratio},
                      {"norm_eps", model.finalNorm.eps},
                      {"max_position_embeddings", model.maxPositionEmbeddings},
                      {"tie_word_embeddings", !model.head},
                      {"bos_token_id", token(model.bosToken)},
                      {"eos_token_id", model.ends()},
                      {"attn", std::move(attn)},
                      {"torch_dtype", dtype == "BF16"  ? "bfloat16"
                                      : dtype == "F16" ? "float16"
                                                       : "float32"}};
}

/// "mixer.in_proj.weight" of the role "in_proj.weight", "mixer_norm.weight" of "norm.weight".
std::string nameOf(size_t layer, bool isMlp, StringRef role) {
  std::string part = isMlp ? "mlp" : "mixer";
  return ("backbone.layers." + Twine(layer) + "." + part + (role == "norm.weight" ? "_" : ".") + role).str();
}

} // namespace

Expected<Conversion> samba::convert::toFla(const ModelDescription &model, const Checkpoint &checkpoint) {
  if (Error failed = checkConvertible(model))
    return std::move(failed);
  Conversion result;
  Weights weights(checkpoint);
  Error failed = Error::success();
  auto add = [&](std::string name, const WeightSpec &weight) {
    if (failed)
      return;
    if (Expected<OutputTensor> tensor = weights.whole(std::move(name), weight))
      result.tensors.push_back(std::move(*tensor));
    else
      failed = tensor.takeError();
  };
  add("backbone.embeddings.weight", model.embeddings);
  for (auto [number, layer] : enumerate(model.layers))
    for (auto [index, block] : enumerate(layer.blocks))
      for (const WeightSpec &weight : block.weights)
        add(nameOf(number, index == 1, weight.role), weight);
  add("backbone.norm_f.weight", model.finalNormWeight);
  if (model.head)
    add("lm_head.weight", *model.head);
  if (failed)
    return std::move(failed);
  Expected<json::Object> config = makeConfig(model, result.tensors.front().dtypeName);
  if (!config)
    return config.takeError();
  result.configName = "config.json";
  result.config = std::move(*config);
  return std::move(result);
}
