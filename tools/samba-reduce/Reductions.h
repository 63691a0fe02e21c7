//===- Reductions.h - ways to make a module smaller --------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_REDUCE_REDUCTIONS_H
#define TOOLS_SAMBA_REDUCE_REDUCTIONS_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include <optional>

namespace samba {

/// A way to make a module smaller. Places are numbered; what is smaller need not mean the same.
struct Reduction {
  llvm::StringLiteral name;
  /// How many places there are.
  size_t (*count)(mlir::ModuleOp module);
  /// Reduces at one place; false if nothing changed.
  bool (*apply)(mlir::ModuleOp module, size_t place);
};

/// In the order in which they are worth trying: what removes most comes first.
llvm::ArrayRef<Reduction> allReductions();

/// Removes what nothing needs any more: operations without readers, private functions, weights, and arguments of public
/// functions.
void removeDead(mlir::ModuleOp module);

} // namespace samba

#endif // TOOLS_SAMBA_REDUCE_REDUCTIONS_H
