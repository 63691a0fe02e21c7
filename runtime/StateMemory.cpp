//===- StateMemory.cpp - the memory of a sequence's state ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/StateMemory.h"
#include "runtime/Error.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <sys/mman.h>
#include <unistd.h>

using namespace samba::runtime;

static Error noMemory(uint64_t bytes) {
  return Error(SAMBA_ERROR_MEMORY, "out of memory: cannot allocate " + std::to_string(bytes) + " bytes for a state");
}

StateImage::StateImage(const void *data, uint64_t bytes) : file(::memfd_create("samba-state", MFD_CLOEXEC), "state") {
  if (file.descriptor() < 0)
    throw noMemory(bytes);
  const char *from = static_cast<const char *>(data);
  uint64_t done = 0;
  while (done < bytes) {
    ssize_t written = ::pwrite(file.descriptor(), from + done, bytes - done, static_cast<off_t>(done));
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      throw noMemory(bytes);
    done += static_cast<uint64_t>(written);
  }
}

StateMemory::StateMemory(uint64_t bytes) { map(bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1); }

StateMemory::StateMemory(const StateImage &image, uint64_t bytes) {
  // A fork seldom writes all of its pages, so no memory is set aside for that.
  map(bytes, MAP_PRIVATE | MAP_NORESERVE, image.descriptor());
}

void StateMemory::map(uint64_t bytes, int flags, int descriptor) {
  if (bytes > std::numeric_limits<size_t>::max() / 2)
    throw noMemory(bytes);
  mapped = std::max<size_t>(bytes, 1); // a mapping cannot be empty
  void *address = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, flags, descriptor, 0);
  if (address == MAP_FAILED)
    throw noMemory(bytes);
  base = address;
}

StateMemory::~StateMemory() {
  if (base)
    ::munmap(base, mapped);
}
