//===- SentencePiece.h - SentencePiece models ------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_TOKENIZER_SENTENCEPIECE_H
#define RUNTIME_TOKENIZER_SENTENCEPIECE_H

#include "runtime/Tokenizer.h"
#include "runtime/tokenizer/AddedTokens.h"
#include "runtime/tokenizer/SentencePieceEngine.h"

#include <atomic>
#include <mutex>

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace samba::runtime {

/// The library reads a model, checks it, turns ids to text and encodes the first texts. Our engine, which makes the
/// same ids, takes milliseconds to prepare, so it takes over when there is more to encode.
class SentencePiece : public Tokenizer {
public:
  /// The engine encodes from so many bytes of all texts on.
  static constexpr size_t bytesForEngine = 32 << 10;

  SentencePiece(const std::string &path, const std::string &bytes, const TokenizerSettings &settings);
  ~SentencePiece() override;

  std::vector<int32_t> encode(std::string_view text, Special special) const override;
  std::string decode(const std::vector<int32_t> &ids) const override;
  std::unique_ptr<Detokenizer> detokenizer() const override;

  /// True if the id is of a piece that gives no text: <s>, </s>, an id that the tokenizer does not know.
  bool isSilent(int32_t id) const;
  /// The value of a byte piece, <0x0A>; none for other pieces.
  std::optional<uint8_t> byteOf(int32_t id) const;

private:
  void encodePart(std::string_view text, std::vector<int32_t> &ids) const;

  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor;
  std::string bytes; // for the engine
  mutable std::atomic<size_t> bytesOfTexts = 0;
  mutable std::once_flag engineMade;
  mutable std::unique_ptr<SentencePieceEngine> engine; // or nothing
  std::optional<int32_t> bos, eos;
  AddedTokens parsed; // control pieces and added tokens
};

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_SENTENCEPIECE_H
