//===- TensorText.h - values as text for people and FileCheck ----*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIALECT_INTERPRETER_TENSORTEXT_H
#define DIALECT_INTERPRETER_TENSORTEXT_H

#include "dialect/interpreter/Tensor.h"
#include "llvm/Support/raw_ostream.h"

namespace samba::reference {

/// Prints `title`, the shape, and one line for each row (the last dimension), numbers with six digits. States print one
/// such block for each sequence. Unless `all`, of more than 8 rows or numbers in a row only the first and last 4 are
/// shown.
///
/// ```
/// result 0: [2, 3]
///   [1, 2, 3]
///   [4, 5.5, 6]
/// result 1: 2 states
/// sequence 0: [1, 2]
///   [0, 0]
/// sequence 1: [1, 2]
///   [0, 0]
/// ```
template <class F> void printValue(llvm::raw_ostream &os, llvm::StringRef title, const Value<F> &value, bool all);

} // namespace samba::reference

#endif // DIALECT_INTERPRETER_TENSORTEXT_H
