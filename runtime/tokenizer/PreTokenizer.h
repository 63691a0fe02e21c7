//===- PreTokenizer.h - cuts a text into words -----------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_TOKENIZER_PRETOKENIZER_H
#define RUNTIME_TOKENIZER_PRETOKENIZER_H

#include "runtime/tokenizer/Regex.h"
#include "runtime/tokenizer/TokenizerSpec.h"

#include <deque>
#include <optional>

namespace samba::runtime {

/// Pieces of a text, and the memory of those that are not literally in it.
struct Words {
  std::vector<std::string_view> words; // none empty
  std::deque<std::string> changed;
};

/// The pre-tokenizer of a tokenizer.json. Immutable.
class PreTokenizer {
public:
  PreTokenizer(const std::string &path, const std::vector<PreTokenizerStep> &steps);

  /// The model sees bytes, not characters.
  bool byteLevel() const { return !steps.empty() && steps.back().spec.kind == PreTokenizerStep::ByteLevel; }
  /// `first`: the text is the beginning of the whole. The result refers to `text`.
  Words split(std::string_view text, bool first) const;

private:
  struct Step {
    PreTokenizerStep spec;
    std::optional<Regex> pattern;
  };
  static void apply(const Step &step, std::string_view text, bool first, Words &out);

  std::vector<Step> steps;
};

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_PRETOKENIZER_H
