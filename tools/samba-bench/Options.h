//===- Options.h - the command line of samba-bench --------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_BENCH_OPTIONS_H
#define TOOLS_SAMBA_BENCH_OPTIONS_H

#include "samba/samba.h"

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace samba::bench {

/// A wrong command line.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class Format { Markdown, Csv, Json };
enum class Ops { None, Kernels, Layers };

struct Options {
  bool help = false, version = false, limits = false, progress = false;
  std::vector<std::string> models;
  std::vector<int64_t> prompts, generations;
  std::vector<std::pair<int64_t, int64_t>> mixed; // prompt tokens, generated tokens
  std::vector<int64_t> batches{1}, depths{0};
  std::vector<int64_t> threads;               // empty: the default of the runtime
  std::optional<std::string> device, predict; // predict: the GPU
  int64_t repetitions = 5;
  int64_t chunk = SAMBA_DEFAULT_CHUNK;
  uint64_t seed = 0;
  Ops ops = Ops::None;
  bool best = false; // of profiles: the fastest repetition
  std::optional<std::string> trace, compare, show;
  bool fusionMatrix = false;            // `models` is one model directory
  std::vector<std::string> fusions;     // of the matrix; empty: all
  std::optional<std::string> precision; // of the matrix, if not f32
  std::optional<std::string> keep;      // a folder for its compiled models
  std::optional<std::string> encode;    // a text; `models` may also be tokenizers
  Format format = Format::Markdown;
};

/// Parses the arguments after the program name. Throws UsageError.
Options parseOptions(int argc, const char *const *argv);

/// The text of --help.
const char *helpText();

} // namespace samba::bench

#endif // TOOLS_SAMBA_BENCH_OPTIONS_H
