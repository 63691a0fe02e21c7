//===- OutputFile.h - files that appear whole or not at all ----*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_OUTPUTFILE_H
#define RUNTIME_OUTPUTFILE_H

#include <cstdint>
#include <string>

namespace samba::runtime {

/// A file that is written aside and gets its name, whole, by commit(); without it nothing is left behind. Two writers
/// of one name do not disturb each other: the last commit stays. A path that names a device is written in place.
class OutputFile {
public:
  /// `aside` is the name until then, for a caller who is the only writer and finds what a killed one has left; "": a
  /// name of its own. Throws SAMBA_ERROR_IO, as do the others.
  explicit OutputFile(const std::string &path, const std::string &aside = "");
  OutputFile(const OutputFile &) = delete;
  OutputFile &operator=(const OutputFile &) = delete;
  ~OutputFile() { discard(); }

  void write(uint64_t offset, const void *data, uint64_t bytes);
  void commit();

private:
  void discard();

  std::string path, partial; // partial: the name until commit; empty if written in place
  int descriptor = -1;
};

} // namespace samba::runtime

#endif // RUNTIME_OUTPUTFILE_H
