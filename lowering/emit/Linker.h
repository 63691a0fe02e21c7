//===- Linker.h - object to shared library -----------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_EMIT_LINKER_H
#define LOWERING_EMIT_LINKER_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

namespace samba {

/// A relocatable object and the symbol of it that a library exports.
struct ObjectCode {
  llvm::SmallVector<char, 0> bytes;
  std::string symbol;
};

/// Links relocatable objects into a shared library that exports one symbol of each and nothing else, and returns its
/// bytes.
///
/// The library needs no other one. It may refer to memcpy, memmove, memset and memcmp, which the code generator
/// introduces by itself and every process has; any other undefined symbol is an error that names it.
///
/// ld.lld runs as a child process: $SAMBA_LLD, else the one found when this was built, else ld.lld-22 or ld.lld on the
/// path. Everything passes through anonymous memory, so nothing is left behind whatever happens.
llvm::Expected<llvm::SmallVector<char, 0>> linkSharedLibrary(llvm::ArrayRef<ObjectCode> objects,
                                                             llvm::StringRef soname);

} // namespace samba

#endif // LOWERING_EMIT_LINKER_H
