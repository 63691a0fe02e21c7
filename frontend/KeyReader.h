//===- KeyReader.h - typed values of one JSON object -------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_KEYREADER_H
#define FRONTEND_KEYREADER_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/JSON.h"
#include <optional>
#include <string>
#include <vector>

namespace samba {

// Bounds on sizes: any tensor or state of a model has at most 2^40 elements.
constexpr int64_t kMaxVocab = 1 << 24, kMaxHidden = 1 << 16, kMaxLayers = 1 << 12;
constexpr int64_t kMaxWindow = 1 << 24; // times kMaxHidden: 2^40 elements of a state
constexpr int64_t kMaxPositions = int64_t(1) << 40;

/// Reads typed values out of one object of a configuration, remembers which keys were asked for, and keeps the first
/// error: "FILE: key 'NAME': expected ..., found ...".
class KeyReader {
public:
  /// `prefix` goes before the names of keys in messages: "attn.".
  KeyReader(const llvm::json::Object &object, llvm::StringRef file, llvm::StringRef prefix, std::string &firstError)
      : object(object), file(file), prefix(prefix), firstError(firstError) {}

  void error(llvm::StringRef key, const llvm::Twine &expected, const llvm::Twine &found);
  void error(llvm::StringRef key, const llvm::Twine &expected);
  bool failed() const { return !firstError.empty(); }

  /// The key's value; null if the key is absent.
  const llvm::json::Value *get(llvm::StringRef key);
  bool has(llvm::StringRef key) { return get(key) != nullptr; }
  bool isNull(llvm::StringRef key);

  /// `absent` if the key is missing.
  int64_t integer(llvm::StringRef key, int64_t absent, int64_t low, int64_t high);
  /// The same, but null counts as missing.
  int64_t integerOrNull(llvm::StringRef key, int64_t absent, int64_t low, int64_t high);
  /// The same, but "auto" counts as missing.
  int64_t integerOrAuto(llvm::StringRef key, int64_t absent, int64_t low, int64_t high);
  /// Must be there.
  int64_t requiredInteger(llvm::StringRef key, int64_t low, int64_t high);
  /// Null is no number; the range is `0 < x <= high`.
  double number(llvm::StringRef key, double absent, double high);
  /// A norm's eps: positive as a float too.
  double eps(llvm::StringRef key, double absent);
  /// For keys that do not matter to inference: what is no positive number gives `absent`, never an error.
  double hint(llvm::StringRef key, double absent);
  bool boolean(llvm::StringRef key, bool absent);
  /// A token id below `vocabSize`; null, or a default that is not, gives none.
  std::optional<int64_t> token(llvm::StringRef key, std::optional<int64_t> absent, int64_t vocabSize);
  /// The same, of one token or a list of them.
  std::vector<int64_t> tokens(llvm::StringRef key, std::optional<int64_t> absent, int64_t vocabSize);
  /// Padding is never generated nor read, and libraries store all kinds of placeholders there: never an error.
  std::optional<int64_t> padToken(int64_t vocabSize);

  /// `hidden_act` and the like must be SiLU.
  void expectSilu(llvm::StringRef key);
  /// Keys that do not change what any model computes, and what the Hugging Face library stores in all configurations;
  /// `more` are harmless in this family.
  void acceptHarmless(llvm::ArrayRef<llvm::StringLiteral> more = {});
  /// Keys that would make it another model, unless they are null or false.
  void refuse(llvm::ArrayRef<llvm::StringLiteral> keys);
  /// One line for each key that nobody asked for.
  void warnOfUnknown(std::vector<std::string> &warnings) const;

private:
  const llvm::json::Object &object;
  llvm::StringRef file;
  std::string prefix;
  std::string &firstError;
  llvm::StringSet<> known;
};

/// What no family supports: scaled rotary embeddings, quantised weights, norms of queries and keys.
extern const llvm::ArrayRef<llvm::StringLiteral> kUnsupportedKeys;

} // namespace samba

#endif // FRONTEND_KEYREADER_H
