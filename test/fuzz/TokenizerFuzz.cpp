//===- TokenizerFuzz.cpp - fuzzes tokenizer models -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Error.h"
#include "runtime/tokenizer/SentencePiece.h"

#include <cstdlib>
#include <sentencepiece_processor.h>

using namespace samba::runtime;

/// The engine must make the ids of the library.
static void compare(const std::string &bytes) {
  sentencepiece::SentencePieceProcessor library;
  std::optional<SentencePieceProto> proto = SentencePieceProto::read(bytes);
  if (!proto || !SentencePieceRules::read(proto->rules) || !SentencePieceRules::read(proto->decodeRules) ||
      proto->fatalPiece() || !library.LoadFromSerializedProto(bytes).ok())
    return;
  std::unique_ptr<SentencePieceEngine> engine = SentencePieceEngine::create(*proto);
  if (!engine)
    return;
  std::string pieces;
  for (size_t i = 0; i < proto->pieces.size() && i < 64; ++i)
    pieces += std::string(proto->pieces[i].text) + (i % 3 ? "" : " ");
  for (const std::string &text : {std::string("Call me \xe2\x82\xac  Ishmael.\n\xff "), pieces, bytes.substr(0, 512)}) {
    std::vector<int> expected;
    std::vector<int32_t> ids;
    if (!library.Encode(text, &expected).ok())
      continue;
    engine->encode(text, ids);
    if (ids != std::vector<int32_t>(expected.begin(), expected.end()))
      std::abort();
  }
}

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
  compare({reinterpret_cast<const char *>(data), size});
  return 0;
}
