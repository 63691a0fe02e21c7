//===- SentencePieceEngine.cpp - encodes as a SentencePiece model says ---===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/SentencePieceEngine.h"
#include "runtime/tokenizer/Unicode.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

using namespace samba::runtime;
using Type = SentencePieceProto::Type;

/// What only the library does; "" if nothing.
static std::string beyondEngine(const SentencePieceProto &proto) {
  if (proto.model != SentencePieceProto::Model::Bpe && proto.model != SentencePieceProto::Model::Unigram)
    return "models of words or of single characters";
  std::unordered_set<std::string_view> texts;
  for (const SentencePieceProto::Piece &piece : proto.pieces) {
    if (piece.type == Type::Unused)
      return "unused pieces";
    if (piece.text.empty() || piece.text.find('\0') != std::string_view::npos || !isUtf8(piece.text))
      return "pieces that are no text";
    if (!std::isfinite(piece.score))
      return "scores that are no number";
    if (!texts.insert(piece.text).second)
      return "two pieces with the same text";
    if ((piece.type == Type::Control || piece.type == Type::Byte) && countCharacters(piece.text) == 1)
      return "control pieces of one character";
  }
  return "";
}

std::unique_ptr<SentencePieceEngine> SentencePieceEngine::create(const SentencePieceProto &proto, std::string *why) {
  std::string reason = beyondEngine(proto);
  std::optional<SentencePieceRules> rules = SentencePieceRules::read(proto.rules);
  if (reason.empty() && (!rules || !isUtf8(rules->allTexts())))
    reason = "rules that are no text";
  if (why)
    *why = reason;
  if (!reason.empty())
    return nullptr;
  return std::unique_ptr<SentencePieceEngine>(new SentencePieceEngine(proto, std::move(*rules)));
}

static PieceTrie userDefined(const SentencePieceProto &proto) {
  std::vector<std::pair<std::string_view, int32_t>> symbols;
  for (size_t i = 0; i < proto.pieces.size(); ++i)
    if (proto.pieces[i].type == Type::UserDefined)
      symbols.emplace_back(proto.pieces[i].text, static_cast<int32_t>(i));
  return PieceTrie(std::move(symbols));
}

SentencePieceEngine::SentencePieceEngine(const SentencePieceProto &proto, SentencePieceRules rules)
    : symbols(userDefined(proto)), normalizer(proto, std::move(rules), symbols),
      pieces(static_cast<int32_t>(proto.pieces.size())), byteFallback(proto.byteFallback) {
  std::fill(std::begin(bytePieces), std::end(bytePieces), -1);
  for (int32_t id = 0; id < pieces; ++id) {
    const SentencePieceProto::Piece &piece = proto.pieces[static_cast<size_t>(id)];
    if (piece.type == Type::Unknown)
      unknown = id;
    else if (int value = valueOfBytePiece(piece.text); piece.type == Type::Byte && value >= 0)
      bytePieces[value] = id;
  }
  if (proto.model == SentencePieceProto::Model::Unigram)
    unigram = std::make_unique<SentencePieceUnigram>(proto);
  else
    makeBpe(proto);
}

/// SentencePiece merges two neighbours if their texts together are a piece, the piece with the greatest score first.
void SentencePieceEngine::makeBpe(const SentencePieceProto &proto) {
  std::unordered_map<std::string_view, int32_t> ids;
  spec.pieces.resize(proto.pieces.size());
  auto mayMerge = [](const SentencePieceProto::Piece &piece) {
    return piece.type == Type::Normal || piece.type == Type::UserDefined;
  };
  ids.reserve(2 * proto.pieces.size());
  std::vector<float> ranks; // scores, greatest first
  for (size_t i = 0; i < proto.pieces.size(); ++i)
    if (const SentencePieceProto::Piece &piece = proto.pieces[i]; mayMerge(piece)) {
      spec.pieces[i] = piece.text;
      ids.emplace(piece.text, static_cast<int32_t>(i));
      ranks.push_back(piece.score);
    }
  std::sort(ranks.begin(), ranks.end(), std::greater<>());
  ranks.erase(std::unique(ranks.begin(), ranks.end()), ranks.end());
  for (const SentencePieceProto::Piece &piece : proto.pieces)
    if (mayMerge(piece))
      for (size_t at = 0; at < piece.text.size();) {
        size_t begin = at;
        characterAt(piece.text, at);
        std::string_view character = piece.text.substr(begin, at - begin);
        if (ids.emplace(character, static_cast<int32_t>(spec.pieces.size())).second)
          spec.pieces.emplace_back(character);
      }
  for (const SentencePieceProto::Piece &piece : proto.pieces)
    if (mayMerge(piece)) {
      int32_t rank = static_cast<int32_t>(std::lower_bound(ranks.begin(), ranks.end(), piece.score, std::greater<>()) -
                                          ranks.begin());
      for (size_t at = 0;;) {
        characterAt(piece.text, at);
        if (at >= piece.text.size())
          break;
        auto left = ids.find(piece.text.substr(0, at)), right = ids.find(piece.text.substr(at));
        if (left == ids.end() || right == ids.end())
          continue;
        spec.merges.push_back({left->second, right->second, ids.at(piece.text)});
        spec.ranks.push_back(rank);
      }
    }
  spec.unknown = unknown;
  spec.byteFallback = byteFallback;
  if (byteFallback)
    for (int byte = 0; byte < 256; ++byte)
      if (bytePieces[byte] >= 0)
        spec.pieces[static_cast<size_t>(bytePieces[byte])] = proto.pieces[static_cast<size_t>(bytePieces[byte])].text;
  bpe = TokenModel::create(spec, /*byteLevel=*/false);
}

void SentencePieceEngine::encodeBpe(std::string_view normal, std::vector<int32_t> &ids) const {
  std::unique_ptr<WordEncoder> encoder = bpe->encoder(normal.size());
  size_t done = 0;
  if (!symbols.empty())
    for (size_t at = 0; at < normal.size();) {
      PieceTrie::Found symbol = symbols.longest(normal.substr(at));
      if (symbol.bytes == 0) {
        characterAt(normal, at);
        continue;
      }
      if (at > done)
        encoder->add(normal.substr(done, at - done), ids);
      ids.push_back(symbol.id);
      done = at += symbol.bytes;
    }
  if (done < normal.size())
    encoder->add(normal.substr(done), ids);
}

void SentencePieceEngine::encode(std::string_view text, std::vector<int32_t> &ids) const {
  std::string normal = normalizer.apply(text);
  if (normal.empty())
    return;
  bool afterUnknown = false;
  auto addUnknown = [&](std::string_view what) {
    if (byteFallback) {
      for (char byte : what)
        ids.push_back(bytePieces[static_cast<uint8_t>(byte)]);
    } else if (!afterUnknown) { // unknown ones in a row are one
      ids.push_back(unknown);
    }
    afterUnknown = true;
  };
  auto add = [&](int32_t id) {
    ids.push_back(id);
    afterUnknown = false;
  };
  if (unigram) {
    for (const SentencePieceUnigram::Piece &piece : unigram->cut(normal)) {
      if (piece.id >= 0)
        add(piece.id);
      else
        addUnknown(std::string_view(normal).substr(piece.begin, piece.end - piece.begin));
    }
    return;
  }
  std::vector<int32_t> symbolIds;
  encodeBpe(normal, symbolIds);
  for (int32_t id : symbolIds) {
    if (id >= pieces || id == unknown)
      addUnknown(spec.pieces[static_cast<size_t>(id)]);
    else
      add(id);
  }
}
