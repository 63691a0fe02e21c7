//===- ReadWeights.h - reads all of a file of weights ----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TEST_FUZZ_READWEIGHTS_H
#define TEST_FUZZ_READWEIGHTS_H

#include "frontend/WeightFile.h"

namespace samba::fuzz {

/// Every byte and every view of a file, if it could be opened.
template <typename File> void readWeights(llvm::Expected<std::unique_ptr<File>> file) {
  if (!file) {
    llvm::consumeError(file.takeError());
    return;
  }
  uint64_t sum = 0;
  for (const TensorInfo &tensor : (*file)->tensors()) {
    for (uint8_t byte : (*file)->bytes(tensor))
      sum += byte;
    if (auto view = (*file)->view(tensor); !view)
      llvm::consumeError(view.takeError());
  }
  asm volatile("" : : "r"(sum)); // so that the bytes are read
}

} // namespace samba::fuzz

#endif // TEST_FUZZ_READWEIGHTS_H
