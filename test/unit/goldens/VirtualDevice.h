//===- VirtualDevice.h - kernels on the virtual device ----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The virtual device throws and LLVM does not: this is where the two meet. Errors are texts, empty if there is none.
//
//===----------------------------------------------------------------------===//

#ifndef TEST_UNIT_GOLDENS_VIRTUALDEVICE_H
#define TEST_UNIT_GOLDENS_VIRTUALDEVICE_H

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace samba::reference::test {

class VirtualDevice {
public:
  explicit VirtualDevice(uint64_t seed = 0, int arch = 80);
  ~VirtualDevice();

  std::string load(const std::string &ptx);
  /// With `track`, kernels may read only what was written since.
  uint64_t allocate(uint64_t bytes, const std::string &name, bool track = false);
  void release(uint64_t address);
  void forget(uint64_t address);
  void write(uint64_t address, const void *data, uint64_t bytes);
  void read(uint64_t address, void *data, uint64_t bytes);

  struct Launch {
    std::string kernel;
    uint32_t grid[3], threads, sharedBytes;
    std::vector<uint64_t> arguments; // all of 8 bytes, but for maps
  };
  /// Adds the description of a matrix of 2-byte elements, in boxes of 64 columns, rows swizzled.
  static void appendMap(std::vector<uint64_t> &arguments, uint64_t address, uint64_t width, uint64_t rows,
                        uint64_t strideBytes, uint16_t boxRows);
  std::string launch(const Launch &launch);
  /// Of all launches, by kernel.
  std::string counters() const;

private:
  struct State;
  std::unique_ptr<State> state;
};

} // namespace samba::reference::test

#endif // TEST_UNIT_GOLDENS_VIRTUALDEVICE_H
