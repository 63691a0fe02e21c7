//===- Memory.h - memory of the virtual device -----------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Device memory is a set of named allocations with gaps between them, so that an access past the end of one never lands
// in another. An allocation lies at an address that is a multiple of its alignment and of no larger power of two: what
// only works with more alignment than was asked for is found.
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_VGPU_MEMORY_H
#define RUNTIME_VGPU_MEMORY_H

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace samba::vgpu {

/// A failure outside of a kernel: text that is no PTX, an address that is none, arguments that do not fit.
class Error : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// One allocation, and what the checks and counters know of it.
struct Allocation {
  ~Allocation();
  uint64_t address = 0;
  uint64_t bytes = 0;
  std::string name;
  uint8_t *data = nullptr; // of `bytes` bytes
  bool readOnly = false;
  std::vector<uint8_t> written; // a bit for each byte; empty unless reads before writes are tracked

  /// For races on global memory: who has last written and read a byte, with the numbers of blocks plus 1, and epoch and
  /// lanes as in a Shadow.
  struct Trace {
    uint32_t writerBlock, writer, writerLanes, readerBlock, reader, readerLanes;
  };
  Trace *traces = nullptr; // null if not looked for so far

  /// Sectors of 32 bytes that the current launch has read and written, a bit each.
  std::unique_ptr<std::atomic<uint64_t>[]> readSectors, writtenSectors;
  std::atomic<bool> touched{false}; // there are such bits
  size_t sectorWords() const { return bytes / 32 / 64 + 1; }

  bool contains(uint64_t at, uint64_t size) const {
    return at >= address && size <= bytes && at - address <= bytes - size;
  }
};

class Memory {
public:
  explicit Memory(uint64_t capacity = uint64_t(1) << 40) : capacity(capacity) {}
  ~Memory();
  Memory(const Memory &) = delete;
  Memory &operator=(const Memory &) = delete;

  /// Zeroed memory. Throws std::bad_alloc when more than the capacity would be in use. With `track`, kernels may read
  /// only what was written, by a kernel or through `host`.
  uint64_t allocate(uint64_t bytes, std::string name, uint64_t align = 256, bool track = false);
  /// The same at a given address, which no allocation before has had; throws Error if one has.
  void place(uint64_t address, uint64_t bytes, std::string name, bool track);
  /// Frees an allocation; its address is never given out again, so that a later use is found.
  void release(uint64_t address);
  /// The bytes of device memory for the host to read or write; throws Error unless all lie in one allocation.
  void *host(uint64_t address, uint64_t bytes);
  /// Forgets what was written: reads of tracked memory fail until it is written again.
  void forget(uint64_t address);

  /// The allocation that has all these bytes, or null.
  Allocation *find(uint64_t address, uint64_t bytes) const;
  /// "4 bytes past the end of 'weights' (1024 bytes)", of an address that lies in no allocation.
  std::string describe(uint64_t address, uint64_t bytes) const;

  /// Makes an allocation remember who accesses it, or forget what it remembers.
  static void startTraces(Allocation &allocation);

  uint64_t used() const { return inUse; }
  uint64_t total() const { return capacity; }
  const std::map<uint64_t, std::unique_ptr<Allocation>> &allocations() const { return live; }

private:
  uint64_t capacity, inUse = 0, next = 0x7f0000000000;
  std::map<uint64_t, std::unique_ptr<Allocation>> live; // by address
  std::map<uint64_t, std::pair<uint64_t, std::string>> released;
};

} // namespace samba::vgpu

#endif // RUNTIME_VGPU_MEMORY_H
