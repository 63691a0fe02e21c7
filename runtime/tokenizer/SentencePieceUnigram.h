//===- SentencePieceUnigram.h - the most probable pieces, as SentencePiece sums -*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_TOKENIZER_SENTENCEPIECEUNIGRAM_H
#define RUNTIME_TOKENIZER_SENTENCEPIECEUNIGRAM_H

#include "runtime/tokenizer/PieceTrie.h"
#include "runtime/tokenizer/SentencePieceProto.h"

#include <vector>

namespace samba::runtime {

/// Cuts a whole text, not words: sums of scores are rounded to f32 after each piece, so where a near tie is broken
/// depends on all that stands before it. Immutable.
class SentencePieceUnigram {
public:
  explicit SentencePieceUnigram(const SentencePieceProto &proto);

  struct Piece {
    size_t begin, end;
    int32_t id; // -1: one character that has no piece
  };
  /// The pieces of valid UTF-8.
  std::vector<Piece> cut(std::string_view text) const;

private:
  PieceTrie trie;
  std::vector<float> scores;
  std::vector<bool> userDefined;
  float greatest, unknownScore;
};

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_SENTENCEPIECEUNIGRAM_H
