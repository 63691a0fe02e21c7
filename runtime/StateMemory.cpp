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
#include <cstring>
#include <limits>
#include <sys/mman.h>
#include <unistd.h>

using namespace samba::runtime;

static Error noMemory(uint64_t bytes) {
  return Error(SAMBA_ERROR_MEMORY, "out of memory: cannot allocate " + std::to_string(bytes) + " bytes for a state");
}

constexpr uint64_t pageBytes = 4096; // larger pages are some of these
static constexpr char zeroPage[pageBytes] = {};

void samba::runtime::copyChangedPages(void *to, const void *from, uint64_t bytes) {
  char *target = static_cast<char *>(to);
  const char *source = static_cast<const char *>(from);
  for (uint64_t at = 0; at < bytes; at += pageBytes) {
    uint64_t size = std::min(pageBytes, bytes - at);
    if (std::memcmp(target + at, source + at, size) != 0)
      std::memcpy(target + at, source + at, size);
  }
}

StateImage::StateImage(const void *data, uint64_t bytes) : file(::memfd_create("samba-state", MFD_CLOEXEC), "state") {
  if (file.descriptor() < 0 || ::ftruncate(file.descriptor(), static_cast<off_t>(bytes)) != 0)
    throw noMemory(bytes);
  const char *from = static_cast<const char *>(data);
  auto isZero = [&](uint64_t at) { return std::memcmp(from + at, zeroPage, std::min(pageBytes, bytes - at)) == 0; };
  uint64_t done = 0;
  while (done < bytes) {
    uint64_t end = done; // of the pages to write
    while (end < bytes && !isZero(end))
      end = std::min(end + pageBytes, bytes);
    while (done < end) {
      ssize_t written = ::pwrite(file.descriptor(), from + done, end - done, static_cast<off_t>(done));
      if (written < 0 && errno == EINTR)
        continue;
      if (written <= 0)
        throw noMemory(bytes);
      done += static_cast<uint64_t>(written);
    }
    done = std::min(done + pageBytes, bytes); // that one is zeros
  }
}

StateMemory::StateMemory(uint64_t bytes) { map(bytes, MAP_PRIVATE | MAP_ANONYMOUS, -1); }

StateMemory::StateMemory(const StateImage &image, uint64_t bytes) {
  // A fork seldom writes all of its pages, so no memory is set aside for that.
  map(bytes, MAP_PRIVATE | MAP_NORESERVE, image.descriptor());
  ofImage = true;
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

bool StateMemory::giveBack() {
  constexpr size_t large = 1 << 20; // a smaller one is faster written than touched again
  if (mapped < large)
    return false;
  if (!ofImage)
    return ::madvise(base, mapped, MADV_DONTNEED) == 0; // pages that are locked cannot go
  // What it takes is set aside as little as it was for the image, so the system has no reason to refuse.
  if (::mmap(base, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
      MAP_FAILED)
    return false;
  ofImage = false;
  return true;
}

void StateMemory::clear() {
  if (!giveBack())
    std::memset(base, 0, mapped);
}

StateMemory::~StateMemory() {
  if (base)
    ::munmap(base, mapped);
}
