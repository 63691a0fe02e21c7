//===- TokenModel.cpp - words to ids -------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/TokenModel.h"
#include "runtime/tokenizer/Bpe.h"
#include "runtime/tokenizer/Unicode.h"
#include "runtime/tokenizer/Unigram.h"

using namespace samba::runtime;

std::unique_ptr<TokenModel> TokenModel::create(const TokenizerSpec &spec, bool byteLevel) {
  if (spec.model == TokenizerSpec::Unigram)
    return std::make_unique<Unigram>(spec, byteLevel);
  return std::make_unique<Bpe>(spec, byteLevel);
}

namespace {

/// GPT-2's alphabet: printable characters of Latin-1 stand for themselves, the other bytes for those from U+0100 on.
struct Alphabet {
  char32_t characters[256];
  int16_t bytes[0x180]; // by character
  Alphabet() {
    for (int16_t &byte : bytes)
      byte = -1;
    char32_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
      bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
      characters[byte] = printable ? static_cast<char32_t>(byte) : next++;
      bytes[characters[byte]] = static_cast<int16_t>(byte);
    }
  }
};

const Alphabet alphabet;

} // namespace

int samba::runtime::byteOfCharacter(char32_t character) { return character < 0x180 ? alphabet.bytes[character] : -1; }

char32_t samba::runtime::characterOfByte(uint8_t byte) { return alphabet.characters[byte]; }

std::string samba::runtime::bytesOfPiece(std::string_view piece) {
  std::string bytes;
  for (std::string_view rest = piece; !rest.empty();) {
    int byte = byteOfCharacter(takeCharacter(rest));
    if (byte < 0)
      return std::string(piece);
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

int samba::runtime::valueOfBytePiece(std::string_view piece) {
  if (piece.size() != 6 || piece.substr(0, 3) != "<0x" || piece[5] != '>')
    return -1;
  int value = 0;
  for (char digit : piece.substr(3, 2)) {
    int number = digit >= '0' && digit <= '9'   ? digit - '0'
                 : digit >= 'A' && digit <= 'F' ? digit - 'A' + 10
                 : digit >= 'a' && digit <= 'f' ? digit - 'a' + 10
                                                : -1;
    if (number < 0)
      return -1;
    value = value * 16 + number;
  }
  return value;
}
