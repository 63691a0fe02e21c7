//===- Unigram.cpp - the most probable pieces ----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/Unigram.h"
#include "runtime/Error.h"
#include "runtime/tokenizer/Unicode.h"

#include <algorithm>
#include <limits>

using namespace samba::runtime;

class Unigram::Encoder : public WordEncoder {
public:
  explicit Encoder(const Unigram &model) : model(model) {}

  void add(std::string_view given, std::vector<int32_t> &ids) override {
    std::string characters;
    if (model.byteLevel) {
      for (char byte : given)
        appendUtf8(characters, characterOfByte(static_cast<uint8_t>(byte)));
      given = characters;
    }
    word = given;
    search();
    std::vector<Cut> cuts; // from the end
    for (size_t end = word.size(); end > 0; end = best[end].begin)
      cuts.push_back({best[end].begin, end, best[end].id});
    for (size_t i = cuts.size(); i-- > 0;) {
      Cut cut = cuts[i];
      while (cut.id < 0 && i > 0 && cuts[i - 1].id < 0) // unknown ones in a row are one
        cut.end = cuts[--i].end;
      emit(cut, ids);
    }
  }

private:
  struct Cut {
    size_t begin, end;
    int32_t id; // -1: unknown
  };
  struct Node {
    size_t begin = none;
    int32_t id = -1;
    double score = 0;
  };
  static constexpr size_t none = std::numeric_limits<size_t>::max();

  void offer(size_t begin, size_t end, int32_t id, double score) {
    if (id == model.spec.unknown)
      id = -1;
    Node &node = best[end];
    if (node.begin == none || score > node.score)
      node = {begin, id, score};
  }

  void search() {
    best.assign(word.size() + 1, Node());
    for (size_t at = 0; at < word.size();) {
      size_t next = at;
      characterAt(word, next);
      double score = at == 0 ? 0 : best[at].score;
      bool single = false;
      // The pieces that begin like the rest of the word, by one byte more each time.
      auto low = model.sorted.begin(), high = model.sorted.end();
      const std::vector<std::string> &pieces = model.spec.pieces;
      for (size_t length = 1; at + length <= word.size(); ++length) {
        uint8_t byte = static_cast<uint8_t>(word[at + length - 1]);
        auto key = [&](int32_t id) {
          const std::string &piece = pieces[static_cast<size_t>(id)];
          return piece.size() < length ? -1 : static_cast<int>(static_cast<uint8_t>(piece[length - 1]));
        };
        low = std::partition_point(low, high, [&](int32_t id) { return key(id) < byte; });
        high = std::partition_point(low, high, [&](int32_t id) { return key(id) <= byte; });
        if (low == high)
          break;
        const std::string &piece = pieces[static_cast<size_t>(*low)];
        if (piece.size() != length)
          continue;
        offer(at, at + length, *low, score + model.spec.scores[static_cast<size_t>(*low)]);
        single |= at + length == next;
      }
      if (!single)
        offer(at, next, -1, score + model.unknownScore);
      at = next;
    }
  }

  void emit(const Cut &cut, std::vector<int32_t> &ids) const {
    std::string_view text = word.substr(cut.begin, cut.end - cut.begin);
    if (int32_t id = cut.id >= 0 ? cut.id : model.find(text); id >= 0) {
      ids.push_back(id);
      return;
    }
    auto missing = [&](char byte) { return model.bytePieces[static_cast<uint8_t>(byte)] < 0; };
    if (model.spec.byteFallback && std::none_of(text.begin(), text.end(), missing)) {
      for (char byte : text)
        ids.push_back(model.bytePieces[static_cast<uint8_t>(byte)]);
      return;
    }
    if (model.spec.unknown < 0)
      throw Error(SAMBA_ERROR_TOKENIZER, "cannot tokenize the text: a character has no piece, and there is none for "
                                         "unknown ones");
    ids.push_back(model.spec.unknown);
  }

  const Unigram &model;
  std::string_view word;
  std::vector<Node> best; // by end
};

Unigram::Unigram(const TokenizerSpec &spec, bool byteLevel) : spec(spec), byteLevel(byteLevel) {
  std::fill(std::begin(bytePieces), std::end(bytePieces), -1);
  double least = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < spec.pieces.size(); ++i) {
    least = std::min(least, spec.scores[i]);
    const std::string &piece = spec.pieces[i];
    if (piece.empty())
      continue;
    sorted.push_back(static_cast<int32_t>(i));
    if (int byte = valueOfBytePiece(piece); byte >= 0)
      bytePieces[byte] = static_cast<int32_t>(i);
  }
  std::sort(sorted.begin(), sorted.end(), [&](int32_t a, int32_t b) {
    const std::string &left = spec.pieces[static_cast<size_t>(a)], &right = spec.pieces[static_cast<size_t>(b)];
    return left != right ? left < right : a > b; // of equal ones the last counts
  });
  sorted.erase(std::unique(sorted.begin(), sorted.end(),
                           [&](int32_t a, int32_t b) {
                             return spec.pieces[static_cast<size_t>(a)] == spec.pieces[static_cast<size_t>(b)];
                           }),
               sorted.end());
  unknownScore = least - 10; // what SentencePiece takes for unknown characters
}

int32_t Unigram::find(std::string_view piece) const {
  auto place = std::partition_point(sorted.begin(), sorted.end(),
                                    [&](int32_t id) { return spec.pieces[static_cast<size_t>(id)] < piece; });
  return place != sorted.end() && spec.pieces[static_cast<size_t>(*place)] == piece ? *place : -1;
}

std::unique_ptr<WordEncoder> Unigram::encoder(size_t) const { return std::make_unique<Encoder>(*this); }
