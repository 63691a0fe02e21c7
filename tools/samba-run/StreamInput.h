//===- StreamInput.h - tokens from an input without end --------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_STREAMINPUT_H
#define TOOLS_SAMBA_RUN_STREAMINPUT_H

#include "samba/samba.hpp"

#include <optional>
#include <string>
#include <vector>

namespace samba::run {

/// Cuts text that comes in pieces so that the parts, tokenized one by one, give the tokens of the whole: at single
/// spaces between words, which are left out because the tokenizer begins each text with one. A word of more than 64 KiB
/// is cut somewhere.
class TextCutter {
public:
  /// With `lines`, at the ends of lines instead, which stay. The parts are texts of their own then.
  explicit TextCutter(bool lines) : lines(lines) {}

  void add(const char *bytes, size_t count) { held.append(bytes, count); }
  /// The next part; none if that needs more input. At the end of the input, the rest.
  std::optional<std::string> next(bool end);

private:
  size_t findCut();
  std::string take(size_t count, size_t leaveOut);

  bool lines;
  std::string held;
  size_t searched = 0;
};

/// Reads non-negative integers that are separated by white space, commas or brackets.
class IntegerCutter {
public:
  void add(const char *bytes, size_t count) { held.append(bytes, count); }
  /// The ids that are whole by now, at the end of the input all; with `line`, up to the end of a line, and none if that
  /// is not there yet. Throws std::runtime_error for anything else and for ids outside the vocabulary.
  std::optional<std::vector<int32_t>> next(bool end, bool line, int32_t vocabSize);

private:
  std::string held;
};

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_STREAMINPUT_H
