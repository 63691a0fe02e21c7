//===- Error.h - errors about what was read from disk -----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Whatever comes from disk is untrusted. What is wrong with it is told in one line, whatever bytes it is made of.
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_ERROR_H
#define FRONTEND_ERROR_H

#include "llvm/ADT/StringRef.h"
#include "llvm/ADT/Twine.h"
#include "llvm/Support/Error.h"
#include <string>

namespace samba {

/// An error of one line, by convention "FILE: tensor or key 'NAME': expected ..., found ...".
llvm::Error makeError(const llvm::Twine &message);

/// A name from a file in single quotes: control characters and invalid UTF-8 escaped, long names shortened.
std::string quoted(llvm::StringRef name);

/// "[768, 192]".
std::string shapeText(llvm::ArrayRef<int64_t> shape);

} // namespace samba

#endif // FRONTEND_ERROR_H
