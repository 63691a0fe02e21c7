//===- Detokenizer.cpp - token ids to text, one at a time ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Detokenizer.h"

#include <optional>

using namespace samba::runtime;

namespace {

/// What the bytes at the front of a run of byte pieces are.
struct Front {
  size_t bytes;  // of one character, or 1 byte that is in none; at most the size of the run
  bool complete; // false: more bytes may complete the character
};

/// Well-formed UTF-8 as in table 3-7 of the Unicode standard.
Front front(const std::vector<uint8_t> &run) {
  uint8_t lead = run[0];
  size_t length = lead < 0x80                   ? 1
                  : lead >= 0xc2 && lead < 0xe0 ? 2
                  : lead >= 0xe0 && lead < 0xf0 ? 3
                  : lead >= 0xf0 && lead < 0xf5 ? 4
                                                : 1;
  for (size_t i = 1; i < length; ++i) {
    if (i == run.size())
      return {i, false};
    uint8_t low = 0x80, high = 0xbf;
    if (i == 1) {
      low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
      high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    }
    if (run[i] < low || run[i] > high)
      return {1, true};
  }
  return {length, true};
}

} // namespace

Detokenizer::Detokenizer(const Tokenizer &tokenizer) : tokenizer(tokenizer) {
  static const std::vector<std::string> texts = {"a", "e", "the", "."};
  for (const std::string &text : texts) {
    std::vector<int32_t> ids = tokenizer.encode(text, /*special=*/false);
    for (int32_t id : ids) {
      if (tokenizer.byteOf(id) || tokenizer.decode({id}).empty())
        continue;
      anchor = {id};
      anchorText = tokenizer.decode(anchor);
      return;
    }
  }
}

std::string Detokenizer::push(int32_t id) {
  tokenizer.checkId(id);
  if (!tokenizer.byteOf(id)) {
    std::string text = takeBytes(/*all=*/true);
    return tokenizer.isSilent(id) ? text : text + decode({id});
  }
  bytes.push_back(id);
  return takeBytes(/*all=*/false);
}

std::string Detokenizer::finish() {
  std::string text = takeBytes(/*all=*/true);
  head.clear();
  started = false;
  return text;
}

std::string Detokenizer::takeBytes(bool all) {
  std::string text;
  while (!bytes.empty()) {
    std::vector<uint8_t> run;
    for (size_t i = 0; i < bytes.size() && i < 4; ++i)
      run.push_back(*tokenizer.byteOf(bytes[i]));
    Front character = front(run);
    if (!character.complete && !all)
      break;
    size_t count = character.complete ? character.bytes : 1;
    text += decode({bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(count)});
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(count));
  }
  return text;
}

std::string Detokenizer::decode(const std::vector<int32_t> &ids) {
  if (!started) {
    head.insert(head.end(), ids.begin(), ids.end());
    std::string text = tokenizer.decode(head);
    if (!text.empty()) {
      started = true;
      head.clear();
    }
    return text;
  }
  std::vector<int32_t> anchored = anchor;
  anchored.insert(anchored.end(), ids.begin(), ids.end());
  return tokenizer.decode(anchored).substr(anchorText.size());
}
