//===- Registration.h - what the developer tools know ------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// samba-opt, samba-reduce and samba-lsp-server know the same dialects and passes.
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_REGISTRATION_H
#define TOOLS_REGISTRATION_H

#include "mlir/IR/DialectRegistry.h"

namespace samba {

/// The samba dialect, and all dialects and extensions of upstream.
void registerDialects(mlir::DialectRegistry &registry);

/// All passes of the project and of upstream.
void registerPasses();

} // namespace samba

#endif // TOOLS_REGISTRATION_H
