//===- SentencePieceProto.h - the contents of a SentencePiece model -*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_TOKENIZER_SENTENCEPIECEPROTO_H
#define RUNTIME_TOKENIZER_SENTENCEPIECEPROTO_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace samba::runtime {

/// What a tokenizer.model says, as far as it decides how text is encoded. The numbers are those of the format.
struct SentencePieceProto {
  enum class Type : uint8_t { Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6 };
  enum class Model : uint8_t { Unigram = 1, Bpe = 2, Word = 3, Char = 4 };
  struct Piece {
    std::string_view text;
    float score = 0;
    Type type = Type::Normal;
  };

  Model model = Model::Unigram;
  bool byteFallback = false;
  bool spaceAsSuffix = false;          // the space of a word stands behind it
  bool addSpace = true;                // to the first word
  bool removeSpaces = true;            // at both ends of the text, and all but one elsewhere
  bool escapeSpaces = true;            // as U+2581
  std::vector<Piece> pieces;           // by id
  std::string_view rules, decodeRules; // of normalization: before a text is cut, after it was put together

  /// A piece that the library cannot load: it ends the process on one for its trie that begins with a zero byte.
  std::optional<size_t> fatalPiece() const;

  /// Nothing if the bytes are not of this form. The texts point into the bytes.
  static std::optional<SentencePieceProto> read(std::string_view bytes);
};

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_SENTENCEPIECEPROTO_H
