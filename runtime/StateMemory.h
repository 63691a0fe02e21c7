//===- StateMemory.h - the memory of a sequence's state --------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_STATEMEMORY_H
#define RUNTIME_STATEMEMORY_H

#include "runtime/File.h"

#include <cstdint>

namespace samba::runtime {

/// Copies memory, but writes no page that is the same already: zeros to a page that was never written take no memory,
/// and a shared page stays shared.
void copyChangedPages(void *to, const void *from, uint64_t bytes);

/// A state that does not change any more, which sessions can map. Lives in a memory file, so it costs a descriptor.
class StateImage {
public:
  /// Copies the bytes, but for pages of zeros, which are holes in the file. Throws SAMBA_ERROR_MEMORY.
  StateImage(const void *data, uint64_t bytes);

  int descriptor() const { return file.descriptor(); }

private:
  File file;
};

/// The memory of one session's state, page-aligned. It stays at its place.
class StateMemory {
public:
  /// Zeros, taken from the system page by page as they are touched. Throws SAMBA_ERROR_MEMORY.
  explicit StateMemory(uint64_t bytes);
  /// The contents of an image of that size. Pages are shared with it until they are written.
  StateMemory(const StateImage &image, uint64_t bytes);
  StateMemory(const StateMemory &) = delete;
  StateMemory &operator=(const StateMemory &) = delete;
  ~StateMemory();

  char *data() const { return static_cast<char *>(base); }

  /// Makes it zeros. The pages of a large one are given back to the system.
  void clear();

private:
  void map(uint64_t bytes, int flags, int descriptor);
  bool giveBack();

  void *base = nullptr;
  size_t mapped = 0;
  bool ofImage = false; // pages that are not written come from an image
};

} // namespace samba::runtime

#endif // RUNTIME_STATEMEMORY_H
