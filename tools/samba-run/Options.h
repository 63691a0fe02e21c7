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
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace samba::run {

/// A wrong command line.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// How to continue a prompt.
struct Wish {
  int64_t tokens = 128; // at most
  samba_sampling sampling = SAMBA_SAMPLING_INIT;
  std::map<int32_t, float> bias; // by token
  std::vector<std::string> stops;
  bool ignoreEos = false;
  bool seeded = false;             // a seed was given
  std::optional<int32_t> logprobs; // how many tokens are told with their log probabilities, beside the chosen one
};

struct Options {
  bool help = false, version = false, info = false, json = false, verify = false;
  std::string model; // empty: the artefact that the program carries
  std::optional<std::string> prompt, promptFile, tokensFile, scoreFile;
  std::optional<std::string> dumpLogits, dumpHidden, dumpState;
  std::optional<std::string> saveState, loadState, promptCache;
  int64_t promptCacheMegabytes = 1024;
  Wish wish;
  bool chat = false, tokensGiven = false;          // -n was given
  std::optional<std::string> system, chatTemplate; // a chat's first message; a file
  bool stream = false, streamTokens = false;       // standard input; as token ids
  int64_t continueLines = 0;                       // tokens to add to each line of the stream; 0: scores
  std::optional<std::string> speculate;            // "lookup" or the file of a model
  int64_t speculateRows = 8;                       // tokens of a speculative pass
  std::optional<std::string> batchFile, output;
  int64_t concurrency = 0; // sequences of a batch at a time; 0: 16
  int64_t budget = 0;      // tokens of a step of a batch; 0: the chunk
  std::optional<std::string> device;
  bool check = false;                  // what kernels of a GPU do
  std::optional<std::string> counters; // where to write those of the virtual device; "": standard error
  int32_t threads = 0;
  int64_t chunk = SAMBA_DEFAULT_CHUNK;
  int64_t context = 0; // 0: all ids in one piece

  samba_options open() const {
    return {sizeof(samba_options), threads, verify, chunk, device ? device->c_str() : nullptr, check};
  }

  // Limits of the run; 0: none.
  int64_t maxTokens = 0;
  double deadline = 0;   // seconds
  int64_t maxMemory = 0; // MiB
};

/// Parses the arguments after the program name. `carriesModel`: the program has an artefact of its own, so none is
/// named. Throws UsageError.
Options parseOptions(int argc, const char *const *argv, bool carriesModel);

/// The text of --help.
std::string helpText(const std::string &program, bool carriesModel);

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_OPTIONS_H
