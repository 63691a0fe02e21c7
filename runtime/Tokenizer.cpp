//===- Tokenizer.cpp - text to token ids and back ------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Tokenizer.h"
#include "runtime/Error.h"
#include "runtime/tokenizer/Pipeline.h"
#include "runtime/tokenizer/SentencePiece.h"

using namespace samba::runtime;

std::unique_ptr<Tokenizer> Tokenizer::create(Kind kind, const std::string &path, const std::string &bytes,
                                             const TokenizerSettings &settings) {
  if (kind == Kind::SentencePiece)
    return std::make_unique<SentencePiece>(path, bytes, settings);
  return std::make_unique<Pipeline>(path, TokenizerSpec::fromBytes(path, bytes), settings.vocabSize);
}

void Tokenizer::checkId(int32_t id) const {
  if (id < 0 || id >= vocabSize)
    throw Error(SAMBA_ERROR_ARGUMENT,
                "token id " + std::to_string(id) + " is outside the vocabulary of " + std::to_string(vocabSize));
}
