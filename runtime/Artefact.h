//===- Artefact.h - a compiled model, checked and loaded -------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_ARTEFACT_H
#define RUNTIME_ARTEFACT_H

#include "runtime/Code.h"
#include "runtime/File.h"
#include "runtime/Manifest.h"

#include <memory>
#include <string>

namespace samba::runtime {

/// True if the file ends like an artefact.
bool endsLikeArtefact(const std::string &path);

/// An open artefact. Immutable.
class Artefact {
public:
  /// Weights up to this size are always checked.
  static constexpr uint64_t verifiedWeightsBytes = uint64_t(256) << 20;

  /// Checks everything before any code is loaded: version, size, bounds and overlaps of the sections, checksums
  /// (those of larger weights only with `verifyWeights`), manifest, CPU.
  Artefact(const std::string &path, bool verifyWeights);

  const Manifest &manifest() const { return description; }
  /// Of the manifest's identity and the weights: two models with the same one can exchange states.
  uint64_t fingerprint() const { return identity; }
  samba_entry entry() const { return code->entry(); }
  /// 64-byte aligned.
  const void *weights() const { return weightsMapping.data(); }
  /// The SentencePiece model; empty if there is none.
  std::string tokenizer() const { return {tokenizerMapping.data(), tokenizerMapping.size()}; }

private:
  Manifest description;
  uint64_t identity = 0;
  Mapping weightsMapping, tokenizerMapping;
  std::unique_ptr<Code> code;
};

} // namespace samba::runtime

#endif // RUNTIME_ARTEFACT_H
