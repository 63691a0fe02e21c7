//===- PickleFuzz.cpp - fuzzes the reader of pickles ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/Pickle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto pickle = samba::Pickle::read({data, size}, "pickle");
  if (!pickle) {
    llvm::consumeError(pickle.takeError());
    return 0;
  }
  size_t sum = pickle->root().describe().size();
  for (const samba::PickleValue *item : pickle->root().items)
    sum += item->describe().size();
  asm volatile("" : : "r"(sum)); // so that the values are read
  return 0;
}
