//===- Mamba.cpp - the families mamba and falcon_mamba --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Mamba-1 without MLPs, SPEC 3.1: as the transformers library stores it, and as the original package does (no
// `model_type`, sizes in `ssm_cfg`, a padded vocabulary). Falcon-Mamba adds norms without weights of dt, B and C.
//
// Public configurations carry wrong sizes, which the libraries never look at: where tensors say otherwise they count.
//
//===----------------------------------------------------------------------===//

#include "frontend/Error.h"
#include "frontend/KeyReader.h"
#include "frontend/families/Families.h"

using namespace llvm;
using namespace samba;

namespace {

constexpr StringLiteral kHarmless[] = {
    "time_step_init_scheme",
    "time_step_min",
    "time_step_max",
    "time_step_floor",
    "time_step_scale",
    "initializer_range",
    "use_mambapy",
    "rescale_prenorm_residual",
    "use_associative_scan",
    "use_falcon_mambapy",
    // Left over from the original configurations.
    "d_model",
    "n_layer",
    "d_inner",
    "ssm_cfg",
    "rms_norm",
    "fused_add_norm",
    "pad_vocab_size_multiple",
};

constexpr StringLiteral kOriginalHarmless[] = {"fused_add_norm"};

/// What both layouts say.
struct Sizes {
  std::string family;
  int64_t vocab = 0, hidden = 0, layers = 0;
  MambaSpec mixer;
  MambaBiases biases;
  double eps = 1e-5;
  bool tied = true;
  StringRef embeddings = "backbone.embeddings.weight";
  std::optional<int64_t> bos, pad;
  std::vector<int64_t> eos;
  std::string numerics;
};

std::string layerPrefix(int64_t layer) { return "backbone.layers." + std::to_string(layer) + "."; }

/// Takes a size from tensors where they have another.
class SizeCorrection {
public:
  SizeCorrection(const Checkpoint &checkpoint, StringRef path, std::vector<std::string> &warnings)
      : checkpoint(checkpoint), path(path), warnings(warnings) {}

  void fromShape(int64_t &size, StringRef key, StringRef tensor, size_t rank, size_t dimension, int64_t most) {
    const Checkpoint::Tensor *found = checkpoint.find(tensor);
    if (!found || found->info->shape.size() != rank)
      return; // the check of all tensors finds that
    take(size, key, found->info->shape[dimension], most, "tensor " + quoted(tensor));
  }

  void layers(int64_t &layers, StringRef key) {
    int64_t found = 0;
    while (found < kMaxLayers && checkpoint.find(layerPrefix(found) + "norm.weight"))
      ++found;
    take(layers, key, found, kMaxLayers, "the number of layers in " + checkpoint.directory());
  }

private:
  void take(int64_t &size, StringRef key, int64_t actual, int64_t most, const Twine &what) {
    if (actual == size || actual < 1 || actual > most)
      return;
    warnings.push_back((path + ": key " + quoted(key) + " makes it " + Twine(size) + ", but " + what + " says " +
                        Twine(actual) + ", which counts")
                           .str());
    size = actual;
  }

  const Checkpoint &checkpoint;
  StringRef path;
  std::vector<std::string> &warnings;
};

void trustTensors(Sizes &sizes, const Checkpoint &checkpoint, StringRef path, std::vector<std::string> &warnings) {
  SizeCorrection correction(checkpoint, path, warnings);
  std::string mixer = layerPrefix(0) + "mixer.";
  correction.layers(sizes.layers, "num_hidden_layers");
  correction.fromShape(sizes.mixer.innerSize, "expand", mixer + "conv1d.weight", 3, 0, 16 * kMaxHidden);
  correction.fromShape(sizes.mixer.convKernel, "conv_kernel", mixer + "conv1d.weight", 3, 2, 1 << 6);
  correction.fromShape(sizes.mixer.stateSize, "state_size", mixer + "A_log", 2, 1, 1 << 10);
  correction.fromShape(sizes.mixer.dtRank, "time_step_rank", mixer + "dt_proj.weight", 2, 1, kMaxHidden);
}

ModelDescription describeMamba(Sizes sizes, StringRef path, const Checkpoint *checkpoint) {
  ModelDescription model;
  if (checkpoint)
    trustTensors(sizes, *checkpoint, path, model.warnings);
  model.family = sizes.family;
  model.configPath = path.str();
  model.vocabSize = sizes.vocab;
  model.hiddenSize = sizes.hidden;
  model.embeddings = WeightSpec::of("embeddings.weight", sizes.embeddings, {sizes.vocab, sizes.hidden});
  for (int64_t layer = 0; layer < sizes.layers; ++layer) {
    BlockSpec block{"mixer", {sizes.eps}, sizes.mixer, {}};
    block.add("norm.weight", layerPrefix(layer) + "norm.weight", {sizes.hidden});
    addMambaWeights(block, layerPrefix(layer) + "mixer.", sizes.hidden, sizes.biases);
    model.layers.push_back({{std::move(block)}});
  }
  model.addFinalNorm("backbone.norm_f.weight", sizes.eps);
  model.addHead(sizes.tied);
  model.numerics = sizes.numerics;
  model.bosToken = sizes.bos;
  model.endAt(sizes.eos);
  model.padToken = sizes.pad;
  return model;
}

Expected<ModelDescription> readTransformers(const json::Object &config, StringRef path, const Checkpoint *checkpoint,
                                            bool falcon) {
  std::string firstError;
  KeyReader keys(config, path, "", firstError);
  keys.acceptHarmless(kHarmless);
  keys.refuse(kUnsupportedKeys);
  keys.expectSilu("hidden_act");
  Sizes sizes;
  sizes.family = falcon ? "falcon_mamba" : "mamba";
  sizes.vocab = keys.integer("vocab_size", falcon ? 65024 : 50280, 1, kMaxVocab);
  sizes.hidden = keys.integer("hidden_size", falcon ? 4096 : 768, 1, kMaxHidden);
  sizes.layers = keys.integer("num_hidden_layers", falcon ? 64 : 32, 1, kMaxLayers);
  sizes.mixer.stateSize = keys.integer("state_size", 16, 1, 1 << 10);
  sizes.mixer.convKernel = keys.integer("conv_kernel", 4, 2, 1 << 6);
  sizes.mixer.dtRank = keys.integerOrAuto("time_step_rank", (sizes.hidden + 15) / 16, 1, kMaxHidden);
  double expand = keys.number("expand", falcon ? 16 : 2, 64);
  sizes.mixer.innerSize =
      keys.integerOrNull("intermediate_size", int64_t(expand * double(sizes.hidden)), 1, 16 * kMaxHidden);
  if (sizes.mixer.innerSize < 1 || sizes.mixer.innerSize > 16 * kMaxHidden)
    keys.error("expand", "an inner width int(expand * hidden_size) between 1 and " + Twine(16 * kMaxHidden));
  if (falcon)
    sizes.mixer.innerNormEps = keys.eps("mixer_rms_eps", 1e-6);
  sizes.biases.inProj = sizes.biases.outProj = keys.boolean("use_bias", false);
  sizes.biases.conv = keys.boolean("use_conv_bias", true);
  sizes.eps = keys.eps("layer_norm_epsilon", 1e-5);
  sizes.tied = keys.boolean("tie_word_embeddings", true);
  // The library's norm casts twice, and reads the f32 stream rounded.
  sizes.numerics = "norm_cast=hf";
  if (keys.boolean("residual_in_fp32", true))
    sizes.numerics += ",residual=f32,norm_input=model";
  sizes.bos = keys.token("bos_token_id", 0, sizes.vocab);
  sizes.eos = keys.tokens("eos_token_id", falcon ? 11 : 0, sizes.vocab);
  sizes.pad = keys.padToken(sizes.vocab);
  if (keys.failed())
    return makeError(firstError);
  ModelDescription model = describeMamba(sizes, path, checkpoint);
  keys.warnOfUnknown(model.warnings);
  return model;
}

/// The original package also makes hybrids.
void refuseAttention(KeyReader &keys) {
  const json::Value *layers = keys.get("attn_layer_idx");
  if (layers && layers->kind() != json::Value::Null && !(layers->getAsArray() && layers->getAsArray()->empty()))
    keys.error("attn_layer_idx", "no layers of attention");
  keys.get("attn_cfg"); // of those layers
  if (keys.integer("d_intermediate", 0, 0, kMaxHidden) != 0)
    keys.error("d_intermediate", "0 (MLPs between the layers are not supported)");
}

Expected<ModelDescription> readOriginal(const json::Object &config, StringRef path, const Checkpoint *checkpoint) {
  std::string firstError;
  KeyReader keys(config, path, "", firstError);
  keys.acceptHarmless(kOriginalHarmless);
  refuseAttention(keys);
  const json::Value *ssmValue = keys.get("ssm_cfg");
  static const json::Object none;
  const json::Object *ssmObject = ssmValue ? ssmValue->getAsObject() : &none;
  if (!ssmObject) {
    keys.error("ssm_cfg", "an object");
    ssmObject = &none;
  }
  KeyReader ssm(*ssmObject, path, "ssm_cfg.", firstError);
  ssm.acceptHarmless({"dt_min", "dt_max", "dt_init", "dt_scale", "dt_init_floor", "use_fast_path"});
  if (const json::Value *layer = ssm.get("layer"); layer && layer->getAsString() != StringRef("Mamba1"))
    ssm.error("layer", "\"Mamba1\"");
  if (!keys.boolean("rms_norm", true))
    keys.error("rms_norm", "true (models with LayerNorm are not supported)");

  Sizes sizes;
  sizes.family = "mamba";
  sizes.hidden = keys.requiredInteger("d_model", 1, kMaxHidden);
  sizes.layers = keys.requiredInteger("n_layer", 1, kMaxLayers);
  int64_t vocab = keys.integer("vocab_size", 50277, 1, kMaxVocab);
  int64_t multiple = keys.integer("pad_vocab_size_multiple", 8, 1, kMaxVocab);
  sizes.vocab = (vocab + multiple - 1) / multiple * multiple;
  sizes.mixer.stateSize = ssm.integer("d_state", 16, 1, 1 << 10);
  sizes.mixer.convKernel = ssm.integer("d_conv", 4, 2, 1 << 6);
  sizes.mixer.dtRank = ssm.integerOrAuto("dt_rank", (sizes.hidden + 15) / 16, 1, kMaxHidden);
  sizes.mixer.innerSize = int64_t(ssm.number("expand", 2, 16) * double(sizes.hidden));
  if (sizes.mixer.innerSize < 1)
    ssm.error("expand", "an inner width int(expand * d_model) of at least 1");
  sizes.biases.inProj = sizes.biases.outProj = ssm.boolean("bias", false);
  sizes.biases.conv = ssm.boolean("conv_bias", true);
  sizes.tied = keys.boolean("tie_embeddings", true);
  if (keys.boolean("residual_in_fp32", true))
    sizes.numerics = "residual=f32"; // added and normalised in one kernel, which reads the sum unrounded
  sizes.embeddings = "backbone.embedding.weight";
  if (sizes.vocab > kMaxVocab)
    keys.error("pad_vocab_size_multiple", "a padded vocabulary of at most " + Twine(kMaxVocab));
  if (keys.failed())
    return makeError(firstError);
  // The tokeniser of these models is that of GPT-NeoX, whose only special token is the end of text.
  sizes.bos = 0;
  sizes.eos = {0};
  ModelDescription model = describeMamba(sizes, path, checkpoint);
  keys.warnOfUnknown(model.warnings);
  ssm.warnOfUnknown(model.warnings);
  return model;
}

bool isOriginal(const json::Object &config) { return config.get("d_model") && config.get("n_layer"); }

Expected<ModelDescription> readMamba(const json::Object &config, StringRef path, const Checkpoint *checkpoint) {
  return config.get("model_type") ? readTransformers(config, path, checkpoint, /*falcon=*/false)
                                  : readOriginal(config, path, checkpoint);
}

Expected<ModelDescription> readFalcon(const json::Object &config, StringRef path, const Checkpoint *checkpoint) {
  return readTransformers(config, path, checkpoint, /*falcon=*/true);
}

} // namespace

const Family samba::kMambaFamily = {
    "mamba",
    {"mamba"},
    isOriginal,
    readMamba,
    "Mamba-1, as transformers stores it and in the original layout (`d_model`, `ssm_cfg`)"};
const Family samba::kFalconMambaFamily = {
    "falcon_mamba", {"falcon_mamba"}, nullptr, readFalcon, "Falcon-Mamba: Mamba-1 with norms of dt, B and C"};
