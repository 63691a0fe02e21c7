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

namespace sentencepiece {
class SentencePieceProcessor;
}

namespace samba::runtime {

class SentencePiece : public Tokenizer {
public:
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
  std::optional<int32_t> bos, eos;
  AddedTokens parsed; // control pieces and added tokens
};

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_SENTENCEPIECE_H
