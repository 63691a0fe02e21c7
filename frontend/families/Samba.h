//===- Samba.h - the samba family of flash-linear-attention -----*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The format of flash-linear-attention (model_type "samba"), in all its versions; SPEC section 2.1.
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_FAMILIES_SAMBA_H
#define FRONTEND_FAMILIES_SAMBA_H

#include "frontend/Checkpoint.h"
#include "frontend/ModelDescription.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace samba {

/// One attention specification and the layers that follow it.
struct SambaAttention {
  llvm::SmallVector<int64_t> layers; // below numLayers, sorted, at least one
  int64_t numHeads = 0;              // divides hiddenSize
  int64_t numKvHeads = 0;            // divides numHeads
  int64_t headDim = 0;               // hiddenSize / numHeads, even
  bool qkvBias = false;              // of q, k and v; the output projection never has one
  std::optional<int64_t> window;     // tokens, the current one included; none: full attention
  double ropeTheta = 10000;
};

/// What config.json says, with defaults filled in. All sizes are positive and so bounded that any tensor or state of
/// the model has at most 2^40 elements.
struct SambaConfig {
  std::string path; // of the file, for messages
  int64_t vocabSize = 0, hiddenSize = 0, numLayers = 0;
  int64_t innerSize = 0; // width of the Mamba mixer, int(expand * hidden_size)
  int64_t stateSize = 0, convKernel = 0, dtRank = 0;
  int64_t mlpSize = 0; // 256 * ceil(int(hidden_size * hidden_ratio * 2 / 3) / 256)
  double normEps = 0;
  bool useBias = false; // of Mamba's in_proj and out_proj
  bool tieWordEmbeddings = false;
  int64_t maxPositionEmbeddings = 0;
  std::optional<int64_t> bosToken, padToken; // below vocabSize
  std::vector<int64_t> endTokens;            // likewise; the first is the usual one
  std::vector<SambaAttention> attention;     // no two share a layer; all other layers are Mamba

  // Of interest only to who initialises a model.
  double initializerRange = 0, timeStepMin = 0, timeStepMax = 0, timeStepFloor = 0, timeStepScale = 0;

  /// One line each, for the user: keys that were not understood and do not matter as far as is known.
  std::vector<std::string> warnings;

  /// Reads `path`, the config.json itself. Errors are one line: "FILE: key 'NAME': expected ..., found ...".
  static llvm::Expected<SambaConfig> load(llvm::StringRef path);
  static llvm::Expected<SambaConfig> parse(const llvm::json::Object &object, llvm::StringRef path);

  /// Null for a Mamba layer.
  const SambaAttention *attentionOf(int64_t layer) const;
};

/// The oldest checkpoints keep the rows of gate_proj and up_proj in one tensor; whether one does shows in its tensors.
/// `checkpoint` may be null.
ModelDescription describeSamba(const SambaConfig &config, const Checkpoint *checkpoint);

} // namespace samba

#endif // FRONTEND_FAMILIES_SAMBA_H
