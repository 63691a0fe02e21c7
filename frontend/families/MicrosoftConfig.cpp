//===- MicrosoftConfig.cpp - what tensors of microsoft/Samba do not tell --===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/Error.h"
#include "frontend/FlatYaml.h"
#include "frontend/Json.h"
#include "frontend/KeyReader.h"
#include "frontend/TorchFile.h"
#include "frontend/families/Microsoft.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace samba;

namespace {

struct Named {
  StringLiteral name;
  int64_t width, numHeads, numGroups, window; // window 0: full attention
  bool rotary = true;
  int64_t fullPerLayer = 0;
};

/// Of the training code; SPEC 1.1 and 1.2.
constexpr Named kNamed[] = {
    {"Samba_421M", 1536, 12, 12, 2048},
    {"Samba_421M_nope", 1536, 12, 12, 2048, false},
    {"Samba_421M_1k_window", 1536, 12, 12, 1024},
    {"Samba_421M_512_window", 1536, 12, 12, 512},
    {"Samba_421M_mqa", 1536, 12, 1, 2048},
    {"Samba_421M_mqa6", 1536, 6, 1, 2048},
    {"Samba_421M_gqa2", 1536, 12, 2, 2048},
    {"Samba_421M_gqa4", 1536, 12, 4, 2048},
    {"Samba_1.3B", 2304, 18, 18, 2048},
    {"Samba_1.3B_nope", 2304, 18, 18, 2048, false},
    {"LLaMA_438M", 1536, 12, 12, 0},
    {"LLaMA_438M_SWA", 1536, 12, 12, 2048},
    {"LLaMA_438M_SWA_mqa", 1536, 12, 1, 2048},
    {"LLaMA_438M_SWA_mqa6", 1536, 6, 1, 2048},
    {"LLaMA_438M_SWA_gqa2", 1536, 12, 2, 2048},
    {"LLaMA_438M_SWA_gqa4", 1536, 12, 4, 2048},
    {"LLaMA_438M_SWA_full", 1536, 12, 12, 2048, true, 2},
    {"LLaMA_438M_SWA_8k2k", 1536, 12, 12, 2048},
    {"LLaMA_438M_SWA_8k4k", 1536, 12, 12, 4096},
    {"LLaMA_438M_full_mamba_0", 1536, 12, 12, 0},
    {"LLaMA_438M_full_mamba_5", 1536, 12, 12, 0},
    {"LLaMA_438M_full_mamba_11", 1536, 12, 12, 0},
    {"LLaMA_438M_full_mamba_1,5", 1536, 12, 12, 0},
    {"LLaMA_388M_SWA", 1536, 12, 12, 2048},
    {"LLaMA_1.3B", 2304, 18, 18, 0},
    {"LLaMA_1.3B_SWA", 2304, 18, 18, 2048},
    {"LLaMA_1.3B_SWA_8k2k", 2304, 18, 18, 2048},
    {"LLaMA_1.3B_SWA_8k4k", 2304, 18, 18, 4096},
    {"LLaMA_2.9B", 3072, 24, 24, 0},
};

/// Keys whose meaning shows in the tensors, or that do not matter to inference.
constexpr StringLiteral kHarmless[] = {
    "org",
    "name",
    "vocab_size",
    "padding_multiple",
    "padded_vocab_size",
    "n_layer",
    "mlp",
    "mb_per_layer",
    "mamba",
    "sc_attn",
    "rms_norm",
    "residual_in_fp32",
    "mamba_init",
    "abl_mamba",
    "fused_add_norm",
    "attn_layer_pos",
    "_norm_class",
    "_mlp_class",
    "hf_config",
    "head_size",
    "intermediate_size",
    "mamba_swa_mlp",
    "norm_class_name",
    "mlp_class_name",
    "ret_per_layer",
    "gla_per_layer",
};

constexpr StringLiteral kUnsupported[] = {"bias", "parallel_residual", "shared_attention_norm"};

} // namespace

std::optional<MicrosoftConfig> MicrosoftConfig::named(StringRef name) {
  for (const Named &known : kNamed) {
    if (known.name != name)
      continue;
    MicrosoftConfig config;
    config.origin = ("--config=" + name).str();
    config.numHeads = known.numHeads;
    config.numGroups = known.numGroups;
    if (known.window)
      config.window = known.window;
    config.fullPerLayer = known.fullPerLayer;
    config.rotary = known.rotary;
    config.width = known.width;
    return config;
  }
  return std::nullopt;
}

std::string MicrosoftConfig::names() {
  std::string names;
  for (const Named &known : kNamed)
    names += (names.empty() ? "" : ", ") + known.name.str();
  return names;
}

Expected<MicrosoftConfig> MicrosoftConfig::parse(const json::Object &object, StringRef path) {
  std::string firstError;
  KeyReader keys(object, path, "", firstError);
  MicrosoftConfig config;
  config.origin = path.str();
  keys.acceptHarmless(kHarmless);
  keys.refuse(kUnsupported);
  config.numHeads = keys.requiredInteger("n_head", 1, kMaxHidden);
  if (keys.has("n_query_groups") && !keys.isNull("n_query_groups"))
    config.numGroups = keys.integer("n_query_groups", 1, 1, kMaxHidden);
  if (keys.has("n_embd") && !keys.isNull("n_embd"))
    config.width = keys.integer("n_embd", 1, 1, kMaxHidden);
  // The training code's default is no window. Whoever leaves the key out rarely means that.
  if (!keys.has("local_window"))
    keys.error("local_window", "a number of tokens, or -1 for full attention");
  else if (int64_t window = keys.integerOrNull("local_window", -1, -1, kMaxWindow); window == 0)
    keys.error("local_window", "a number of tokens, or -1 for full attention");
  else if (window > 0)
    config.window = window;
  config.rotary = !keys.boolean("nope", false);
  config.fullPerLayer = keys.integerOrNull("full_per_layer", 0, 0, kMaxPositions);
  config.contextLength = keys.integerOrNull("block_size", 4096, 1, kMaxPositions);
  config.normEps = keys.eps("norm_eps", 1e-5);
  if (keys.number("rotary_percentage", 1, 1) != 1)
    keys.error("rotary_percentage", "1");
  if (keys.number("condense_ratio", 1, 1e9) != 1)
    keys.error("condense_ratio", "1");
  config.bosToken = keys.token("bos_token_id", 1, kMaxVocab);
  config.endTokens = keys.tokens("eos_token_id", 2, kMaxVocab);
  if (!firstError.empty())
    return makeError(firstError);
  keys.warnOfUnknown(config.warnings);
  return config;
}

static Expected<std::optional<MicrosoftConfig>> loadFile(StringRef path) {
  Expected<json::Object> object = path.ends_with(".json") ? readJsonObject(path) : readFlatYaml(path);
  if (!object)
    return object.takeError();
  Expected<MicrosoftConfig> config = MicrosoftConfig::parse(*object, path);
  if (!config)
    return config.takeError();
  return std::optional(std::move(*config));
}

Expected<std::optional<MicrosoftConfig>> samba::findMicrosoftConfig(const Checkpoint &checkpoint, StringRef config) {
  if (!config.empty()) {
    if (std::optional<MicrosoftConfig> known = MicrosoftConfig::named(config))
      return known;
    if (sys::fs::exists(config))
      return loadFile(config);
    return makeError("--config=" + config + ": expected a file or one of " + MicrosoftConfig::names() +
                     ", found neither");
  }
  for (StringRef name : {"lit_config.json", "model_config.yaml"}) {
    SmallString<128> path(checkpoint.directory());
    sys::path::append(path, name);
    if (sys::fs::exists(path))
      return loadFile(path);
  }
  // The training code saves the name of the configuration among the hyperparameters.
  for (const std::unique_ptr<WeightFile> &file : checkpoint.files())
    if (std::optional<MicrosoftConfig> known = MicrosoftConfig::named(file->modelName())) {
      known->origin = file->file().path() + ": model_name " + quoted(file->modelName());
      return known;
    }
  return std::optional<MicrosoftConfig>();
}
