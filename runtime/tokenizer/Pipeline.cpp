//===- Pipeline.cpp - tokenizers of the tokenizer.json kind --------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/Pipeline.h"
#include "runtime/Error.h"
#include "runtime/tokenizer/PipelineDetokenizer.h"
#include "runtime/tokenizer/Unicode.h"

using namespace samba::runtime;

Pipeline::Pipeline(const std::string &path, TokenizerSpec given, int32_t vocabSize)
    : Tokenizer(vocabSize), spec(std::move(given)), normalizer(path, spec.normalizer),
      preTokenizer(path, spec.preTokenizer), model(TokenModel::create(spec, preTokenizer.byteLevel())) {
  auto checkSize = [&](int64_t id) {
    if (id >= vocabSize)
      throw Error(SAMBA_ERROR_FORMAT, "'" + path + "': the tokenizer has the id " + std::to_string(id) +
                                          ", expected ids below the " + std::to_string(vocabSize) + " of the model");
  };
  checkSize(static_cast<int64_t>(spec.pieces.size()) - 1);
  for (const AddedToken &token : spec.added) {
    checkSize(token.id);
    std::string text = token.normalized ? normalizer.apply(token.text) : token.text;
    (token.normalized ? normalized : plain).add(token, text);
    shown.emplace(token.id, token.special ? "" : text);
  }
  for (int32_t id : spec.frame)
    checkSize(id);
  for (const DecoderStep &step : spec.decoder) {
    patterns.emplace_back();
    if (step.kind == DecoderStep::Replace)
      patterns.back().emplace("'" + path + "': pattern of the decoder", step.pattern.text, step.pattern.plain);
  }
}

std::vector<int32_t> Pipeline::encode(std::string_view text, Special special) const {
  std::string repaired;
  if (!isUtf8(text)) {
    repaired = toUtf8(text);
    text = repaired;
  }
  std::vector<int32_t> ids;
  std::unique_ptr<WordEncoder> encoder = model->encoder(text.size());
  auto encodeAll = [&] {
    for (const AddedTokens::Part &part : plain.split(text)) {
      if (part.id >= 0)
        ids.push_back(part.id);
      else
        encodeText(text.substr(part.begin, part.end - part.begin), part.begin == 0, *encoder, ids);
    }
  };
  if (special != Special::Add) {
    encodeAll();
    return ids;
  }
  for (int32_t id : spec.frame) {
    if (id == TokenizerSpec::text)
      encodeAll();
    else
      ids.push_back(id);
  }
  return ids;
}

void Pipeline::encodeText(std::string_view text, bool first, WordEncoder &encoder, std::vector<int32_t> &ids) const {
  std::string normal;
  if (!normalizer.empty()) {
    normal = normalizer.apply(text);
    text = normal;
  }
  for (const AddedTokens::Part &part : normalized.split(text)) {
    if (part.id >= 0) {
      ids.push_back(part.id);
      continue;
    }
    Words words = preTokenizer.split(text.substr(part.begin, part.end - part.begin), first && part.begin == 0);
    for (std::string_view word : words.words)
      encoder.add(word, ids);
  }
}

std::string_view Pipeline::shownPiece(int32_t id) const {
  checkId(id);
  if (auto added = shown.find(id); added != shown.end())
    return added->second;
  size_t index = static_cast<size_t>(id);
  return index < spec.pieces.size() ? spec.pieces[index] : std::string_view();
}

std::string Pipeline::decode(const std::vector<int32_t> &ids) const {
  PipelineDetokenizer detokenizer(*this);
  std::string text;
  for (int32_t id : ids)
    text += detokenizer.push(id);
  return text + detokenizer.finish();
}

std::unique_ptr<Detokenizer> Pipeline::detokenizer() const { return std::make_unique<PipelineDetokenizer>(*this); }
