//===- Families.h - the model families that can be read ---------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One file per family: it reads the configuration and says which tensors of the checkpoint become which weights of
// which blocks. A new family is a file here and a line in Families.cpp.
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_FAMILIES_FAMILIES_H
#define FRONTEND_FAMILIES_FAMILIES_H

#include "frontend/Checkpoint.h"
#include "frontend/ModelDescription.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/JSON.h"

namespace samba {

struct Family {
  llvm::StringLiteral name;
  /// Values of the key `model_type` that name the family.
  llvm::SmallVector<llvm::StringLiteral, 3> modelTypes;
  /// For configurations without that key; may be null.
  bool (*recognises)(const llvm::json::Object &config);
  /// `path` is the configuration's, for messages. `checkpoint` may be null; then the model is described as the newest
  /// version of the format stores it.
  llvm::Expected<ModelDescription> (*read)(const llvm::json::Object &config, llvm::StringRef path,
                                           const Checkpoint *checkpoint);
  /// Which models there are, for the table of families; Markdown on one line.
  llvm::StringLiteral summary = "";
};

/// Sorted by name.
llvm::ArrayRef<const Family *> families();

/// The description that the family of the configuration makes. An error is one line that names file and key.
llvm::Expected<ModelDescription> describeModel(const llvm::json::Object &config, llvm::StringRef path,
                                               const Checkpoint *checkpoint);
/// The same of the file `config` or else the config.json in the checkpoint's directory. A checkpoint in the layout of
/// microsoft/Samba is told by its tensors and has a configuration of its own kind: see findMicrosoftConfig.
llvm::Expected<ModelDescription> describeModel(const Checkpoint &checkpoint, llvm::StringRef config = "");

extern const Family kFalconMambaFamily, kJambaFamily, kLlamaFamily, kMambaFamily, kMicrosoftFamily, kMistralFamily,
    kPhi4FlashFamily, kQwen2Family, kSambaFamily;

} // namespace samba

#endif // FRONTEND_FAMILIES_FAMILIES_H
