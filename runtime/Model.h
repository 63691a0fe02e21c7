//===- Model.h - an open model and its sessions ----------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_MODEL_H
#define RUNTIME_MODEL_H

#include "runtime/Device.h"
#include "runtime/Executor.h"
#include "runtime/Session.h"
#include "runtime/Tokenizer.h"
#include "samba/samba.h"

#include <memory>
#include <mutex>
#include <vector>

namespace samba::runtime {

/// An artefact and what runs it.
class Model {
public:
  Model(const std::string &path, const samba_options &options);

  const Manifest &manifest() const { return artefact.manifest(); }
  const std::string &cpu() const { return artefact.cpu(); }
  uint64_t fingerprint() const { return artefact.fingerprint(); }
  const std::vector<samba_state_field> &stateFields() const { return fields; }
  const StateLayout &stateLayout() const { return layout; }
  int32_t threads() const { return executor->threads(); }
  const std::string &device() const { return deviceText; }
  std::string counters() const;
  std::unique_ptr<SequenceState> createState() const { return executor->createState(); }
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
  /// The same, with the token that greatest() finds in place of each row of logits.
  void evaluateGreedy(const std::vector<Segment> &segments, int32_t *tokens, size_t capacity);
  /// Throws SAMBA_ERROR_CONTEXT_FULL.
  void checkContext(int64_t position, uint64_t more) const;

private:
  uint64_t check(const std::vector<Segment> &segments) const;
  void run(const std::vector<Segment> &segments, StepResult result, uint64_t wanted);
  static void onProbe(void *user, int32_t index, const float *data, int64_t rows, int64_t columns);

  DeviceChoice choice;
  Artefact artefact;
  std::unique_ptr<Tokenizer> pieces;
  std::vector<samba_state_field> fields; // points into the manifest
  StateLayout layout;
  int64_t chunkTokens;

  mutable std::mutex mutex; // of all below
  std::unique_ptr<Executor> executor;
  std::string deviceText;
  samba_probe_callback probe = nullptr;
  void *probeUser = nullptr;
  int64_t firstToken = 0; // of the running step, for the probe
};

} // namespace samba::runtime

#endif // RUNTIME_MODEL_H
