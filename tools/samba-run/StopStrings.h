//===- StopStrings.h - text up to a stop string ----------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_STOPSTRINGS_H
#define TOOLS_SAMBA_RUN_STOPSTRINGS_H

#include <string>
#include <vector>

namespace samba::run {

/// Cuts a text, which comes in pieces, before the first of some strings. Nothing of that string gets out, also if it
/// comes in several pieces: text that may be its beginning is held back.
class StopStrings {
public:
  /// None of them empty.
  explicit StopStrings(std::vector<std::string> strings) : strings(std::move(strings)) {}

  /// Adds a piece; returns the text that is ready.
  std::string push(const std::string &piece);
  /// The text held back, at the end; none if a string was found.
  std::string finish();
  bool found() const { return stopped; }

private:
  std::vector<std::string> strings;
  std::string held;
  bool stopped = false;
};

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_STOPSTRINGS_H
