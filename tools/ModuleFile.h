//===- ModuleFile.h - reading a module from a file ---------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_MODULEFILE_H
#define TOOLS_MODULEFILE_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/Support/Error.h"

namespace samba {

/// Parses a file of MLIR. The error is one line that names the file, and the place if there is one.
llvm::Expected<mlir::OwningOpRef<mlir::ModuleOp>> readModuleFile(mlir::MLIRContext &context, llvm::StringRef path);

} // namespace samba

#endif // TOOLS_MODULEFILE_H
