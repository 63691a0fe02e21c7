//===- Recording.h - launches and the memory before them -------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A file of launches, each with all that device memory holds before it, so that each can be run again alone, at the
// same addresses. The file holds what has changed since the launch before.
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_VGPU_RECORDING_H
#define RUNTIME_VGPU_RECORDING_H

#include "runtime/vgpu/Vgpu.h"

#include <fstream>

namespace samba::vgpu {

class Recorder {
public:
  /// Throws Error if the file cannot be written.
  explicit Recorder(const std::string &path);
  /// Appends a launch that is about to run.
  void take(const Memory &memory, const Launch &launch);

private:
  struct Copy {
    std::vector<uint8_t> data, written;
  };
  void number(uint64_t value);
  void text(const void *bytes, uint64_t count);
  void changes(char tag, uint64_t address, const uint8_t *now, std::vector<uint8_t> &before);

  std::string path;
  std::ofstream file;
  std::map<uint64_t, Copy> known; // allocations as the file has them so far
};

class Recording {
public:
  /// Throws Error if the file cannot be read or is no recording.
  explicit Recording(const std::string &path);

  /// Brings memory, which was empty before the first launch, to the state before the next one and says what that is;
  /// its kernel is left out. False at the end.
  bool next(Memory &memory, std::string &kernel, Launch &launch);
  void rewind();

private:
  uint64_t number();
  std::string text();

  std::string path, content;
  size_t at = 0;
};

} // namespace samba::vgpu

#endif // RUNTIME_VGPU_RECORDING_H
