//===- Limits.h - when to end a run early ----------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_LIMITS_H
#define TOOLS_SAMBA_RUN_LIMITS_H

#include "tools/samba-run/Options.h"

#include <chrono>
#include <optional>
#include <string>

namespace samba::run {

/// The limits of a run on tokens, time and memory, and Ctrl-C.
class Limits {
public:
  /// Time runs from here.
  explicit Limits(const Options &options) : options(options) {}

  /// Which one is reached after this many tokens: "interrupted", "max-tokens", "deadline" or "max-memory".
  std::optional<std::string> reached(int64_t tokens) const;
  /// `wanted`, or fewer tokens if only those are left.
  int64_t clip(int64_t wanted, int64_t tokens) const;

private:
  const Options &options;
  std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
};

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_LIMITS_H
