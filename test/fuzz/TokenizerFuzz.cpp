//===- TokenizerFuzz.cpp - fuzzes tokenizer models -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Error.h"
#include "runtime/tokenizer/SentencePiece.h"

#include <cstdlib>

using namespace samba::runtime;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  try {
    SentencePiece tokenizer("fuzz", {reinterpret_cast<const char *>(data), size}, {2048, 1, std::nullopt, {}});
    for (int32_t id : tokenizer.encode("Call me \xe2\x82\xac Ishmael.\n", Tokenizer::Special::Add))
      tokenizer.checkId(id);
    std::unique_ptr<Detokenizer> detokenizer = tokenizer.detokenizer();
    for (int32_t id : {0, 1, 5, 300, 2047})
      detokenizer->push(id);
    detokenizer->finish();
  } catch (const Error &) {
  }
  return 0;
}
