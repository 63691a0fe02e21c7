//===- TokenModel.h - words to ids -----------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_TOKENIZER_TOKENMODEL_H
#define RUNTIME_TOKENIZER_TOKENMODEL_H

#include "runtime/tokenizer/TokenizerSpec.h"

#include <memory>

namespace samba::runtime {

/// Makes ids of the words of one text.
class WordEncoder {
public:
  virtual ~WordEncoder() = default;
  /// Adds the ids of a word, valid UTF-8 (or any bytes in a byte-level model), not empty. Throws SAMBA_ERROR_TOKENIZER.
  virtual void add(std::string_view word, std::vector<int32_t> &ids) = 0;
};

/// The model of a tokenizer.json. Immutable.
class TokenModel {
public:
  virtual ~TokenModel() = default;
  /// For a text of so many bytes.
  virtual std::unique_ptr<WordEncoder> encoder(size_t bytes) const = 0;

  /// `byteLevel`: words are bytes, each of which stands for a character of the pieces. The spec must outlive the model.
  static std::unique_ptr<TokenModel> create(const TokenizerSpec &spec, bool byteLevel);
};

/// The byte that a character stands for in byte-level pieces, or -1.
int byteOfCharacter(char32_t character);
/// And back.
char32_t characterOfByte(uint8_t byte);
/// The bytes that a byte-level piece stands for; the piece itself if it has another character.
std::string bytesOfPiece(std::string_view piece);
/// The value of a byte piece, <0x0A>; -1 for other pieces.
int valueOfBytePiece(std::string_view piece);

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_TOKENMODEL_H
