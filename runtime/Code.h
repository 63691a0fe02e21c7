//===- Code.h - the machine code of a compiled model -----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_CODE_H
#define RUNTIME_CODE_H

#include "runtime/File.h"
#include "samba/abi.h"

#include <string>

namespace samba::runtime {

/// A loaded shared library with the entry point of a model.
class Code {
public:
  /// Loads the library that is the `size` bytes at `offset` of the file. At offset 0 it is the open file itself that is
  /// loaded, not what its path names by now; else it is copied to memory first.
  Code(const File &artefact, uint64_t offset, const char *bytes, uint64_t size,
       const std::string &entry = SAMBA_ENTRY_SYMBOL);
  Code(const Code &) = delete;
  Code &operator=(const Code &) = delete;
  ~Code();

  samba_entry entry() const { return function; }

private:
  File file;
  void *handle = nullptr;
  samba_entry function = nullptr;
};

} // namespace samba::runtime

#endif // RUNTIME_CODE_H
