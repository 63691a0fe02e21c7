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
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace samba {

/// Largest tokenizer file that is read, in bytes.
constexpr uint64_t kMaxTokenizerBytes = 64 << 20;

struct TokenizerConfig {
  std::string model;     // bytes of tokenizer.model, a SentencePiece model; empty if it is not used
  int64_t numPieces = 0; // in it
  std::string json;      // text of tokenizer.json; empty if it is not used
  std::string jsonPath, configPath;

  // Of tokenizer_config.json:
  std::optional<bool> addBosToken, addEosToken;
  std::vector<std::pair<std::string, std::string>> specialTokens; // "bos_token" and what it is called, and others
  std::string addedTokensJson;                                    // "added_tokens_decoder", an object; or empty
  std::vector<std::pair<std::string, int64_t>> addedTokens;       // the same
  std::string chatTemplate;                                       // also from chat_template.jinja, which comes first

  std::vector<int64_t> endTokens; // "eos_token_id" of generation_config.json

  /// What a special token is called; null if it has none.
  const std::string *specialToken(llvm::StringRef key) const;

  /// Reads the files of a model directory, each of which may be missing. `file` is the one to take as the tokenizer,
  /// tokenizer.json or tokenizer.model; if it is empty, the first of them that is there. Fails if a file is malformed
  /// or has ids beyond `vocabSize`, which would have no embedding. What tokenizer.json says is not looked at.
  static llvm::Expected<TokenizerConfig> load(llvm::StringRef directory, int64_t vocabSize, llvm::StringRef file = "");
};

} // namespace samba

#endif // FRONTEND_TOKENIZERCONFIG_H
