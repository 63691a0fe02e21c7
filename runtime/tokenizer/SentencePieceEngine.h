//===- SentencePieceEngine.h - encodes as a SentencePiece model says -*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_TOKENIZER_SENTENCEPIECEENGINE_H
#define RUNTIME_TOKENIZER_SENTENCEPIECEENGINE_H

#include "runtime/tokenizer/SentencePieceNormalizer.h"
#include "runtime/tokenizer/SentencePieceUnigram.h"
#include "runtime/tokenizer/TokenModel.h"

#include <memory>

namespace samba::runtime {

/// Makes the ids that the SentencePiece library makes, several times faster. Immutable.
class SentencePieceEngine {
public:
  /// Of a model that the library has accepted. Nothing if it has something that only the library does; `why`, if given,
  /// gets what.
  static std::unique_ptr<SentencePieceEngine> create(const SentencePieceProto &proto, std::string *why = nullptr);

  /// Adds the ids of a text, any bytes.
  void encode(std::string_view text, std::vector<int32_t> &ids) const;

private:
  SentencePieceEngine(const SentencePieceProto &proto, SentencePieceRules rules);
  void makeBpe(const SentencePieceProto &proto);
  void encodeBpe(std::string_view normal, std::vector<int32_t> &ids) const;

  PieceTrie symbols; // user-defined
  SentencePieceNormalizer normalizer;
  int32_t pieces, unknown = -1;
  bool byteFallback;
  int32_t bytePieces[256];
  // A BPE model, or a Unigram model. Characters of pieces that are none themselves have ids beyond those of pieces.
  TokenizerSpec spec;
  std::unique_ptr<TokenModel> bpe;
  std::unique_ptr<SentencePieceUnigram> unigram;
};

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_SENTENCEPIECEENGINE_H
