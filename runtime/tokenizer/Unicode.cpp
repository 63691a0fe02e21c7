//===- Unicode.cpp - UTF-8 and classes of characters ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/Unicode.h"
#include "runtime/Error.h"

#include <algorithm>
#include <utf8proc.h>

using namespace samba::runtime;

Utf8Front samba::runtime::utf8Front(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  uint8_t lead = byte(0);
  if (lead < 0x80)
    return {1, true, true};
  size_t length = lead >= 0xc2 && lead < 0xe0   ? 2
                  : lead >= 0xe0 && lead < 0xf0 ? 3
                  : lead >= 0xf0 && lead < 0xf5 ? 4
                                                : 1;
  if (length == 1)
    return {1, false, true};
  for (size_t i = 1; i < length; ++i) {
    if (i == text.size())
      return {i, false, false};
    uint8_t low = 0x80, high = 0xbf;
    if (i == 1) {
      low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
      high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    }
    if (byte(i) < low || byte(i) > high)
      return {i, false, true};
  }
  return {length, true, true};
}

bool samba::runtime::isUtf8(std::string_view text) {
  while (!text.empty()) {
    Utf8Front front = utf8Front(text);
    if (!front.valid)
      return false;
    text.remove_prefix(front.bytes);
  }
  return true;
}

std::string samba::runtime::toUtf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    Utf8Front front = utf8Front(bytes);
    text += front.valid ? bytes.substr(0, front.bytes) : replacementCharacter;
    bytes.remove_prefix(front.bytes);
  }
  return text;
}

char32_t samba::runtime::takeCharacter(std::string_view &text) {
  auto byte = [&](size_t i) { return i < text.size() ? static_cast<uint8_t>(text[i]) : 0u; };
  char32_t lead = byte(0);
  size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  char32_t character = length == 1 ? lead : lead & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i)
    character = character << 6 | (byte(i) & 0x3f);
  text.remove_prefix(std::min(length, text.size()));
  return character;
}

void samba::runtime::appendUtf8(std::string &text, char32_t character) {
  auto add = [&](char32_t byte) { text += static_cast<char>(byte); };
  if (character < 0x80)
    return add(character);
  if (character < 0x800) {
    add(0xc0 | character >> 6);
  } else if (character < 0x10000) {
    add(0xe0 | character >> 12);
    add(0x80 | (character >> 6 & 0x3f));
  } else {
    add(0xf0 | character >> 18);
    add(0x80 | (character >> 12 & 0x3f));
    add(0x80 | (character >> 6 & 0x3f));
  }
  add(0x80 | (character & 0x3f));
}

std::u32string samba::runtime::toUtf32(std::string_view text) {
  std::u32string characters;
  characters.reserve(text.size());
  while (!text.empty())
    characters += takeCharacter(text);
  return characters;
}

std::string samba::runtime::toUtf8(std::u32string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (char32_t character : text)
    appendUtf8(bytes, character);
  return bytes;
}

size_t samba::runtime::countCharacters(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char byte) { return (static_cast<uint8_t>(byte) & 0xc0) != 0x80; }));
}

static utf8proc_category_t category(char32_t character) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(character));
}

bool samba::runtime::isSpace(char32_t character) {
  if (character < 0x80)
    return character == ' ' || (character >= '\t' && character <= '\r');
  utf8proc_category_t kind = category(character);
  return character == 0x85 || kind == UTF8PROC_CATEGORY_ZS || kind == UTF8PROC_CATEGORY_ZL ||
         kind == UTF8PROC_CATEGORY_ZP;
}

bool samba::runtime::isNumeric(char32_t character) {
  if (character < 0x80)
    return character >= '0' && character <= '9';
  utf8proc_category_t kind = category(character);
  return kind == UTF8PROC_CATEGORY_ND || kind == UTF8PROC_CATEGORY_NL || kind == UTF8PROC_CATEGORY_NO;
}

bool samba::runtime::isLetter(char32_t character) {
  utf8proc_category_t kind = category(character);
  return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_LO;
}

bool samba::runtime::isPunctuation(char32_t character) {
  if (character < 0x80)
    return character > ' ' && character < 0x7f && !isLetter(character) && !isNumeric(character);
  utf8proc_category_t kind = category(character);
  return kind >= UTF8PROC_CATEGORY_PC && kind <= UTF8PROC_CATEGORY_PO;
}

bool samba::runtime::isMark(char32_t character) {
  utf8proc_category_t kind = category(character);
  return kind >= UTF8PROC_CATEGORY_MN && kind <= UTF8PROC_CATEGORY_ME;
}

bool samba::runtime::isWord(char32_t character) {
  utf8proc_category_t kind = category(character);
  return isLetter(character) || isMark(character) || kind == UTF8PROC_CATEGORY_ND || kind == UTF8PROC_CATEGORY_NL ||
         kind == UTF8PROC_CATEGORY_PC || character == 0x200c || character == 0x200d ||
         (character >= 0x24b6 && character <= 0x24e9);
}

std::string samba::runtime::lowercase(std::string_view text) {
  std::string lower;
  lower.reserve(text.size());
  while (!text.empty()) {
    char32_t character = takeCharacter(text);
    if (character == 0x130) // the only one whose small form is two characters
      lower += "i\xcc\x87";
    else
      appendUtf8(lower, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(character))));
  }
  return lower;
}

std::string samba::runtime::uppercase(std::string_view text) {
  std::string upper;
  upper.reserve(text.size());
  while (!text.empty()) {
    char32_t character = takeCharacter(text);
    if (character == 0xdf)
      upper += "SS";
    else
      appendUtf8(upper, static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(character))));
  }
  return upper;
}

static unsigned combiningClass(utf8proc_int32_t character) {
  return static_cast<unsigned>(utf8proc_get_property(character)->combining_class);
}

std::string samba::runtime::normalizeUtf8(std::string_view text, bool compose, bool compatible) {
  if (std::all_of(text.begin(), text.end(), [](char byte) { return static_cast<uint8_t>(byte) < 0x80; }))
    return std::string(text);
  int options =
      UTF8PROC_STABLE | (compose ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE) | (compatible ? UTF8PROC_COMPAT : 0);
  int decompose = (options & ~UTF8PROC_COMPOSE) | UTF8PROC_DECOMPOSE;
  std::vector<utf8proc_int32_t> characters;
  characters.reserve(text.size());
  while (!text.empty()) {
    utf8proc_int32_t parts[32];
    int last = UTF8PROC_BOUNDCLASS_START;
    utf8proc_ssize_t count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(takeCharacter(text)), parts, 32,
                                                     static_cast<utf8proc_option_t>(decompose), &last);
    if (count < 0 || count > 32)
      throw Error(SAMBA_ERROR_TOKENIZER, "cannot normalize the text: " + std::string(utf8proc_errmsg(count)));
    characters.insert(characters.end(), parts, parts + count);
  }
  // utf8proc_decompose sorts runs of marks by exchanging neighbours, which long runs make quadratic.
  std::vector<std::pair<uint64_t, utf8proc_int32_t>> marks; // by class, those of one class as they were
  for (size_t begin = 0; begin < characters.size(); ++begin) {
    marks.clear();
    for (size_t i = begin; i < characters.size() && combiningClass(characters[i]) > 0; ++i)
      marks.emplace_back(uint64_t(combiningClass(characters[i])) << 48 | i, characters[i]);
    std::sort(marks.begin(), marks.end());
    for (const auto &mark : marks)
      characters[begin++] = mark.second;
  }
  utf8proc_ssize_t size = utf8proc_normalize_utf32(characters.data(), static_cast<utf8proc_ssize_t>(characters.size()),
                                                   static_cast<utf8proc_option_t>(options));
  std::string normal;
  for (utf8proc_ssize_t i = 0; i < size; ++i)
    appendUtf8(normal, static_cast<char32_t>(characters[static_cast<size_t>(i)]));
  return normal;
}
