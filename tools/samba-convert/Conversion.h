//===- Conversion.h - a checkpoint in another layout ------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Layouts differ in names and in the order of rows, never in values: a tensor of the target is made of pieces of the
// source's bytes.
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_CONVERT_CONVERSION_H
#define TOOLS_SAMBA_CONVERT_CONVERSION_H

#include "frontend/Checkpoint.h"
#include "frontend/ModelDescription.h"
#include "llvm/Support/JSON.h"

namespace samba::convert {

struct OutputTensor {
  std::string name;
  llvm::StringRef dtypeName; // as safetensors spells it
  llvm::SmallVector<int64_t, 4> shape;
  std::vector<llvm::ArrayRef<uint8_t>> pieces; // of the checkpoint, one after another

  uint64_t size() const;
};

struct Conversion {
  std::vector<OutputTensor> tensors;
  std::string configName; // of the file: "config.json"
  llvm::json::Object config;
};

/// The weights of a model whose tensors have been checked, whole or by rows.
class Weights {
public:
  explicit Weights(const Checkpoint &checkpoint) : checkpoint(checkpoint) {}

  /// A tensor of that name with all of the weight, in the shape that it has in the checkpoint.
  llvm::Expected<OutputTensor> whole(std::string name, const WeightSpec &weight) const;
  /// Appends rows of the weight to a tensor, which must have the same element type.
  llvm::Error append(OutputTensor &tensor, const WeightSpec &weight, int64_t firstRow, int64_t rows) const;

private:
  const Checkpoint &checkpoint;
};

/// What both layouts can express: in each layer a Mamba or attention mixer, then an MLP; one eps; no biases but those
/// of Mamba's convolution and dt_proj. An error names the layer.
llvm::Error checkConvertible(const ModelDescription &model);

/// To the layout of flash-linear-attention (model_type "samba").
llvm::Expected<Conversion> toFla(const ModelDescription &model, const Checkpoint &checkpoint);
/// To the layout of microsoft/Samba, with a lit_config.json.
llvm::Expected<Conversion> toMicrosoft(const ModelDescription &model, const Checkpoint &checkpoint);

} // namespace samba::convert

#endif // TOOLS_SAMBA_CONVERT_CONVERSION_H
