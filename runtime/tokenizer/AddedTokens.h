//===- AddedTokens.h - tokens that are found in a text as they are *- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_TOKENIZER_ADDEDTOKENS_H
#define RUNTIME_TOKENIZER_ADDEDTOKENS_H

#include "runtime/tokenizer/TokenizerSpec.h"

#include <unordered_map>

namespace samba::runtime {

/// Finds added tokens in a text: at each place the longest one. Immutable.
class AddedTokens {
public:
  struct Part {
    size_t begin, end; // of the text
    int32_t id;        // of the token there, or -1: text
  };

  /// Texts of the tokens may be another form of what the tokens say; empty ones are never found.
  void add(const AddedToken &token, std::string text);
  bool empty() const { return tokens.empty(); }
  std::vector<Part> split(std::string_view text) const;

private:
  struct Token {
    AddedToken spec;
    std::string text;
  };
  const Token *longestAt(std::string_view text) const;

  std::vector<Token> tokens;
  // A trie: the child of a node by a byte is at (node * 256 + byte). Node 0 is the root.
  std::unordered_map<uint64_t, uint32_t> children;
  std::vector<int32_t> tokenOf = {-1}; // by node
  bool begins[256] = {};
};

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_ADDEDTOKENS_H
