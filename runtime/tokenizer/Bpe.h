//===- Bpe.h - byte pair encoding ------------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_TOKENIZER_BPE_H
#define RUNTIME_TOKENIZER_BPE_H

#include "runtime/tokenizer/TokenModel.h"

#include <unordered_map>
#include <unordered_set>

namespace samba::runtime {

/// Pieces are built of characters by merging two neighbours, the best merge first, of equal ones the leftmost.
class Bpe : public TokenModel {
public:
  Bpe(const TokenizerSpec &spec, bool byteLevel);
  std::unique_ptr<WordEncoder> encoder(size_t bytes) const override;

  struct Found {
    int32_t rank, result; // rank -1: no such merge
  };
  Found merge(int32_t left, int32_t right) const;
  /// The piece of a character or byte, or -1.
  int32_t symbol(char32_t character) const;
  /// The ids of one character or byte that has no piece, or nothing; `unknown` is to be put in for it, then.
  const std::vector<int32_t> *fallback(char32_t character, std::vector<int32_t> &scratch) const;
  /// The piece that is the whole word, or -1.
  int32_t whole(std::string_view word) const;
  /// False if no merge goes over the border between two characters.
  bool mayJoin(char32_t left, char32_t right) const { return joins.count(uint64_t(left) << 32 | right) != 0; }

  const TokenizerSpec &spec;
  const bool byteLevel;
  bool cuts = false; // words may be cut where characters do not join

private:
  struct Slot {
    uint64_t key = ~uint64_t(0);
    int32_t rank = -1, result = -1;
  };
  size_t slotOf(uint64_t key) const { return (key * 0x9e3779b97f4a7c15ull) >> shift; }

  std::vector<Slot> merges; // open addressing
  int shift = 60;
  std::unordered_map<char32_t, int32_t> symbols; // beyond ASCII
  int32_t near[256];                             // ASCII, or bytes
  int32_t bytePieces[256];                       // <0x00> to <0xFF>
  std::unordered_map<std::string, int32_t> wholes;
  std::unordered_set<uint64_t> joins;
};

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_BPE_H
