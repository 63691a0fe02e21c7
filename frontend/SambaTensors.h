//===- SambaTensors.h - which tensors a samba checkpoint holds --*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_SAMBATENSORS_H
#define FRONTEND_SAMBATENSORS_H

#include "frontend/SambaConfig.h"
#include "llvm/ADT/SmallVector.h"
#include <string>
#include <vector>

namespace samba {

struct TensorSpec {
  std::string name;
  llvm::SmallVector<int64_t, 3> shape;
};

/// The tensors of one layer's mixer with its norm, named relative to the layer ("mixer.in_proj.weight"), in the order
/// of computation. `attention` is null for a Mamba mixer.
std::vector<TensorSpec> mixerTensors(const SambaConfig &config, const AttentionSpec *attention);
/// The same of a layer's MLP with its norm.
std::vector<TensorSpec> mlpTensors(const SambaConfig &config);
/// "backbone.layers.3."
std::string layerPrefix(int64_t layer);

constexpr llvm::StringLiteral kEmbeddings = "backbone.embeddings.weight";
constexpr llvm::StringLiteral kFinalNorm = "backbone.norm_f.weight";
constexpr llvm::StringLiteral kHead = "lm_head.weight"; // absent from tied models

/// All tensors of a checkpoint, with full names, in the order of computation.
std::vector<TensorSpec> modelTensors(const SambaConfig &config);
/// Elements of all tensors together.
int64_t numParameters(const SambaConfig &config);

} // namespace samba

#endif // FRONTEND_SAMBATENSORS_H
