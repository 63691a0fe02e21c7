//===- TokenizerJsonFuzz.cpp - fuzzes tokenizer.json ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Error.h"
#include "runtime/tokenizer/Pipeline.h"

#include <cstdlib>

using namespace samba::runtime;

/// An input is a tokenizer.json, or the stored form of one.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string text(reinterpret_cast<const char *>(data), size);
  constexpr int32_t vocabulary = 2048;
  samba_tokenizer_source source = {};
  source.size = sizeof(source);
  source.name = "fuzz";
  source.json = text.data();
  source.bytes = text.size();
  source.vocab_size = vocabulary;
  source.add_bos = source.add_eos = -1;
  try {
    bool stored = text.compare(0, 8, "SAMBATOK") == 0;
    TokenizerSpec spec = stored ? TokenizerSpec::fromBytes("fuzz", text) : TokenizerSpec::fromJson(source);
    if (TokenizerSpec::fromBytes("fuzz", spec.toBytes()).toBytes() != spec.toBytes())
      std::abort();
    Pipeline tokenizer("fuzz", std::move(spec), vocabulary);
    std::vector<int32_t> ids = tokenizer.encode("Call me \xe2\x82\xac 12 Ishmael's.\n  <s>", Tokenizer::Special::Add);
    std::string all = tokenizer.decode(ids), pieces;
    std::unique_ptr<Detokenizer> detokenizer = tokenizer.detokenizer();
    for (int32_t id : ids)
      pieces += detokenizer->push(id);
    if (pieces + detokenizer->finish() != all)
      std::abort();
  } catch (const Error &) {
  }
  return 0;
}
