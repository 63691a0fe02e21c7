//===- Device.h - which device runs a model --------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_DEVICE_H
#define RUNTIME_DEVICE_H

#include "runtime/Executor.h"

#include <memory>
#include <optional>
#include <string>

namespace samba::runtime {

/// A device as samba_options names it.
struct DeviceChoice {
  enum class Kind { Any, Cpu, Cuda, Virtual };
  Kind kind = Kind::Any;
  int ordinal = 0;      // Cuda
  std::string settings; // Virtual

  /// "cpu", "cuda", "cuda:N", "virtual", "virtual:SETTINGS"; null: any. Throws SAMBA_ERROR_ARGUMENT.
  static DeviceChoice parse(const char *text);
  /// What an artefact must have for it; nothing: that is its own choice.
  std::optional<Artefact::Target> target() const;
};

/// `threads` is for the CPU, `check` for GPUs.
std::unique_ptr<Executor> createExecutor(const Artefact &artefact, const DeviceChoice &choice, int32_t threads,
                                         bool check);

} // namespace samba::runtime

#endif // RUNTIME_DEVICE_H
