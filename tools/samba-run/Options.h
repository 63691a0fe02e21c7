//===- Options.h - the command line of samba-run ---------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_OPTIONS_H
#define TOOLS_SAMBA_RUN_OPTIONS_H

#include "samba/samba.h"

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

namespace samba::run {

/// A wrong command line.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Options {
  bool help = false, version = false, info = false, json = false, ignoreEos = false, verify = false;
  std::string model; // empty: the artefact that the program carries
  std::optional<std::string> prompt, promptFile, tokensFile, scoreFile;
  std::optional<std::string> dumpLogits, dumpHidden, dumpState;
  int64_t generate = 128;
  samba_sampling sampling = SAMBA_SAMPLING_INIT;
  int32_t threads = 0;
  int64_t chunk = SAMBA_DEFAULT_CHUNK;
  int64_t context = 0;   // 0: all ids in one piece
  int64_t maxTokens = 0; // 0: all
};

/// Parses the arguments after the program name. `carriesModel`: the program has an artefact of its own, so none is
/// named. Throws UsageError.
Options parseOptions(int argc, const char *const *argv, bool carriesModel);

/// The text of --help.
std::string helpText(const std::string &program, bool carriesModel);

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_OPTIONS_H
