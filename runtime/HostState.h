//===- HostState.h - the state of a sequence on the CPU --------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_HOSTSTATE_H
#define RUNTIME_HOSTSTATE_H

#include "runtime/SequenceState.h"
#include "runtime/StateMemory.h"

namespace samba::runtime {

/// A state that forks copy-on-write: the fork shares the pages of an image, which is made if there is none of the
/// present state.
class HostState : public SequenceState {
public:
  explicit HostState(uint64_t bytes) : bytes(bytes), memory(bytes) {}

  char *data() const { return memory.data(); }

  std::unique_ptr<SequenceState> fork() override;
  void assign(SequenceState &from) override { assign(from.read()); }
  void assign(const void *bytes) override;
  const char *read() override { return memory.data(); }
  char *overwrite() override;
  char *expose() override;
  std::unique_ptr<SavedParts> save(const StateParts &parts) override;
  void restore(const StateParts &parts, const SavedParts &saved) override;
  void prepareStep() override { image.reset(); }

private:
  HostState(std::shared_ptr<const StateImage> image, uint64_t bytes)
      : bytes(bytes), image(std::move(image)), memory(*this->image, bytes) {}

  uint64_t bytes;
  std::shared_ptr<const StateImage> image; // of the present state, unless a caller has changed that
  StateMemory memory;
  bool exposed = false; // a caller has a pointer to the state
};

} // namespace samba::runtime

#endif // RUNTIME_HOSTSTATE_H
