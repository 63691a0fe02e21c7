//===- MemoryFile.h - fuzzed bytes as a file -------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TEST_FUZZ_MEMORYFILE_H
#define TEST_FUZZ_MEMORYFILE_H

#include <cstdint>
#include <cstdlib>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace samba::fuzz {

/// A file in memory, for code that opens what it reads by a path.
class MemoryFile {
public:
  MemoryFile(const void *data, size_t size) : descriptor(::memfd_create("fuzz", MFD_CLOEXEC)) {
    if (descriptor < 0 || ::write(descriptor, data, size) != static_cast<ssize_t>(size))
      std::abort();
  }
  MemoryFile(const MemoryFile &) = delete;
  ~MemoryFile() { ::close(descriptor); }

  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor); }

private:
  int descriptor;
};

} // namespace samba::fuzz

#endif // TEST_FUZZ_MEMORYFILE_H
