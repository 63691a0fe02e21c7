//===- Pipeline.h - tokenizers of the tokenizer.json kind ------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_TOKENIZER_PIPELINE_H
#define RUNTIME_TOKENIZER_PIPELINE_H

#include "runtime/Tokenizer.h"
#include "runtime/tokenizer/AddedTokens.h"
#include "runtime/tokenizer/Normalizer.h"
#include "runtime/tokenizer/PreTokenizer.h"
#include "runtime/tokenizer/TokenModel.h"
#include "runtime/tokenizer/TokenizerSpec.h"

#include <unordered_map>

namespace samba::runtime {

/// A text goes through added tokens, the normalizer, the pre-tokenizer and the model; ids go through the decoder.
class Pipeline : public Tokenizer {
public:
  /// Throws SAMBA_ERROR_FORMAT.
  Pipeline(const std::string &path, TokenizerSpec spec, int32_t vocabSize);

  /// Bytes that are not UTF-8 are read as U+FFFD. Added tokens are found in any text.
  std::vector<int32_t> encode(std::string_view text, Special special) const override;
  std::string decode(const std::vector<int32_t> &ids) const override;
  std::unique_ptr<Detokenizer> detokenizer() const override;

  /// The piece of a token, to be shown by the decoder; "" if the id has none or is one of a special token, which is not
  /// shown.
  std::string_view shownPiece(int32_t id) const;
  const std::vector<DecoderStep> &decoderSteps() const { return spec.decoder; }
  const std::vector<std::optional<Regex>> &decoderPatterns() const { return patterns; }
  bool hasDecoder() const { return spec.hasDecoder; }

private:
  void encodeText(std::string_view text, bool first, WordEncoder &encoder, std::vector<int32_t> &ids) const;

  TokenizerSpec spec;
  Normalizer normalizer;
  PreTokenizer preTokenizer;
  std::unique_ptr<TokenModel> model;
  AddedTokens plain, normalized;                  // found before and after the normalizer
  std::unordered_map<int32_t, std::string> shown; // text of an added token; none of a special one
  std::vector<std::optional<Regex>> patterns;     // of the decoder's steps
};

} // namespace samba::runtime

#endif // RUNTIME_TOKENIZER_PIPELINE_H
