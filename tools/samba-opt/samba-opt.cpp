//===- samba-opt.cpp - runs passes on samba IR ----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "tools/Registration.h"

int main(int argc, char **argv) {
  samba::registerPasses();
  mlir::DialectRegistry registry;
  samba::registerDialects(registry);
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "samba-opt: runs passes on samba IR\n", registry));
}
