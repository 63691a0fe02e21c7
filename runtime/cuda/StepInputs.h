//===- StepInputs.h - what a step needs from the host ----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_CUDA_STEPINPUTS_H
#define RUNTIME_CUDA_STEPINPUTS_H

#include "runtime/Executor.h"
#include "runtime/cuda/Context.h"

namespace samba::runtime::cuda {

/// Where the inputs of a program's steps lie, in one block of memory that is copied at once. Fixed for each program, so
/// that recorded steps find them.
struct InputLayout {
  uint64_t sizes = 0, tokens, segments, positions, rows, states; // offsets
  uint64_t bytes;

  explicit InputLayout(const StepSizes &limits);
  /// Writes the inputs of a step to `memory`.
  void fill(char *memory, const Step &step, const StepSizes &of) const;
};

} // namespace samba::runtime::cuda

#endif // RUNTIME_CUDA_STEPINPUTS_H
