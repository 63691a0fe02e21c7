//===- Conversion.cpp - a checkpoint in another layout --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-convert/Conversion.h"

#include "frontend/Error.h"
#include "llvm/ADT/STLExtras.h"

using namespace llvm;
using namespace samba;
using namespace samba::convert;

uint64_t OutputTensor::size() const {
  uint64_t size = 0;
  for (ArrayRef<uint8_t> piece : pieces)
    size += piece.size();
  return size;
}

static int64_t rowsOf(const TensorRows &part) { return part.firstRow ? part.rows : part.tensor.shape.front(); }

Expected<OutputTensor> Weights::whole(std::string name, const WeightSpec &weight) const {
  OutputTensor tensor{std::move(name), "", {}, {}};
  const TensorRows &first = weight.parts.front();
  tensor.shape.assign(first.tensor.shape.begin(), first.tensor.shape.end());
  tensor.shape.front() = 0;
  for (const TensorRows &part : weight.parts)
    tensor.shape.front() += rowsOf(part);
  if (Error failed = append(tensor, weight, 0, tensor.shape.front()))
    return std::move(failed);
  return std::move(tensor);
}

Error Weights::append(OutputTensor &tensor, const WeightSpec &weight, int64_t firstRow, int64_t rows) const {
  for (const TensorRows &part : weight.parts) {
    int64_t count = rowsOf(part), begin = std::min(firstRow, count), end = std::min(firstRow + rows, count);
    firstRow -= begin;
    rows -= end - begin;
    if (begin == end)
      continue;
    const Checkpoint::Tensor *source = checkpoint.find(part.tensor.name);
    StringRef dtype = source->info->dtypeName;
    if (tensor.dtypeName.empty())
      tensor.dtypeName = dtype;
    if (tensor.dtypeName != dtype)
      return makeError(source->file->file().path() + ": tensor " + quoted(part.tensor.name) + ": expected " +
                       tensor.dtypeName + ", as other parts of " + quoted(tensor.name) + " have it, found " + dtype);
    ArrayRef<uint8_t> bytes = source->file->bytes(*source->info);
    size_t rowBytes = bytes.size() / size_t(part.tensor.shape.front());
    ArrayRef<uint8_t> piece =
        bytes.slice(size_t(part.firstRow.value_or(0) + begin) * rowBytes, size_t(end - begin) * rowBytes);
    if (!tensor.pieces.empty() && tensor.pieces.back().end() == piece.begin())
      tensor.pieces.back() = ArrayRef(tensor.pieces.back().begin(), piece.end());
    else
      tensor.pieces.push_back(piece);
  }
  return Error::success();
}

Error samba::convert::checkConvertible(const ModelDescription &model) {
  auto refuse = [&](size_t layer, const Twine &expected, const Twine &found) {
    return makeError(model.configPath + ": layer " + Twine(layer) + ": expected " + expected +
                     ", which is all that both layouts have, found " + found);
  };
  const BlockSpec *mamba = nullptr, *mlp = nullptr;
  for (auto [number, layer] : enumerate(model.layers)) {
    if (layer.blocks.size() != 2 || layer.blocks[0].mlp() || !layer.blocks[1].mlp())
      return refuse(number, "a Mamba or attention mixer, then an MLP", Twine(layer.blocks.size()) + " other blocks");
    for (const BlockSpec &block : layer.blocks) {
      if (block.norm.centred)
        return refuse(number, "RMS norms", "LayerNorm");
      if (block.norm.eps != model.finalNorm.eps)
        return refuse(number, "one eps of all norms", "several");
      for (const WeightSpec &weight : block.weights)
        if (StringRef(weight.role).ends_with(".bias") && weight.role != "conv1d.bias" && weight.role != "dt_proj.bias")
          return refuse(number, "no bias of projections", quoted(weight.role));
    }
    const BlockSpec &mixer = layer.blocks[0], &second = layer.blocks[1];
    if (mlp && mlp->mlp()->width != second.mlp()->width)
      return refuse(number, "MLPs of one width", Twine(second.mlp()->width));
    mlp = &second;
    if (const AttentionSpec *attention = mixer.attention()) {
      if (attention->differential || attention->cross)
        return refuse(number, "attention of a layer to itself, without differences of heads", "another");
      if (attention->numHeads * attention->headDim != model.hiddenSize)
        return refuse(number, "heads as wide as the model together",
                      Twine(attention->numHeads) + " of " + Twine(attention->headDim));
      continue;
    }
    const MambaSpec *spec = mixer.mamba();
    if (!spec || spec->innerNormEps || spec->memory)
      return refuse(number, "a Mamba mixer without norms inside and memory", "another");
    if (mamba && !(*mamba->mamba() == *spec))
      return refuse(number, "Mamba mixers of one size", "several");
    mamba = &mixer;
    if (none_of(mixer.weights, [](const WeightSpec &weight) { return weight.role == "conv1d.bias"; }))
      return refuse(number, "a bias of the convolution", "none");
  }
  return Error::success();
}
