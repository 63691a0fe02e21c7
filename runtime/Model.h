//===- Model.h - an open model and its sessions ----------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_MODEL_H
#define RUNTIME_MODEL_H

#include "runtime/Artefact.h"
#include "runtime/Session.h"
#include "runtime/StateLayout.h"
#include "runtime/Team.h"
#include "runtime/Tokenizer.h"
#include "samba/samba.h"

#include <memory>
#include <mutex>
#include <vector>

namespace samba::runtime {

/// Zeroed memory, 64-byte aligned.
class Block {
public:
  Block() = default;
  /// Throws SAMBA_ERROR_MEMORY.
  explicit Block(uint64_t bytes);
  void *data() const { return memory.get(); }

private:
  struct Free {
    void operator()(void *pointer) const;
  };
  std::unique_ptr<void, Free> memory;
};

/// An artefact with the threads and the scratch memory to run it.
class Model {
public:
  Model(const std::string &path, const samba_options &options);

  const Manifest &manifest() const { return artefact.manifest(); }
  uint64_t fingerprint() const { return artefact.fingerprint(); }
  const std::vector<samba_state_field> &stateFields() const { return fields; }
  const StateLayout &stateLayout() const { return layout; }
  int32_t threads() const { return team.threads(); }
  int64_t chunk() const { return chunkTokens; }
  /// Null if the model has none.
  const Tokenizer *tokenizer() const { return pieces.get(); }
  /// Throws SAMBA_ERROR_TOKENIZER if the model has none.
  const Tokenizer &requireTokenizer() const;

  void setProbe(samba_probe_callback callback, void *user);
  /// The next tokens of a session, at least one, of which the logits of the last `wanted` are wanted.
  struct Segment {
    Session *session;
    const int32_t *tokens;
    size_t count, wanted;
  };
  void evaluate(const std::vector<Segment> &segments, float *logits, size_t capacity);
  /// Throws SAMBA_ERROR_CONTEXT_FULL.
  void checkContext(int64_t position, uint64_t more) const;

private:
  struct Step;

  void check(const std::vector<Segment> &segments, const float *logits, size_t capacity) const;
  void reserveArena(int64_t tokens);
  void run(Step &step, float *logits, int64_t first);
  static void onProbe(void *user, int32_t index, const float *data, int64_t rows, int64_t columns);

  Artefact artefact;
  std::unique_ptr<Tokenizer> pieces;
  std::vector<samba_state_field> fields; // points into the manifest
  StateLayout layout;
  int64_t chunkTokens;

  std::mutex mutex; // of all below
  Team team;
  Block arena;
  int64_t arenaRows = 0;
  samba_probe_callback probe = nullptr;
  void *probeUser = nullptr;
  int64_t firstToken = 0; // of the running step, for the probe
};

} // namespace samba::runtime

#endif // RUNTIME_MODEL_H
