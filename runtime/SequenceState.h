//===- SequenceState.h - the state of one sequence -------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_SEQUENCESTATE_H
#define RUNTIME_SEQUENCESTATE_H

#include "runtime/StateLayout.h"

#include <memory>

namespace samba::runtime {

/// Parts of a state as they were. Only states of the kind that saved them can restore them.
class SavedParts {
public:
  virtual ~SavedParts() = default;
};

/// The state of one sequence, in the memory of the executor that steps it. Everything throws SAMBA_ERROR_MEMORY or
/// SAMBA_ERROR_DEVICE. `from` and `saved` are of the same executor.
class SequenceState {
public:
  virtual ~SequenceState() = default;

  /// A state of the same contents that is independent of this one.
  virtual std::unique_ptr<SequenceState> fork() = 0;
  virtual void assign(SequenceState &from) = 0;
  /// From the bytes of a whole state; null: zeros.
  virtual void assign(const void *bytes) = 0;

  /// The bytes, 64-byte aligned. Valid until the next step.
  virtual const char *read() = 0;
  /// Where to write all bytes, as with `assign`.
  virtual char *overwrite() = 0;
  /// For a caller who may read and change the bytes at any time between steps, from now on.
  virtual char *expose() = 0;

  virtual std::unique_ptr<SavedParts> save(const StateParts &parts) = 0;
  /// `parts` are those that were saved.
  virtual void restore(const StateParts &parts, const SavedParts &saved) = 0;

  /// Must be called before a step that changes the state. If it throws, the state is as it was.
  virtual void prepareStep() = 0;
};

} // namespace samba::runtime

#endif // RUNTIME_SEQUENCESTATE_H
