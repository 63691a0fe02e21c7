//===- TorchFuzz.cpp - fuzzes files of torch.save ----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/WeightFile.h"
#include "test/fuzz/MemoryFile.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  samba::fuzz::MemoryFile memory(data, size);
  auto file = samba::WeightFile::open(memory.path());
  if (!file) {
    llvm::consumeError(file.takeError());
    return 0;
  }
  uint64_t sum = 0;
  for (const samba::TensorInfo &tensor : (*file)->tensors()) {
    for (uint8_t byte : (*file)->bytes(tensor))
      sum += byte;
    if (auto view = (*file)->view(tensor); !view)
      llvm::consumeError(view.takeError());
  }
  asm volatile("" : : "r"(sum)); // so that the bytes are read
  return 0;
}
