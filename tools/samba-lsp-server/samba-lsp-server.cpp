//===- samba-lsp-server.cpp - samba IR in an editor -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Tools/mlir-lsp-server/MlirLspServerMain.h"
#include "tools/Registration.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  samba::registerDialects(registry);
  return failed(mlir::MlirLspServerMain(argc, argv, registry));
}
