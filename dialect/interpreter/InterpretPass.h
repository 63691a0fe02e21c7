//===- InterpretPass.h - the pass samba-interpret ---------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIALECT_INTERPRETER_INTERPRETPASS_H
#define DIALECT_INTERPRETER_INTERPRETPASS_H

namespace samba {

/// Registers `samba-interpret`, which runs a function of the module in the reference interpreter and prints its
/// results. The module stays as it is.
void registerSambaInterpretPass();

} // namespace samba

#endif // DIALECT_INTERPRETER_INTERPRETPASS_H
