//===- TokenizerSpec.h - what a tokenizer.json says ------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_TOKENIZER_TOKENIZERSPEC_H
#define RUNTIME_TOKENIZER_TOKENIZERSPEC_H

#include "samba/samba.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace samba::runtime {

/// What to look for: a regular expression, or a text.
struct PatternSpec {
  bool plain = true;
  std::string text;
};

struct NormalizerStep {
  enum Kind : uint8_t { NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, Prepend, Replace, last = Replace };
  Kind kind = NFC;
  PatternSpec pattern;              // Replace
  std::string text;                 // Prepend, Replace
  bool left = false, right = false; // Strip
};

enum class SplitBehavior : uint8_t { Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous };

struct PreTokenizerStep {
  enum Kind : uint8_t {
    ByteLevel,
    Split,
    Digits,
    Metaspace,
    Punctuation,
    Whitespace,
    WhitespaceSplit,
    last = WhitespaceSplit
  };
  enum Prepend : uint8_t { Never, First, Always };
  Kind kind = ByteLevel;
  PatternSpec pattern;                              // Split
  SplitBehavior behavior = SplitBehavior::Isolated; // Split, Punctuation
  bool invert = false;                              // Split: what does not match is what splits
  bool prefixSpace = false, useRegex = true;        // ByteLevel
  bool individual = false;                          // Digits
  std::string replacement;                          // Metaspace: in place of a space
  Prepend prepend = Never;                          // Metaspace
  bool split = true;                                // Metaspace
};

struct DecoderStep {
  enum Kind : uint8_t { ByteLevel, ByteFallback, Fuse, Metaspace, Replace, Strip, last = Strip };
  Kind kind = ByteLevel;
  PatternSpec pattern;          // Replace
  std::string text;             // Replace: by what; Strip, Metaspace: the character
  uint32_t start = 0, stop = 0; // Strip: how many of them at most
  bool prepended = false;       // Metaspace: the first token has one that is not of the text
};

struct AddedToken {
  std::string text;
  int32_t id = 0;
  bool special = false, leftStrip = false, rightStrip = false, normalized = false, singleWord = false;
};

struct Merge {
  int32_t left, right, result;
};

/// The contents of a tokenizer.json, checked, ids resolved. All ids are below the number of pieces, but for those of
/// added tokens.
struct TokenizerSpec {
  enum Model : uint8_t { Bpe, Unigram, lastModel = Unigram };
  static constexpr int32_t text = -1; // in `frame`

  Model model = Bpe;
  std::vector<std::string> pieces; // by id; empty: there is none
  std::vector<Merge> merges;       // Bpe, best first
  std::vector<int32_t> ranks;      // of merges, of which several may be equally good; empty: their order. Not stored
  std::vector<double> scores;      // Unigram, of the pieces
  int32_t unknown = -1;            // the piece for what has none; -1: nothing
  bool byteFallback = false, fuseUnknown = false, ignoreMerges = false;
  std::vector<AddedToken> added;
  std::vector<NormalizerStep> normalizer;
  std::vector<PreTokenizerStep> preTokenizer;
  std::vector<DecoderStep> decoder;
  bool hasDecoder = false;
  std::vector<int32_t> frame = {text}; // what encode() with special tokens makes of a text: ids, and `text` once

  /// Reads what the caller of samba_pack_tokenizer has. Throws SAMBA_ERROR_FORMAT, one line that names file and key.
  static TokenizerSpec fromJson(const samba_tokenizer_source &source);
  /// The stored form, version 1. fromBytes throws SAMBA_ERROR_FORMAT, or SAMBA_ERROR_ABI for another version.
  static TokenizerSpec fromBytes(const std::string &path, std::string_view bytes);
  std::string toBytes() const;
};

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_TOKENIZERSPEC_H
