//===- Regex.cpp - the patterns of tokenizers ----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/Regex.h"
#include "runtime/Error.h"
#include "runtime/tokenizer/Unicode.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

using namespace samba::runtime;

namespace {

// Far more than the patterns of published tokenizers need for a text of a megabyte.
constexpr uint32_t maxSteps = 50000000;
constexpr size_t maxPatternBytes = 1 << 16;

/// White_Space as the inside of a class: \s of PCRE2 knows U+180E, too, which is a space no more.
constexpr const char *spaces = "\\t-\\r\\x{85}\\p{Z}";

/// The pattern in PCRE2's syntax. What differs from Oniguruma's in the patterns of tokenizers is the meaning of \s.
std::string translate(const std::string &pattern) {
  std::string result;
  bool inClass = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      char next = pattern[++i];
      if (next == 's')
        result += inClass ? spaces : std::string("[") + spaces + "]";
      else if (next == 'S' && !inClass)
        result += std::string("[^") + spaces + "]";
      else if (next == 'h') // a hexadecimal digit
        result += inClass ? "0-9a-fA-F" : "[0-9a-fA-F]";
      else
        result += {c, next};
      continue;
    }
    if (c == '[' && !inClass) {
      inClass = true;
      result += c;
      if (i + 1 < pattern.size() && pattern[i + 1] == '^')
        result += pattern[++i];
      if (i + 1 < pattern.size() && pattern[i + 1] == ']') { // the first one is itself
        result += "\\]";
        ++i;
      }
      continue;
    }
    if (c == ']')
      inClass = false;
    result += c;
  }
  return result;
}

} // namespace

struct Regex::Code {
  pcre2_code *code = nullptr;
  pcre2_match_context *context = nullptr;
  ~Code() {
    pcre2_match_context_free(context);
    pcre2_code_free(code);
  }
};

struct Regex::Search::State {
  pcre2_match_data *match = nullptr;
  ~State() { pcre2_match_data_free(match); }
};

Regex::Regex(const std::string &where, const std::string &pattern, bool plain) : where(where) {
  if (plain) {
    literal = pattern;
    if (literal.empty())
      throw Error(SAMBA_ERROR_FORMAT, where + ": expected a pattern, found an empty text");
    return;
  }
  if (pattern.empty() || pattern.size() > maxPatternBytes)
    throw Error(SAMBA_ERROR_FORMAT, where + ": expected a pattern of 1 to " + std::to_string(maxPatternBytes) +
                                        " bytes, found one of " + std::to_string(pattern.size()));
  code = std::make_unique<Code>();
  std::string translated = translate(pattern);
  int error = 0;
  PCRE2_SIZE place = 0;
  code->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                             PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &place, nullptr);
  code->context = pcre2_match_context_create(nullptr);
  if (!code->context)
    throw std::bad_alloc();
  if (!code->code) {
    char message[256] = "";
    pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR *>(message), sizeof(message));
    throw Error(SAMBA_ERROR_FORMAT, where + ": the regular expression cannot be used: " + message);
  }
  // Without leave to make code, the interpreter does it.
  pcre2_jit_compile(code->code, PCRE2_JIT_COMPLETE);
  pcre2_set_match_limit(code->context, maxSteps);
  pcre2_set_depth_limit(code->context, maxSteps);
  pcre2_set_heap_limit(code->context, 64 << 10); // KiB
}

Regex::~Regex() = default;
Regex::Regex(Regex &&) noexcept = default;

Regex::Search::Search(const Regex &regex, std::string_view text)
    : regex(regex), text(text), state(std::make_unique<State>()) {
  if (!regex.code)
    return;
  state->match = pcre2_match_data_create(1, nullptr);
  if (!state->match)
    throw std::bad_alloc();
}

Regex::Search::~Search() = default;

bool Regex::Search::next(Match &match) {
  if (at > text.size())
    return false;
  if (!regex.code) {
    size_t found = text.find(regex.literal, at);
    if (found == std::string_view::npos)
      return false;
    match = {found, found + regex.literal.size()};
    at = match.end;
    return true;
  }
  int found = pcre2_match(regex.code->code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                          PCRE2_NO_UTF_CHECK, state->match, regex.code->context);
  if (found == PCRE2_ERROR_NOMATCH)
    return false;
  if (found == PCRE2_ERROR_NOMEMORY)
    throw std::bad_alloc();
  if (found < 0)
    throw Error(SAMBA_ERROR_TOKENIZER,
                "cannot tokenize the text: " + regex.where + " takes too many steps (" + std::to_string(found) + ")");
  const PCRE2_SIZE *ends = pcre2_get_ovector_pointer(state->match);
  match = {ends[0], ends[1]};
  if (match.end < match.begin) // \K in a look-ahead
    match.end = match.begin;
  at = match.end;
  if (match.begin == match.end) { // go on behind the next character
    ++at;
    while (at < text.size() && (static_cast<uint8_t>(text[at]) & 0xc0) == 0x80)
      ++at;
  }
  return true;
}

std::string Regex::replace(std::string_view text, std::string_view by) const {
  std::string result;
  size_t done = 0;
  Search search(*this, text);
  for (Match match; search.next(match); done = match.end) {
    if (match.begin < done)
      continue;
    result += text.substr(done, match.begin - done);
    result += by;
  }
  result += text.substr(done);
  return result;
}
