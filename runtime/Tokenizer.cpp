//===- Tokenizer.cpp - text to token ids and back ------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Tokenizer.h"
#include "runtime/Error.h"

#include <cstdlib>
#include <sentencepiece_processor.h>

using namespace samba::runtime;

Tokenizer::Tokenizer(const std::string &path, const std::string &bytes, int32_t vocabSize, std::optional<int32_t> bos,
                     std::optional<int32_t> eos)
    : processor(std::make_unique<sentencepiece::SentencePieceProcessor>()), vocabSize(vocabSize), bos(bos), eos(eos) {
  auto status = processor->LoadFromSerializedProto(bytes);
  if (!status.ok() || processor->GetPieceSize() <= 0)
    throw Error(SAMBA_ERROR_FORMAT, "'" + path + "': the tokenizer is not a SentencePiece model");
}

Tokenizer::~Tokenizer() = default;

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool special) const {
  std::vector<int> pieces;
  auto status = processor->Encode(absl::string_view(text.data(), text.size()), &pieces);
  if (!status.ok())
    throw Error(SAMBA_ERROR_TOKENIZER, "cannot tokenize the text: " + std::string(status.error_message()));
  std::vector<int32_t> ids;
  ids.reserve(pieces.size() + 2);
  if (special && bos)
    ids.push_back(*bos);
  ids.insert(ids.end(), pieces.begin(), pieces.end());
  if (special && eos)
    ids.push_back(*eos);
  return ids;
}

std::string Tokenizer::decode(const std::vector<int32_t> &ids) const {
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

bool Tokenizer::isSilent(int32_t id) const { return id >= processor->GetPieceSize() || processor->IsControl(id); }

std::optional<uint8_t> Tokenizer::byteOf(int32_t id) const {
  if (id >= processor->GetPieceSize() || !processor->IsByte(id))
    return std::nullopt;
  return static_cast<uint8_t>(std::strtoul(processor->IdToPiece(id).c_str() + 3, nullptr, 16)); // "<0xNN>"
}

void Tokenizer::checkId(int32_t id) const {
  if (id < 0 || id >= vocabSize)
    throw Error(SAMBA_ERROR_ARGUMENT,
                "token id " + std::to_string(id) + " is outside the vocabulary of " + std::to_string(vocabSize));
}
