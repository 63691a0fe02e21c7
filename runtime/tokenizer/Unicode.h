//===- Unicode.h - UTF-8 and classes of characters -------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_TOKENIZER_UNICODE_H
#define RUNTIME_TOKENIZER_UNICODE_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace samba::runtime {

/// What bytes at the front of a text are.
struct Utf8Front {
  size_t bytes;  // of one character, or of the longest beginning of one (at least 1); at most the size of the text
  bool valid;    // a character
  bool complete; // false: more bytes may complete the character
};

/// Well-formed UTF-8 as in table 3-7 of the Unicode standard. `text` is not empty.
Utf8Front utf8Front(std::string_view text);

/// U+FFFD in UTF-8, for what is no character.
constexpr std::string_view replacementCharacter = "\xef\xbf\xbd";

bool isUtf8(std::string_view text);
/// Each longest beginning of a character that is not completed becomes one U+FFFD.
std::string toUtf8(std::string_view bytes);

/// Takes a character from valid UTF-8, which is not empty.
char32_t takeCharacter(std::string_view &text);
/// The character that begins `at`, which moves behind it.
inline char32_t characterAt(std::string_view text, size_t &at) {
  std::string_view rest = text.substr(at);
  char32_t character = takeCharacter(rest);
  at = text.size() - rest.size();
  return character;
}
void appendUtf8(std::string &text, char32_t character);
std::u32string toUtf32(std::string_view text);
std::string toUtf8(std::u32string_view text);
/// Number of characters in valid UTF-8.
size_t countCharacters(std::string_view text);

/// Property White_Space.
bool isSpace(char32_t character);
/// General category N.
bool isNumeric(char32_t character);
/// General category L.
bool isLetter(char32_t character);
/// ASCII punctuation and symbols, and general category P.
bool isPunctuation(char32_t character);
/// What \w matches: letters, marks, decimal digits, connectors, joiners.
bool isWord(char32_t character);
/// General category M.
bool isMark(char32_t character);

std::string lowercase(std::string_view text);
std::string uppercase(std::string_view text);

/// A normalisation form: `compose` for C, `compatible` for K. Linear in time, whatever the text.
std::string normalizeUtf8(std::string_view text, bool compose, bool compatible);

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_UNICODE_H
