//===- AddedTokens.cpp - tokens that are found in a text as they are -----===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/AddedTokens.h"
#include "runtime/tokenizer/Unicode.h"

#include <algorithm>

using namespace samba::runtime;

void AddedTokens::add(const AddedToken &token, std::string text) {
  if (text.empty())
    return;
  uint64_t node = 0;
  for (char byte : text) {
    auto [child, fresh] =
        children.emplace(node * 256 + static_cast<uint8_t>(byte), static_cast<uint32_t>(tokenOf.size()));
    if (fresh)
      tokenOf.push_back(-1);
    node = child->second;
  }
  if (tokenOf[node] >= 0)
    return; // the first of two with the same text
  tokenOf[node] = static_cast<int32_t>(tokens.size());
  begins[static_cast<uint8_t>(text[0])] = true;
  tokens.push_back({token, std::move(text)});
}

const AddedTokens::Token *AddedTokens::longestAt(std::string_view text) const {
  const Token *longest = nullptr;
  uint64_t node = 0;
  for (char byte : text) {
    auto child = children.find(node * 256 + static_cast<uint8_t>(byte));
    if (child == children.end())
      break;
    node = child->second;
    if (tokenOf[node] >= 0)
      longest = &tokens[static_cast<size_t>(tokenOf[node])];
  }
  return longest;
}

static char32_t lastCharacter(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xc0) == 0x80)
    --at;
  return characterAt(text, at);
}

std::vector<AddedTokens::Part> AddedTokens::split(std::string_view text) const {
  std::vector<Part> parts;
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    const Token *token = begins[static_cast<uint8_t>(text[at])] ? longestAt(text.substr(at)) : nullptr;
    if (!token) {
      ++at;
      continue;
    }
    size_t begin = at, end = at + token->text.size();
    at = end;
    if (token->spec.singleWord) {
      size_t next = end;
      if ((begin > 0 && isWord(lastCharacter(text.substr(0, begin)))) ||
          (end < text.size() && isWord(characterAt(text, next))))
        continue;
    }
    if (token->spec.leftStrip) {
      size_t space = begin;
      while (space > done && isSpace(lastCharacter(text.substr(done, space - done)))) {
        --space;
        while ((static_cast<uint8_t>(text[space]) & 0xc0) == 0x80)
          --space;
      }
      begin = space;
    }
    begin = std::max(begin, std::min(done, end));
    if (token->spec.rightStrip)
      for (size_t next = end; next < text.size() && isSpace(characterAt(text, next));)
        end = next;
    if (begin > done)
      parts.push_back({done, begin, -1});
    parts.push_back({begin, end, token->spec.id});
    done = end;
  }
  if (done < text.size())
    parts.push_back({done, text.size(), -1});
  return parts;
}
