//===- Regex.h - the patterns of tokenizers --------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_TOKENIZER_REGEX_H
#define RUNTIME_TOKENIZER_REGEX_H

#include <memory>
#include <string>
#include <string_view>

namespace samba::runtime {

/// A pattern of a tokenizer file, a regular expression of Oniguruma or a plain text. Immutable; any number of threads
/// may search with one at a time.
class Regex {
public:
  /// Throws SAMBA_ERROR_FORMAT; `where` is for messages.
  Regex(const std::string &where, const std::string &pattern, bool plain);
  ~Regex();
  Regex(Regex &&) noexcept;

  struct Match {
    size_t begin, end;
  };
  /// Finds matches one after the other. The text must be valid UTF-8.
  class Search {
  public:
    Search(const Regex &regex, std::string_view text);
    ~Search();
    Search(const Search &) = delete;
    /// False if there is none any more. Throws SAMBA_ERROR_TOKENIZER if the pattern needs too many steps.
    bool next(Match &match);

  private:
    const Regex &regex;
    std::string_view text;
    size_t at = 0;
    struct State;
    std::unique_ptr<State> state;
  };

  /// All matches replaced by a text, in which nothing has a special meaning.
  std::string replace(std::string_view text, std::string_view by) const;

private:
  struct Code;
  std::unique_ptr<Code> code;
  std::string where, literal; // literal: the plain text, if it is one
};

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_REGEX_H
