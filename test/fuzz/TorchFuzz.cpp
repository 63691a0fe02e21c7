//===- TorchFuzz.cpp - fuzzes files of torch.save ----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/fuzz/MemoryFile.h"
#include "test/fuzz/ReadWeights.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  samba::fuzz::MemoryFile memory(data, size);
  samba::fuzz::readWeights(samba::WeightFile::open(memory.path()));
  return 0;
}
