//===- DeviceState.h - the state of a sequence on a GPU --------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_CUDA_DEVICESTATE_H
#define RUNTIME_CUDA_DEVICESTATE_H

#include "runtime/SequenceState.h"
#include "runtime/StateMemory.h"
#include "runtime/cuda/Context.h"

#include <optional>

namespace samba::runtime::cuda {

/// A state with a copy on the GPU and one on the host, each made when it is needed; steps change the first one. Forks,
/// marks and rollbacks copy on the GPU.
class DeviceState : public SequenceState {
public:
  DeviceState(std::shared_ptr<const Context> context, uint64_t bytes) : context(std::move(context)), bytes(bytes) {}

  /// After prepareStep().
  DevicePointer address() const { return device.address(); }
  /// A step has changed it.
  void stepped();

  std::unique_ptr<SequenceState> fork() override;
  void assign(SequenceState &from) override;
  void assign(const void *bytes) override;
  const char *read() override;
  char *overwrite() override;
  char *expose() override;
  std::unique_ptr<SavedParts> save(const StateParts &parts) override;
  void restore(const StateParts &parts, const SavedParts &saved) override;
  void prepareStep() override;

private:
  void heedCaller();
  char *hostMemory();
  void allocate();

  std::shared_ptr<const Context> context;
  uint64_t bytes;
  // At least one copy is valid. Host memory that is not there yet is all zero.
  std::optional<StateMemory> host;
  DeviceBuffer device;
  bool hostValid = true, deviceValid = false;
  bool exposed = false; // a caller has a pointer to the host's copy
};

} // namespace samba::runtime::cuda

#endif // RUNTIME_CUDA_DEVICESTATE_H
