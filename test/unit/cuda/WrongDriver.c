//===- WrongDriver.c - a libcuda that is too old -------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifdef OLD
__attribute__((visibility("default"))) int cuDriverGetVersion(int *version) {
  *version = 11020;
  return 0;
}
#endif

__attribute__((visibility("default"))) int cuInit(unsigned flags) { return (int)flags; }
