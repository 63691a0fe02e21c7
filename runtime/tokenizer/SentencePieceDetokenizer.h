//===- SentencePieceDetokenizer.h - a SentencePiece model's ids to text *- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_TOKENIZER_SENTENCEPIECEDETOKENIZER_H
#define RUNTIME_TOKENIZER_SENTENCEPIECEDETOKENIZER_H

#include "runtime/tokenizer/SentencePiece.h"

namespace samba::runtime {

/// A piece's text depends on what is around it in two ways only: the first piece of a text loses its leading space, and
/// byte pieces in a row make up characters. So a piece is decoded by itself, after an ordinary piece (the anchor) whose
/// text is then taken away, and bytes wait until they are a character or cannot become one.
class SentencePieceDetokenizer : public Detokenizer {
public:
  explicit SentencePieceDetokenizer(const SentencePiece &tokenizer);

  std::string push(int32_t id) override;
  std::string finish() override;

private:
  std::string decode(const std::vector<int32_t> &ids);
  std::string takeBytes(bool all);

  const SentencePiece &tokenizer;
  std::vector<int32_t> anchor; // one ordinary id, or none in a vocabulary of bytes
  std::string anchorText;
  std::vector<int32_t> head;  // all ids up to the first text; empty from then on
  bool started = false;       // some text is out
  std::vector<int32_t> bytes; // byte pieces that are not decoded yet
};

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_SENTENCEPIECEDETOKENIZER_H
