//===- Shapes.cpp - the published sizes of samba models -------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-synthesize/Shapes.h"

#include "frontend/Error.h"
#include "frontend/Json.h"
#include "frontend/families/Samba.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;
using namespace samba;

namespace {

/// SPEC section 1.1. The MLP width is not in the format; `hiddenRatio` is chosen to give it.
struct Shape {
  StringLiteral name;
  int64_t layers, hidden, mlp, heads, kvHeads, vocabulary;
  double hiddenRatio;
};

constexpr Shape kShapes[] = {
    {"Samba_421M", 12, 1536, 4096, 12, 12, 32000, 4},
    {"Samba_1.3B", 18, 2304, 6144, 18, 18, 32000, 4},
    {"Samba_1.7B", 24, 2048, 8192, 32, 4, 50304, 6},
    {"Samba_3.8B", 32, 2816, 9984, 11, 1, 32064, 5.3},
};

json::Object configOf(const Shape &shape) {
  json::Array attentionLayers;
  for (int64_t layer = 1; layer < shape.layers; layer += 2)
    attentionLayers.push_back(layer);
  return json::Object{
      {"model_type", "samba"},
      {"architectures", json::Array{"SambaForCausalLM"}},
      {"vocab_size", shape.vocabulary},
      {"hidden_size", shape.hidden},
      {"num_hidden_layers", shape.layers},
      {"hidden_ratio", shape.hiddenRatio},
      {"state_size", 16},
      {"expand", 2},
      {"conv_kernel", 4},
      {"time_step_rank", "auto"},
      {"norm_eps", 1e-5},
      {"hidden_act", "swish"},
      {"use_bias", false},
      {"tie_word_embeddings", true},
      {"max_position_embeddings", 4096},
      {"bos_token_id", 1},
      {"eos_token_id", 2},
      {"attn", json::Object{{"layers", std::move(attentionLayers)},
                            {"num_heads", shape.heads},
                            {"num_kv_heads", shape.kvHeads},
                            {"qkv_bias", false},
                            {"window_size", 2048},
                            {"rope_theta", 10000.0}}},
  };
}

} // namespace

std::string samba::listShapes() {
  std::string text;
  raw_string_ostream os(text);
  for (const Shape &shape : kShapes)
    os << formatv("  {0}: {1} layers, width {2}, MLP {3}, heads {4}/{5}, vocabulary {6}\n", shape.name, shape.layers,
                  shape.hidden, shape.mlp, shape.heads, shape.kvHeads, shape.vocabulary);
  return text;
}

Expected<json::Object> samba::configOfShape(StringRef name) {
  std::string known;
  for (const Shape &shape : kShapes) {
    if (name == shape.name)
      return configOf(shape);
    known += shape.name.str() + ", ";
  }
  if (!sys::fs::exists(name))
    return makeError(name + ": expected " + known + "or a config.json, found nothing of that name");
  return readJsonObject(name);
}

Expected<json::Object> samba::withFullAttention(json::Object object, StringRef path) {
  Expected<SambaConfig> config = SambaConfig::parse(object, path);
  if (!config)
    return config.takeError();
  json::Array specs;
  for (const SambaAttention &spec : config->attention)
    specs.push_back(json::Object{{"layers", json::Array(spec.layers)},
                                 {"num_heads", spec.numHeads},
                                 {"num_kv_heads", spec.numKvHeads},
                                 {"qkv_bias", spec.qkvBias},
                                 {"window_size", nullptr},
                                 {"rope_theta", spec.ropeTheta}});
  for (StringRef old : {"num_heads", "num_kv_heads", "window_size"})
    object.erase(old);
  object["attn"] = std::move(specs);
  return std::move(object);
}
