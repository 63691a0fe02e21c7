//===- Dump.h - writing what a model computes for its prompt ---*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_RUN_DUMP_H
#define TOOLS_SAMBA_RUN_DUMP_H

#include "samba/samba.hpp"
#include "tools/samba-run/Safetensors.h"

#include <memory>
#include <string>
#include <vector>

namespace samba::run {

/// The logits of all prompt tokens.
class LogitsDump {
public:
  LogitsDump(const std::string &path, const Model &model, int64_t tokens);
  /// Adds the logits of the next tokens.
  void add(const float *logits, int64_t rows);
  void commit() { writer.commit(); }

private:
  int64_t vocabSize, done = 0;
  SafetensorsWriter writer;
};

/// The values of all probes at all prompt tokens, from construction to commit(). Logits must be asked for all tokens.
class HiddenDump {
public:
  HiddenDump(const std::string &path, const Model &model, int64_t tokens);
  ~HiddenDump() { model.setProbe(nullptr, nullptr); }
  HiddenDump(const HiddenDump &) = delete;

  /// Says that the next evaluation begins at this token. Throws what went wrong in the one before.
  void begin(int64_t token);
  void commit();

private:
  static void onProbe(void *user, const char *name, int64_t first, const float *data, int64_t rows, int64_t columns);
  void rethrow();

  const Model &model;
  int64_t base = 0; // prompt tokens before the running evaluation
  std::string failure;
  SafetensorsWriter writer;
};

/// Writes the state of a session: matrices of the scan as [channels, states], everything else as it is stored.
void dumpState(const std::string &path, const Model &model, const Session &session);

/// The name in the files of a probe or a state field: "layers.3" -> "layer3", "layers.3.conv" -> "layer3/conv".
std::string dumpName(const std::string &name);

} // namespace samba::run

#endif // TOOLS_SAMBA_RUN_DUMP_H
