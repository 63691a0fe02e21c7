//===- SentencePieceDetokenizer.cpp - a SentencePiece model's ids to text -===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/SentencePieceDetokenizer.h"
#include "runtime/tokenizer/Unicode.h"

using namespace samba::runtime;

SentencePieceDetokenizer::SentencePieceDetokenizer(const SentencePiece &tokenizer) : tokenizer(tokenizer) {
  static const std::vector<std::string> texts = {"a", "e", "the", "."};
  for (const std::string &text : texts) {
    std::vector<int32_t> ids = tokenizer.encode(text, Tokenizer::Special::None);
    for (int32_t id : ids) {
      if (tokenizer.byteOf(id) || tokenizer.decode({id}).empty())
        continue;
      anchor = {id};
      anchorText = tokenizer.decode(anchor);
      return;
    }
  }
}

std::string SentencePieceDetokenizer::push(int32_t id) {
  tokenizer.checkId(id);
  if (!tokenizer.byteOf(id)) {
    std::string text = takeBytes(/*all=*/true);
    return tokenizer.isSilent(id) ? text : text + decode({id});
  }
  bytes.push_back(id);
  return takeBytes(/*all=*/false);
}

std::string SentencePieceDetokenizer::finish() {
  std::string text = takeBytes(/*all=*/true);
  head.clear();
  started = false;
  return text;
}

std::string SentencePieceDetokenizer::takeBytes(bool all) {
  std::string text;
  while (!bytes.empty()) {
    std::string run;
    for (size_t i = 0; i < bytes.size() && i < 4; ++i)
      run += static_cast<char>(*tokenizer.byteOf(bytes[i]));
    Utf8Front front = utf8Front(run);
    if (!front.complete && !all)
      break;
    size_t count = front.valid ? front.bytes : 1; // SentencePiece replaces single bytes
    text += decode({bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(count)});
    bytes.erase(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(count));
  }
  return text;
}

std::string SentencePieceDetokenizer::decode(const std::vector<int32_t> &ids) {
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
