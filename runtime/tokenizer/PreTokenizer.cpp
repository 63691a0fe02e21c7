//===- PreTokenizer.cpp - cuts a text into words -------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/PreTokenizer.h"
#include "runtime/tokenizer/Unicode.h"

#include <algorithm>

using namespace samba::runtime;

namespace {

/// What GPT-2 cuts a text into: contractions, words, numbers and the rest with a space before them, spaces.
constexpr const char *gpt2Pattern = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

struct Segment {
  size_t begin, end;
  bool matches;
};

/// Cuts a text into what `next` finds and what is between.
template <typename Next> std::vector<Segment> segments(std::string_view text, Next next) {
  std::vector<Segment> result;
  size_t done = 0;
  for (Regex::Match match; next(match); done = match.end) {
    if (match.begin > done)
      result.push_back({done, match.begin, false});
    result.push_back({std::max(match.begin, done), match.end, true});
  }
  if (done < text.size())
    result.push_back({done, text.size(), false});
  return result;
}

/// Each character with some property, or each run of them.
template <typename Predicate> std::vector<Segment> segmentsOf(std::string_view text, Predicate is, bool runs) {
  size_t at = 0;
  return segments(text, [&, runs](Regex::Match &match) {
    while (at < text.size()) {
      size_t begin = at;
      if (!is(characterAt(text, at)))
        continue;
      match = {begin, at};
      while (runs && at < text.size()) {
        size_t next = at;
        if (!is(characterAt(text, next)))
          break;
        match.end = at = next;
      }
      return true;
    }
    return false;
  });
}

void join(std::vector<Segment> &segments, SplitBehavior behavior) {
  std::vector<Segment> joined;
  bool previous = false; // the segment before matches
  switch (behavior) {
  case SplitBehavior::Isolated:
    return;
  case SplitBehavior::Removed:
    std::copy_if(segments.begin(), segments.end(), std::back_inserter(joined),
                 [](const Segment &segment) { return !segment.matches; });
    break;
  case SplitBehavior::MergedWithPrevious:
    for (const Segment &segment : segments) {
      if (segment.matches && !previous && !joined.empty())
        joined.back().end = segment.end;
      else
        joined.push_back(segment);
      previous = segment.matches;
    }
    break;
  case SplitBehavior::MergedWithNext:
    for (size_t i = segments.size(); i-- > 0;) {
      const Segment &segment = segments[i];
      if (segment.matches && !previous && !joined.empty())
        joined.back().begin = segment.begin;
      else
        joined.push_back(segment);
      previous = segment.matches;
    }
    std::reverse(joined.begin(), joined.end());
    break;
  case SplitBehavior::Contiguous:
    for (const Segment &segment : segments) {
      if (segment.matches == previous && !joined.empty())
        joined.back().end = segment.end;
      else
        joined.push_back(segment);
      previous = segment.matches;
    }
    break;
  }
  segments = std::move(joined);
}

} // namespace

PreTokenizer::PreTokenizer(const std::string &path, const std::vector<PreTokenizerStep> &specs) {
  std::string where = "'" + path + "': pattern of the pre-tokenizer";
  for (const PreTokenizerStep &spec : specs) {
    steps.push_back({spec, std::nullopt});
    if (spec.kind == PreTokenizerStep::Split)
      steps.back().pattern.emplace(where, spec.pattern.text, spec.pattern.plain);
    else if (spec.kind == PreTokenizerStep::ByteLevel && spec.useRegex)
      steps.back().pattern.emplace(where, gpt2Pattern, false);
    else if (spec.kind == PreTokenizerStep::Metaspace)
      steps.back().pattern.emplace(where, spec.replacement, true);
  }
}

void PreTokenizer::apply(const Step &step, std::string_view text, bool first, Words &out) {
  const PreTokenizerStep &spec = step.spec;
  SplitBehavior behavior = SplitBehavior::Isolated;
  auto matches = [&] {
    Regex::Search search(*step.pattern, text);
    return segments(text, [&](Regex::Match &match) { return search.next(match); });
  };
  std::vector<Segment> cut;
  switch (spec.kind) {
  case PreTokenizerStep::ByteLevel:
    if (spec.prefixSpace && text[0] != ' ')
      text = out.changed.emplace_back(" " + std::string(text));
    cut = spec.useRegex ? matches() : std::vector<Segment>{{0, text.size(), true}};
    break;
  case PreTokenizerStep::Split:
    cut = matches();
    for (Segment &segment : cut)
      segment.matches = segment.matches != spec.invert;
    behavior = spec.behavior;
    break;
  case PreTokenizerStep::Digits:
    cut = segmentsOf(text, isNumeric, !spec.individual);
    break;
  case PreTokenizerStep::Punctuation:
    cut = segmentsOf(text, isPunctuation, false);
    behavior = spec.behavior;
    break;
  case PreTokenizerStep::WhitespaceSplit:
    cut = segmentsOf(text, isSpace, false);
    behavior = SplitBehavior::Removed;
    break;
  case PreTokenizerStep::Whitespace: { // runs of word characters, runs of neither those nor spaces
    std::vector<Segment> parts = segmentsOf(text, isWord, true);
    for (const Segment &part : parts) {
      if (part.matches) {
        cut.push_back(part);
        continue;
      }
      for (Segment rest : segmentsOf(text.substr(part.begin, part.end - part.begin), isSpace, true))
        if (!rest.matches)
          cut.push_back({part.begin + rest.begin, part.begin + rest.end, true});
    }
    break;
  }
  case PreTokenizerStep::Metaspace: {
    std::string replaced;
    for (char byte : text) {
      if (byte == ' ')
        replaced += spec.replacement;
      else
        replaced += byte;
    }
    bool prepend = spec.prepend == PreTokenizerStep::Always || (spec.prepend == PreTokenizerStep::First && first);
    if (prepend && replaced.compare(0, spec.replacement.size(), spec.replacement) != 0)
      replaced.insert(0, spec.replacement);
    text = out.changed.emplace_back(std::move(replaced));
    cut = spec.split ? matches() : std::vector<Segment>{{0, text.size(), true}};
    if (spec.split)
      behavior = SplitBehavior::MergedWithNext;
    break;
  }
  }
  join(cut, behavior);
  for (const Segment &segment : cut)
    if (segment.end > segment.begin)
      out.words.push_back(text.substr(segment.begin, segment.end - segment.begin));
}

Words PreTokenizer::split(std::string_view text, bool first) const {
  Words words;
  if (!text.empty())
    words.words.push_back(text);
  for (const Step &step : steps) {
    std::vector<std::string_view> before = std::move(words.words);
    words.words.clear();
    for (size_t i = 0; i < before.size(); ++i)
      apply(step, before[i], first && i == 0, words);
  }
  return words;
}
