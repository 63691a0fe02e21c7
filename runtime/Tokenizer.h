//===- Tokenizer.h - text to token ids and back ----------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_TOKENIZER_H
#define RUNTIME_TOKENIZER_H

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace samba::runtime {

/// Streams text. The pieces together are Tokenizer::decode of all ids; each is valid UTF-8.
class Detokenizer {
public:
  virtual ~Detokenizer() = default;
  /// The text that is ready after this id. Throws SAMBA_ERROR_ARGUMENT for an id outside the vocabulary.
  virtual std::string push(int32_t id) = 0;
  /// The text held back; starts afresh.
  virtual std::string finish() = 0;
};

struct TokenizerSettings {
  int32_t vocabSize;                                  // of the model
  std::optional<int32_t> bos, eos;                    // a SentencePiece model's, added by Special::Add
  std::vector<std::pair<std::string, int32_t>> added; // to a SentencePiece model, found by Special::Parse
};

/// Immutable.
class Tokenizer {
public:
  enum class Kind { SentencePiece, Pipeline };
  enum class Special {
    None,
    Add,  // begin and end tokens
    Parse // names of special tokens in the text are those tokens; a chat template has written them
  };

  /// From the bytes of the artefact's section. Throws SAMBA_ERROR_FORMAT; `path` is for messages.
  static std::unique_ptr<Tokenizer> create(Kind kind, const std::string &path, const std::string &bytes,
                                           const TokenizerSettings &settings);
  virtual ~Tokenizer() = default;

  /// Throws SAMBA_ERROR_TOKENIZER.
  virtual std::vector<int32_t> encode(std::string_view text, Special special) const = 0;
  /// Ids beyond the tokenizer's own, up to the model's vocabulary, give no text.
  virtual std::string decode(const std::vector<int32_t> &ids) const = 0;
  virtual std::unique_ptr<Detokenizer> detokenizer() const = 0;

  /// Throws SAMBA_ERROR_ARGUMENT.
  void checkId(int32_t id) const;

protected:
  explicit Tokenizer(int32_t vocabSize) : vocabSize(vocabSize) {}

private:
  int32_t vocabSize;
};

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_H
