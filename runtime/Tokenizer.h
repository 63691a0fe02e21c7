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
#include <vector>

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace samba::runtime {

/// A SentencePiece model. Immutable.
class Tokenizer {
public:
  /// From the bytes of a SentencePiece model. `bos` and `eos` are added by encode() with `special`.
  /// Throws SAMBA_ERROR_FORMAT; `path` is for messages.
  Tokenizer(const std::string &path, const std::string &bytes, int32_t vocabSize, std::optional<int32_t> bos,
            std::optional<int32_t> eos);
  ~Tokenizer();

  /// Throws SAMBA_ERROR_TOKENIZER.
  std::vector<int32_t> encode(std::string_view text, bool special) const;
  /// Ids beyond the tokenizer's own, up to the model's vocabulary, give no text.
  /// Throws SAMBA_ERROR_ARGUMENT for an id outside the vocabulary.
  std::string decode(const std::vector<int32_t> &ids) const;

  /// True if the id is of a piece that gives no text: <s>, </s>, an id that the tokenizer does not know.
  bool isSilent(int32_t id) const;
  /// The value of a byte piece, <0x0A>; none for other pieces.
  std::optional<uint8_t> byteOf(int32_t id) const;
  /// Throws SAMBA_ERROR_ARGUMENT.
  void checkId(int32_t id) const;

private:
  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor;
  int32_t vocabSize;
  std::optional<int32_t> bos, eos;
};

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_H
