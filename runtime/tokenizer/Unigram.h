//===- Unigram.h - the most probable pieces --------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_TOKENIZER_UNIGRAM_H
#define RUNTIME_TOKENIZER_UNIGRAM_H

#include "runtime/tokenizer/TokenModel.h"

namespace samba::runtime {

/// Of all ways to cut a word into pieces, the one whose scores have the greatest sum.
class Unigram : public TokenModel {
public:
  Unigram(const TokenizerSpec &spec, bool byteLevel);
  std::unique_ptr<WordEncoder> encoder(size_t bytes) const override;

private:
  class Encoder;
  int32_t find(std::string_view piece) const;

  const TokenizerSpec &spec;
  const bool byteLevel;
  std::vector<int32_t> sorted; // ids by piece
  int32_t bytePieces[256];
  double unknownScore;
};

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_UNIGRAM_H
