//===- StreamInput.cpp - tokens from an input without end ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/StreamInput.h"

#include <algorithm>
#include <stdexcept>

using namespace samba::run;

static constexpr size_t longest = 1 << 16;
static constexpr const char *separators = " \t\r\n,[]";

static bool isSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/// The place of the byte to cut before, or npos.
size_t TextCutter::findCut() {
  if (lines) {
    size_t newline = held.find('\n', searched);
    searched = held.size();
    return newline == std::string::npos ? newline : newline + 1;
  }
  for (size_t i = std::max<size_t>(searched, 1); i + 1 < held.size(); ++i)
    if (held[i] == ' ' && !isSpace(held[i - 1]) && !isSpace(held[i + 1]))
      return i;
  searched = held.empty() ? 0 : held.size() - 1;
  return std::string::npos;
}

std::string TextCutter::take(size_t count, size_t leaveOut) {
  std::string part = held.substr(0, count);
  held.erase(0, count + leaveOut);
  searched = 0;
  return part;
}

std::optional<std::string> TextCutter::next(bool end) {
  size_t cut = findCut();
  if (cut != std::string::npos && cut <= longest)
    return take(cut, lines ? 0 : 1);
  if (held.size() > longest) {
    size_t at = longest;
    while (at > longest - 4 && (static_cast<unsigned char>(held[at]) & 0xc0) == 0x80)
      --at; // not within a character
    return take(at, 0);
  }
  if (end && !held.empty())
    return take(held.size(), 0);
  return std::nullopt;
}

std::optional<std::vector<int32_t>> IntegerCutter::next(bool end, bool line, int32_t vocabSize) {
  size_t until = line ? held.find('\n') : held.find_last_of(separators);
  if (until == std::string::npos && end && !held.empty())
    until = held.size() - 1;
  if (until == std::string::npos) {
    if (held.size() > longest)
      throw std::runtime_error("standard input: expected token ids, found " + std::to_string(longest) +
                               " bytes without an end of " + (line ? "line" : "number"));
    return std::nullopt;
  }
  if (end && !line)
    until = held.size() - 1;
  std::vector<int32_t> ids;
  size_t stop = until + 1;
  for (size_t begin = held.find_first_not_of(separators); begin < stop;
       begin = held.find_first_not_of(separators, begin)) {
    size_t last = std::min(held.find_first_of(separators, begin), stop);
    std::string word = held.substr(begin, last - begin);
    bool digits = word.find_first_not_of("0123456789") == std::string::npos && word.size() <= 10;
    if (!digits || std::stoll(word) >= vocabSize)
      throw std::runtime_error("standard input: expected a token id from 0 to " + std::to_string(vocabSize - 1) +
                               ", found '" + word.substr(0, 40) + "'");
    ids.push_back(static_cast<int32_t>(std::stoll(word)));
    begin = last;
  }
  held.erase(0, stop);
  return ids;
}
