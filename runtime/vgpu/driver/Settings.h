//===- Settings.h - what kind of virtual device there is -------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_VGPU_DRIVER_SETTINGS_H
#define RUNTIME_VGPU_DRIVER_SETTINGS_H

#include "runtime/vgpu/Vgpu.h"

#include <map>
#include <string>

namespace samba::vgpu {

/// The settings of docs/gpu.md.
struct Settings {
  Options options;
  uint64_t memory = uint64_t(64) << 30;
  int devices = 1;
  int version = 12040; // of the driver
  struct Failure {
    uint64_t call; // from 1
    int result;
  };
  std::map<std::string, Failure> failures; // by entry point, for tests
  std::string ptx;                         // a file whose text stands in for that of every module
  std::string record;                      // a file for all launches and the memory before them

  std::string text; // that they were parsed from
  /// "KEY=VALUE,...". Throws Error naming what is wrong.
  static Settings parse(const std::string &text);
};

} // namespace samba::vgpu

#endif // RUNTIME_VGPU_DRIVER_SETTINGS_H
