//===- TokenizerConfig.h - the tokenizer of a model directory ---*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_TOKENIZERCONFIG_H
#define FRONTEND_TOKENIZERCONFIG_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <string>

namespace samba {

/// Largest tokenizer.model that is read, in bytes.
constexpr uint64_t kMaxTokenizerBytes = 64 << 20;

struct TokenizerConfig {
  std::string model;     // bytes of tokenizer.model, a SentencePiece model; empty if there is none
  int64_t numPieces = 0; // in it
  bool addBosToken = true;
  bool addEosToken = false;

  /// Reads `tokenizer.model` and `tokenizer_config.json`; either may be missing. Fails if a file is malformed or if
  /// the model has more pieces than `vocabSize`, as then a piece would have no embedding.
  static llvm::Expected<TokenizerConfig> load(llvm::StringRef directory, int64_t vocabSize);
};

} // namespace samba

#endif // FRONTEND_TOKENIZERCONFIG_H
