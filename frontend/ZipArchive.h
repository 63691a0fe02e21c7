//===- ZipArchive.h - the entries of a ZIP file -----------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// As much of the format (APPNOTE 6.3) as PyTorch writes: entries that are stored as they are, in one file, with 64-bit
// sizes where needed. Whatever else a ZIP file can be is refused, so no entry is larger than its place in the file.
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_ZIPARCHIVE_H
#define FRONTEND_ZIPARCHIVE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <string>

namespace samba {

/// The central directory of a file in memory, which must outlive the archive.
class ZipArchive {
public:
  struct Entry {
    uint64_t begin = 0, size = 0; // in bytes, from the start of the file
  };

  static bool isZip(llvm::ArrayRef<uint8_t> file) {
    return file.size() >= 4 && llvm::ArrayRef<uint8_t>({'P', 'K', 3, 4}) == file.take_front(4);
  }

  /// Checks all entries: stored, not encrypted, inside the file, of different names, without overlaps. `path` is for
  /// messages, which are of the form "FILE: entry 'NAME': expected ..., found ...".
  static llvm::Expected<ZipArchive> read(llvm::ArrayRef<uint8_t> file, const std::string &path);

  const llvm::StringMap<Entry> &entries() const { return directory; }
  /// Null if there is none of that name.
  const Entry *find(llvm::StringRef name) const;
  llvm::ArrayRef<uint8_t> bytes(const Entry &entry) const { return file.slice(entry.begin, entry.size); }

private:
  class Reader;

  llvm::ArrayRef<uint8_t> file;
  llvm::StringMap<Entry> directory;
};

} // namespace samba

#endif // FRONTEND_ZIPARCHIVE_H
