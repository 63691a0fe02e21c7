//===- Executor.h - what runs the steps of a model -------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_EXECUTOR_H
#define RUNTIME_EXECUTOR_H

#include "runtime/Artefact.h"
#include "runtime/SequenceState.h"

#include <string>
#include <vector>

namespace samba::runtime {

/// The inputs of one step, as samba/abi.h describes them.
struct Step {
  std::vector<int32_t> tokens;
  std::vector<int64_t> segments, positions, rows;
  std::vector<SequenceState *> states; // made by the executor that takes the step

  StepSizes sizes() const;
};

/// Where the results of a step go, one for each of its rows: logits [rows, vocabulary], or, if `tokens` is not null,
/// what greatest() says of them.
struct StepResult {
  float *logits;
  int32_t *tokens;
};

/// The place of the greatest value, the first one of equals; -1 if all are NaN.
int32_t greatest(const float *values, size_t count);

/// Runs steps on one device. One call at a time, but for states: those of different sequences may be used by different
/// threads, also during a step of others.
class Executor {
public:
  virtual ~Executor() = default;

  /// Of all zeros. The executor must outlive it.
  virtual std::unique_ptr<SequenceState> createState() = 0;
  /// The greatest step that it takes.
  virtual StepSizes limits() const = 0;
  /// Takes the memory for steps of up to so many tokens, and rows of which tokens are wanted. Throws if it is short.
  virtual void reserve(int64_t tokens, int64_t chosen) = 0;
  /// `probe` may be null.
  virtual void run(const Step &step, const StepResult &result, samba_probe probe, void *probeUser) = 0;

  virtual int32_t threads() const = 0;
  /// For people: "cpu", "cuda:0 NVIDIA H100 (sm_90)".
  virtual std::string device() const = 0;
  /// JSON: what each kernel did since the model was opened. Throws SAMBA_ERROR_DEVICE if that is not counted.
  virtual std::string counters() const = 0;
};

} // namespace samba::runtime

#endif // RUNTIME_EXECUTOR_H
