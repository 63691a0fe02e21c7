//===- SambaTensors.cpp - which tensors a samba checkpoint holds ----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/SambaTensors.h"

#include "llvm/ADT/Twine.h"

using namespace samba;

std::vector<TensorSpec> samba::mixerTensors(const SambaConfig &config, const AttentionSpec *attention) {
  int64_t hidden = config.hiddenSize;
  std::vector<TensorSpec> tensors;
  auto add = [&](llvm::StringRef name, llvm::ArrayRef<int64_t> shape) {
    tensors.push_back({name.str(), llvm::SmallVector<int64_t, 3>(shape)});
  };
  auto addLinear = [&](const std::string &name, int64_t out, int64_t in, bool bias) {
    add(name + ".weight", {out, in});
    if (bias)
      add(name + ".bias", {out});
  };

  add("mixer_norm.weight", {hidden});
  if (attention) {
    int64_t kvWidth = attention->numKvHeads * attention->headDim;
    addLinear("mixer.q_proj", hidden, hidden, attention->qkvBias);
    addLinear("mixer.k_proj", kvWidth, hidden, attention->qkvBias);
    addLinear("mixer.v_proj", kvWidth, hidden, attention->qkvBias);
    addLinear("mixer.o_proj", hidden, hidden, false);
    return tensors;
  }
  int64_t inner = config.innerSize;
  addLinear("mixer.in_proj", 2 * inner, hidden, config.useBias);
  add("mixer.conv1d.weight", {inner, 1, config.convKernel});
  add("mixer.conv1d.bias", {inner});
  addLinear("mixer.x_proj", config.dtRank + 2 * config.stateSize, inner, false);
  addLinear("mixer.dt_proj", inner, config.dtRank, true);
  add("mixer.A_log", {inner, config.stateSize});
  add("mixer.D", {inner});
  addLinear("mixer.out_proj", hidden, inner, config.useBias);
  return tensors;
}

std::vector<TensorSpec> samba::mlpTensors(const SambaConfig &config) {
  int64_t hidden = config.hiddenSize, width = config.mlpSize;
  return {{"mlp_norm.weight", {hidden}},
          {"mlp.gate_proj.weight", {width, hidden}},
          {"mlp.up_proj.weight", {width, hidden}},
          {"mlp.down_proj.weight", {hidden, width}}};
}

std::string samba::layerPrefix(int64_t layer) { return ("backbone.layers." + llvm::Twine(layer) + ".").str(); }

std::vector<TensorSpec> samba::modelTensors(const SambaConfig &config) {
  std::vector<TensorSpec> tensors;
  tensors.push_back({kEmbeddings.str(), {config.vocabSize, config.hiddenSize}});
  for (int64_t layer = 0; layer < config.numLayers; ++layer) {
    for (auto &part : {mixerTensors(config, config.attentionOf(layer)), mlpTensors(config)})
      for (const TensorSpec &tensor : part)
        tensors.push_back({layerPrefix(layer) + tensor.name, tensor.shape});
  }
  tensors.push_back({kFinalNorm.str(), {config.hiddenSize}});
  if (!config.tieWordEmbeddings)
    tensors.push_back({kHead.str(), {config.vocabSize, config.hiddenSize}});
  return tensors;
}

int64_t samba::numParameters(const SambaConfig &config) {
  int64_t parameters = 0;
  for (const TensorSpec &tensor : modelTensors(config)) {
    int64_t elements = 1;
    for (int64_t size : tensor.shape)
      elements *= size;
    parameters += elements;
  }
  return parameters;
}
