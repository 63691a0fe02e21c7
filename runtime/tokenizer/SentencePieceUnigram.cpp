//===- SentencePieceUnigram.cpp - the most probable pieces, as SentencePiece sums -===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/SentencePieceUnigram.h"
#include "runtime/tokenizer/Unicode.h"

#include <algorithm>
#include <cfloat>

using namespace samba::runtime;
using Type = SentencePieceProto::Type;

SentencePieceUnigram::SentencePieceUnigram(const SentencePieceProto &proto) {
  std::vector<std::pair<std::string_view, int32_t>> pieces;
  float least = FLT_MAX;
  greatest = FLT_MIN;
  for (size_t i = 0; i < proto.pieces.size(); ++i) {
    const SentencePieceProto::Piece &piece = proto.pieces[i];
    scores.push_back(piece.score);
    userDefined.push_back(piece.type == Type::UserDefined);
    if (piece.type == Type::Normal) {
      least = std::min(least, piece.score);
      greatest = std::max(greatest, piece.score);
    }
    if (piece.type == Type::Normal || piece.type == Type::UserDefined)
      pieces.emplace_back(piece.text, static_cast<int32_t>(i));
  }
  trie = PieceTrie(std::move(pieces));
  unknownScore = least - 10.0f;
}

std::vector<SentencePieceUnigram::Piece> SentencePieceUnigram::cut(std::string_view text) const {
  struct Node {
    size_t begin = ~size_t(0);
    int32_t id = -1;
    float score = 0;
  };
  std::vector<Node> best(text.size() + 1); // by end
  auto offer = [&](size_t begin, size_t end, int32_t id, double score) {
    Node &node = best[end];
    if (node.begin == ~size_t(0) || score > double(node.score))
      node = {begin, id, static_cast<float>(score)};
  };
  for (size_t at = 0; at < text.size();) {
    size_t next = at;
    characterAt(text, next);
    float before = best[at].score;
    bool single = false;
    uint32_t node = PieceTrie::root;
    for (size_t end = at; end < text.size();) {
      node = trie.child(node, static_cast<uint8_t>(text[end++]));
      if (node == PieceTrie::none)
        break;
      int32_t id = trie.id(node);
      if (id < 0)
        continue;
      size_t index = static_cast<size_t>(id);
      double score = userDefined[index] ? double(static_cast<float>(end - at) * greatest) - 0.1 : double(scores[index]);
      offer(at, end, id, score + double(before));
      single |= end == next;
    }
    if (!single)
      offer(at, next, -1, double(unknownScore + before));
    at = next;
  }
  std::vector<Piece> pieces;
  for (size_t end = text.size(); end > 0; end = best[end].begin)
    pieces.push_back({best[end].begin, end, best[end].id});
  std::reverse(pieces.begin(), pieces.end());
  return pieces;
}
