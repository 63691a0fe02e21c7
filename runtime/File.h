//===- File.h - files opened and mapped for reading ------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_FILE_H
#define RUNTIME_FILE_H

#include <cstddef>
#include <cstdint>
#include <string>

namespace samba::runtime {

/// A regular file opened for reading, or any other descriptor that this object owns.
class File {
public:
  /// Throws SAMBA_ERROR_IO if there is no regular file that can be read.
  explicit File(const std::string &path);
  /// Takes over a descriptor; `path` is for messages.
  File(int descriptor, std::string path) : fd(descriptor), filePath(std::move(path)) {}
  File(File &&other) noexcept : fd(other.fd), fileSize(other.fileSize), filePath(std::move(other.filePath)) {
    other.fd = -1;
  }
  File(const File &) = delete;
  File &operator=(const File &) = delete;
  ~File();

  int descriptor() const { return fd; }
  const std::string &path() const { return filePath; }
  /// The size when it was opened.
  uint64_t size() const { return fileSize; }
  /// Reads exactly `bytes` bytes or throws SAMBA_ERROR_IO.
  void read(uint64_t offset, void *data, size_t bytes) const;

private:
  int fd = -1;
  uint64_t fileSize = 0;
  std::string filePath;
};

/// A read-only, private mapping of part of a file; empty for 0 bytes.
class Mapping {
public:
  Mapping() = default;
  /// offset + bytes must lie in the file. Throws SAMBA_ERROR_IO or SAMBA_ERROR_MEMORY.
  Mapping(const File &file, uint64_t offset, uint64_t bytes);
  Mapping(Mapping &&other) noexcept { swap(other); }
  Mapping &operator=(Mapping &&other) noexcept {
    swap(other);
    return *this;
  }
  ~Mapping();

  /// Asks the system for huge pages, which it has for files that lie right: generation walks through all weights, and
  /// needs an address translation for each page.
  void adviseHugePages();

  const char *data() const { return begin; }
  size_t size() const { return length; }

private:
  void swap(Mapping &other) noexcept;

  void *base = nullptr; // page-aligned start
  size_t mapped = 0;    // bytes from there
  const char *begin = nullptr;
  size_t length = 0;
};

} // namespace samba::runtime

#endif // RUNTIME_FILE_H
