//===- Microsoft.h - checkpoints of microsoft/Samba -------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The layout of the original training code (a descendant of lit-gpt; SPEC section 1). Its checkpoints have no
// configuration. Layers, their kinds and almost all sizes show in the tensors; the number of heads, the window and the
// rotary embedding do not. They come from one of the training code's named configurations, or from a file of its keys.
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_FAMILIES_MICROSOFT_H
#define FRONTEND_FAMILIES_MICROSOFT_H

#include "frontend/Checkpoint.h"
#include "frontend/ModelDescription.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"
#include <optional>
#include <string>
#include <vector>

namespace samba {

/// What the tensors do not tell.
struct MicrosoftConfig {
  std::string origin; // "--config=Samba_421M" or the path of a file, for messages
  int64_t numHeads = 0;
  std::optional<int64_t> numGroups; // checked if it is known
  std::optional<int64_t> window;    // none: full attention
  int64_t fullPerLayer = 0;         // layer i has full attention if i % fullPerLayer is fullPerLayer - 1; 0: no layer
  bool rotary = true;
  std::optional<int64_t> width; // checked if it is known
  int64_t contextLength = 4096;
  double normEps = 1e-5;
  std::optional<int64_t> bosToken = 1;
  std::vector<int64_t> endTokens = {2};
  std::vector<std::string> warnings;

  /// One of the named configurations; none if there is none of that name.
  static std::optional<MicrosoftConfig> named(llvm::StringRef name);
  /// "Samba_421M, Samba_421M_nope, ...".
  static std::string names();
  /// Keys of the training code: n_head (required), n_query_groups, local_window (-1: full), nope, full_per_layer,
  /// norm_eps and others. Errors are of the form "FILE: key 'NAME': expected ..., found ...".
  static llvm::Expected<MicrosoftConfig> parse(const llvm::json::Object &object, llvm::StringRef path);
};

/// Do the tensors have the names of this layout?
bool isMicrosoftCheckpoint(const Checkpoint &checkpoint);

/// `config` may be null for models without attention.
llvm::Expected<ModelDescription> describeMicrosoft(const Checkpoint &checkpoint, const MicrosoftConfig *config);

/// The configuration that `config` names: one of the named ones, or a JSON or YAML file. If it is empty, that of
/// lit_config.json or model_config.yaml in the checkpoint's directory, or the one whose name the checkpoint itself has.
/// None if there is nothing of that.
llvm::Expected<std::optional<MicrosoftConfig>> findMicrosoftConfig(const Checkpoint &checkpoint,
                                                                   llvm::StringRef config);

} // namespace samba

#endif // FRONTEND_FAMILIES_MICROSOFT_H
