//===- ModelDescription.cpp - a model, whatever family it is of -----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/ModelDescription.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/Twine.h"

using namespace llvm;
using namespace samba;

WeightSpec WeightSpec::of(StringRef role, StringRef tensor, ArrayRef<int64_t> shape) {
  WeightSpec weight;
  weight.role = role.str();
  weight.parts.push_back({{tensor.str(), SmallVector<int64_t, 3>(shape)}, std::nullopt, 0});
  return weight;
}

SmallVector<int64_t, 3> WeightSpec::shape() const {
  SmallVector<int64_t, 3> shape = parts.front().tensor.shape;
  if (shape.size() == 3)
    shape.erase(shape.begin() + 1);
  shape[0] = 0;
  for (const TensorRows &part : parts)
    shape[0] += part.firstRow ? part.rows : part.tensor.shape[0];
  return shape;
}

void BlockSpec::addLinear(StringRef role, StringRef tensor, int64_t out, int64_t in, bool bias) {
  add((role + ".weight").str(), (tensor + ".weight").str(), {out, in});
  if (bias)
    add((role + ".bias").str(), (tensor + ".bias").str(), {out});
}

void samba::addMambaWeights(BlockSpec &block, const std::string &prefix, int64_t hiddenSize, MambaBiases biases) {
  const MambaSpec &mamba = *block.mamba();
  int64_t inner = mamba.innerSize;
  block.addLinear("in_proj", prefix + "in_proj", 2 * inner, hiddenSize, biases.inProj);
  block.add("conv1d.weight", prefix + "conv1d.weight", {inner, 1, mamba.convKernel});
  if (biases.conv)
    block.add("conv1d.bias", prefix + "conv1d.bias", {inner});
  block.addLinear("x_proj", prefix + "x_proj", mamba.dtRank + 2 * mamba.stateSize, inner);
  block.addLinear("dt_proj", prefix + "dt_proj", inner, mamba.dtRank, true);
  block.add("A_log", prefix + "A_log", {inner, mamba.stateSize});
  block.add("D", prefix + "D", {inner});
  block.addLinear("out_proj", prefix + "out_proj", hiddenSize, inner, biases.outProj);
}

void ModelDescription::endAt(const std::vector<int64_t> &tokens) {
  eosToken = tokens.empty() ? std::nullopt : std::optional(tokens.front());
  moreEnds.assign(tokens.begin() + (tokens.empty() ? 0 : 1), tokens.end());
}

llvm::json::Value ModelDescription::ends() const {
  if (!eosToken)
    return nullptr;
  if (moreEnds.empty())
    return *eosToken;
  llvm::json::Array all{*eosToken};
  for (int64_t id : moreEnds)
    all.push_back(id);
  return all;
}

void ModelDescription::addFinalNorm(StringRef tensor, double eps) {
  finalNorm.eps = eps;
  finalNormWeight = WeightSpec::of("norm_f.weight", tensor, {hiddenSize});
}

void ModelDescription::addHead(bool tied) {
  if (tied)
    tiedHead = "lm_head.weight";
  else
    head = WeightSpec::of("lm_head.weight", "lm_head.weight", {vocabSize, hiddenSize});
}

std::string ModelDescription::symbolOf(size_t layer, const BlockSpec &block, const WeightSpec &weight) {
  StringRef role = weight.role;
  role.consume_back(".weight");
  bool isNorm = role.consume_front("norm");
  std::string symbol = ("layers." + Twine(layer) + "." + block.name + (isNorm ? "_norm" : ".") + role).str();
  StringRef text = symbol;
  return text.consume_back("A_log") ? (text + "A").str() : symbol;
}

void ModelDescription::forEachWeight(function_ref<void(StringRef, const WeightSpec &)> visit) const {
  auto topLevel = [&](const WeightSpec &weight) {
    StringRef symbol = weight.role;
    symbol.consume_back(".weight");
    visit(symbol, weight);
  };
  topLevel(embeddings);
  for (auto [number, layer] : enumerate(layers))
    for (const BlockSpec &block : layer.blocks)
      for (const WeightSpec &weight : block.weights)
        visit(symbolOf(number, block, weight), weight);
  topLevel(finalNormWeight);
  if (finalNormBias)
    topLevel(*finalNormBias);
  if (head)
    topLevel(*head);
}

std::vector<TensorSpec> ModelDescription::tensors() const {
  std::vector<TensorSpec> tensors;
  StringSet<> known;
  forEachWeight([&](StringRef, const WeightSpec &weight) {
    for (const TensorRows &part : weight.parts)
      if (known.insert(part.tensor.name).second)
        tensors.push_back(part.tensor);
  });
  return tensors;
}

int64_t ModelDescription::numParameters() const {
  int64_t parameters = 0;
  forEachWeight([&](StringRef, const WeightSpec &weight) {
    int64_t elements = 1;
    for (int64_t size : weight.shape())
      elements *= size;
    parameters += elements;
  });
  return parameters;
}

bool ModelDescription::hasFullAttention() const {
  return any_of(layers, [](const LayerSpec &layer) {
    return any_of(layer.blocks, [](const BlockSpec &block) {
      const AttentionSpec *attention = block.attention();
      return attention && !attention->window;
    });
  });
}
