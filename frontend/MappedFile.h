//===- MappedFile.h - a file mapped read-only -------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_MAPPEDFILE_H
#define FRONTEND_MAPPEDFILE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <string>

namespace samba {

/// The bytes of a regular file, mapped as long as the object lives. Move-only; reading is safe from several threads.
class MappedFile {
public:
  /// Fails if the file is missing, unreadable, not a regular file, or larger than `maxBytes`.
  static llvm::Expected<MappedFile> open(llvm::StringRef path, uint64_t maxBytes = UINT64_MAX);

  MappedFile(MappedFile &&other);
  MappedFile &operator=(MappedFile &&other) = delete;
  ~MappedFile();

  const std::string &path() const { return filePath; }
  llvm::ArrayRef<uint8_t> bytes() const { return {data, size}; }
  llvm::StringRef text() const { return {reinterpret_cast<const char *>(data), size}; }

  bool contains(llvm::ArrayRef<uint8_t> part) const;
  /// Gives the memory of these bytes (a part of `bytes()`) back to the system. They can still be read: they come from
  /// the file again.
  void release(llvm::ArrayRef<uint8_t> part) const;

private:
  MappedFile(llvm::StringRef path, const uint8_t *data, size_t size) : filePath(path), data(data), size(size) {}

  std::string filePath;
  const uint8_t *data;
  size_t size;
};

} // namespace samba

#endif // FRONTEND_MAPPEDFILE_H
