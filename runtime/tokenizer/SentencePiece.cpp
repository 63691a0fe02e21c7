//===- SentencePiece.cpp - SentencePiece models --------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/SentencePiece.h"
#include "runtime/Error.h"
#include "runtime/tokenizer/SentencePieceDetokenizer.h"

#include <cstdlib>
#include <sentencepiece_processor.h>

using namespace samba::runtime;

SentencePiece::SentencePiece(const std::string &path, const std::string &bytes, const TokenizerSettings &settings)
    : Tokenizer(settings.vocabSize), processor(std::make_unique<sentencepiece::SentencePieceProcessor>()), bytes(bytes),
      bos(settings.bos), eos(settings.eos) {
  std::optional<SentencePieceProto> proto = SentencePieceProto::read(bytes);
  // What we cannot read, the library might, and it goes wherever rules lead.
  if (proto && !(SentencePieceRules::read(proto->rules) && SentencePieceRules::read(proto->decodeRules)))
    throw Error(SAMBA_ERROR_FORMAT, "'" + path + "': the rules of the SentencePiece normalizer are damaged");
  if (auto piece = proto ? proto->fatalPiece() : std::nullopt)
    throw Error(SAMBA_ERROR_FORMAT, "'" + path + "': expected pieces of text, found piece " + std::to_string(*piece) +
                                        " of the SentencePiece model, which begins with a zero byte");
  if (!proto || !processor->LoadFromSerializedProto(bytes).ok() || processor->GetPieceSize() <= 0)
    throw Error(SAMBA_ERROR_FORMAT, "'" + path + "': the tokenizer is not a SentencePiece model");
  auto add = [&](const std::string &text, int32_t id) {
    AddedToken token;
    token.id = id;
    parsed.add(token, text);
  };
  for (const auto &[text, id] : settings.added)
    add(text, id);
  for (int id = 0; id < processor->GetPieceSize(); ++id)
    if (processor->IsControl(id))
      add(processor->IdToPiece(id), id);
}

SentencePiece::~SentencePiece() = default;

void SentencePiece::encodePart(std::string_view text, std::vector<int32_t> &ids) const {
  if ((bytesOfTexts += text.size()) >= bytesForEngine) {
    std::call_once(engineMade, [&] {
      std::optional<SentencePieceProto> proto = SentencePieceProto::read(bytes);
      if (proto && static_cast<int>(proto->pieces.size()) == processor->GetPieceSize())
        engine = SentencePieceEngine::create(*proto);
    });
    if (engine)
      return engine->encode(text, ids);
  }
  std::vector<int> pieces;
  auto status = processor->Encode(absl::string_view(text.data(), text.size()), &pieces);
  if (!status.ok())
    throw Error(SAMBA_ERROR_TOKENIZER, "cannot tokenize the text: " + std::string(status.error_message()));
  ids.insert(ids.end(), pieces.begin(), pieces.end());
}

std::vector<int32_t> SentencePiece::encode(std::string_view text, Special special) const {
  std::vector<int32_t> ids;
  if (special == Special::Parse) {
    for (const AddedTokens::Part &part : parsed.split(text)) {
      if (part.id >= 0)
        ids.push_back(part.id);
      else
        encodePart(text.substr(part.begin, part.end - part.begin), ids);
    }
    return ids;
  }
  if (special == Special::Add && bos)
    ids.push_back(*bos);
  encodePart(text, ids);
  if (special == Special::Add && eos)
    ids.push_back(*eos);
  return ids;
}

std::string SentencePiece::decode(const std::vector<int32_t> &ids) const {
  std::vector<int> known;
  known.reserve(ids.size());
  for (int32_t id : ids) {
    checkId(id);
    if (id < processor->GetPieceSize())
      known.push_back(id);
  }
  std::string text;
  auto status = processor->Decode(known, &text);
  if (!status.ok())
    throw Error(SAMBA_ERROR_TOKENIZER, "cannot detokenize: " + std::string(status.error_message()));
  return text;
}

std::unique_ptr<Detokenizer> SentencePiece::detokenizer() const {
  return std::make_unique<SentencePieceDetokenizer>(*this);
}

bool SentencePiece::isSilent(int32_t id) const { return id >= processor->GetPieceSize() || processor->IsControl(id); }

std::optional<uint8_t> SentencePiece::byteOf(int32_t id) const {
  if (id >= processor->GetPieceSize() || !processor->IsByte(id))
    return std::nullopt;
  return static_cast<uint8_t>(std::strtoul(processor->IdToPiece(id).c_str() + 3, nullptr, 16)); // "<0xNN>"
}
