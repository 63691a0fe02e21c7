//===- Manifest.h - what an artefact says about itself ---------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_MANIFEST_H
#define RUNTIME_MANIFEST_H

#include "runtime/Tokenizer.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace samba::runtime {

/// One named tensor of a sequence's state; it lies within the state.
struct StateField {
  std::string name;
  std::string dtype; // "f32", "bf16", "f16" or "i8": rows of integers, each with an f32 behind it that is its scale
  uint64_t offset;   // bytes from the start of the state, a multiple of the element size
  uint64_t bytes;
  std::vector<int64_t> shape;
};

struct Probe {
  std::string name;
  int64_t width;
};

/// Code for CPUs with more features than the manifest's own, with an entry point of its own.
struct Variant {
  std::string cpu;
  std::vector<std::string> features;
  std::string entry;
};

/// The manifest of an artefact. Parsing checks every key that the runtime relies on; other keys may be anything.
struct Manifest {
  std::string text;
  std::string name;
  int32_t vocabSize; // > 0
  std::optional<int64_t> maxContext;
  std::optional<int32_t> bos, eos; // within the vocabulary
  bool hasCode;                    // for the CPU; else cpu, triple, features and arenaBytesPerToken are empty
  std::string cpu;                 // that the code is for, as its maker named it
  std::string triple;
  std::vector<std::string> features;
  std::vector<Variant> variants; // the best first; what this manifest's features suffice for has SAMBA_ENTRY_SYMBOL
  uint64_t arenaBytesPerToken;
  uint64_t stateBytes;
  std::vector<StateField> fields;
  std::string stateTable; // JSON: name of the model and the fields
  std::string identity;   // JSON, in one form: all that decides what a state means, but for the values of the weights
  std::vector<Probe> probes;
  uint64_t weightsBytes;
  std::optional<std::string> weightsFile; // a bare file name
  std::optional<Tokenizer::Kind> tokenizer;
  bool addBos, addEos;                                         // by a SentencePiece tokenizer
  std::vector<std::pair<std::string, int32_t>> addedTokens;    // to a SentencePiece tokenizer
  std::vector<int32_t> endTokens;                              // beside `eos`
  std::string chatTemplate;                                    // empty: none
  std::vector<std::pair<std::string, std::string>> chatTokens; // variables of the template, "bos_token" and others

  bool ends(int32_t token) const;

  /// Throws SAMBA_ERROR_FORMAT naming the key, SAMBA_ERROR_ABI for another version. `path` is for messages.
  static Manifest parse(const std::string &path, std::string text);
};

} // namespace samba::runtime

#endif // RUNTIME_MANIFEST_H
