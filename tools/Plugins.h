//===- Plugins.h - passes and dialects from elsewhere ------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_PLUGINS_H
#define TOOLS_PLUGINS_H

#include "mlir/IR/DialectRegistry.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace samba {

struct Plugins {
  std::vector<std::string> passes, dialects; // shared libraries

  bool empty() const { return passes.empty() && dialects.empty(); }
  /// Registers what the plugins have. The error is one line that names the file.
  llvm::Error load(mlir::DialectRegistry &registry) const;
};

} // namespace samba

#endif // TOOLS_PLUGINS_H
