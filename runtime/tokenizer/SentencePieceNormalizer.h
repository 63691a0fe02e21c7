//===- SentencePieceNormalizer.h - text as SentencePiece cuts it -*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_TOKENIZER_SENTENCEPIECENORMALIZER_H
#define RUNTIME_TOKENIZER_SENTENCEPIECENORMALIZER_H

#include "runtime/tokenizer/PieceTrie.h"
#include "runtime/tokenizer/SentencePieceProto.h"

#include <string>

namespace samba::runtime {

/// The compiled rules of a normalizer: a double array whose values are places of texts that end with a zero.
class SentencePieceRules {
public:
  /// Nothing if the rules lead out of their memory. No bytes are no rules.
  static std::optional<SentencePieceRules> read(std::string_view bytes);

  struct Found {
    size_t bytes = 0; // 0: no rule
    std::string_view text;
  };
  /// The longest rule for the beginning of a text.
  Found longest(std::string_view text) const;
  /// False if no rule is for a text that begins with this byte.
  bool mayBegin(uint8_t byte) const { return !units.empty() && leadsTo(units[offset(units[0]) ^ byte], byte); }
  /// All the texts, valid UTF-8 if they are.
  std::string_view allTexts() const { return texts; }

private:
  static size_t offset(uint32_t unit) { return size_t(unit >> 10) << ((unit & 0x200) >> 6); }
  static bool isValue(uint32_t unit) { return unit >> 31 != 0; }
  static bool hasValue(uint32_t unit) { return (unit & 0x100) != 0; }
  static uint32_t value(uint32_t unit) { return unit & 0x7fffffff; }
  static bool leadsTo(uint32_t unit, uint8_t byte) { return (unit & 0x800000ffu) == byte; }

  std::vector<uint32_t> units;
  std::string texts;
};

/// Replaces what rules say, and spaces; leaves user-defined symbols as they are. Immutable.
class SentencePieceNormalizer {
public:
  SentencePieceNormalizer(const SentencePieceProto &proto, SentencePieceRules rules, const PieceTrie &symbols);
  /// Any bytes to UTF-8: each byte that is no character becomes U+FFFD.
  std::string apply(std::string_view text) const;

private:
  struct Front {
    std::string_view text;
    size_t bytes;
  };
  Front front(std::string_view text) const;

  bool addSpace, removeSpaces, spaceAsSuffix;
  std::string_view space;
  SentencePieceRules rules;
  const PieceTrie &symbols;
  bool ordinary[256]; // bytes that are one character, and stay
};

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_SENTENCEPIECENORMALIZER_H
