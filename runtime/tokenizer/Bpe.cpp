//===- Bpe.cpp - byte pair encoding --------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/Bpe.h"
#include "runtime/tokenizer/Unicode.h"

#include <algorithm>
#include <queue>

using namespace samba::runtime;

namespace {

/// Merges the symbols of one word. Neighbours are a linked list, merges that can be made are a heap, so a word of n
/// symbols takes n log n steps.
class Merger {
public:
  explicit Merger(const Bpe &model) : model(model) {}

  std::vector<int32_t> &symbols() { return ids; }

  /// Replaces the symbols by their pieces.
  void run() {
    size_t count = ids.size();
    if (count < 2)
      return;
    before.resize(count);
    after.resize(count);
    for (size_t i = 0; i < count; ++i) {
      before[i] = static_cast<int32_t>(i) - 1;
      after[i] = i + 1 < count ? static_cast<int32_t>(i) + 1 : -1;
    }
    heap.clear();
    for (size_t i = 0; i + 1 < count; ++i)
      if (Bpe::Found found = model.merge(ids[i], ids[i + 1]); found.rank >= 0)
        heap.push_back({found.rank, static_cast<int32_t>(i), found.result, ids[i], ids[i + 1]});
    std::make_heap(heap.begin(), heap.end());
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end());
      Candidate best = heap.back();
      heap.pop_back();
      size_t at = static_cast<size_t>(best.place);
      // One of the two may be part of another piece by now.
      if (ids[at] != best.left || after[at] < 0 || ids[static_cast<size_t>(after[at])] != best.right)
        continue;
      size_t gone = static_cast<size_t>(after[at]);
      ids[at] = best.result;
      ids[gone] = dead;
      after[at] = after[gone];
      if (after[at] >= 0)
        before[static_cast<size_t>(after[at])] = best.place;
      offer(best.place);
      offer(before[at]);
    }
    ids.erase(std::remove(ids.begin(), ids.end(), dead), ids.end());
  }

private:
  static constexpr int32_t dead = -1;
  struct Candidate {
    int32_t rank, place, result, left, right;
    bool operator<(const Candidate &other) const { // of a heap whose top is the greatest
      return rank != other.rank ? rank > other.rank : place > other.place;
    }
  };

  void offer(int32_t place) {
    if (place < 0 || after[static_cast<size_t>(place)] < 0)
      return;
    int32_t left = ids[static_cast<size_t>(place)], right = ids[static_cast<size_t>(after[static_cast<size_t>(place)])];
    Bpe::Found found = model.merge(left, right);
    if (found.rank < 0)
      return;
    heap.push_back({found.rank, place, found.result, left, right});
    std::push_heap(heap.begin(), heap.end());
  }

  const Bpe &model;
  std::vector<int32_t> ids, before, after;
  std::vector<Candidate> heap;
};

class BpeEncoder : public WordEncoder {
public:
  BpeEncoder(const Bpe &model, size_t bytes) : model(model), merger(model) {
    size_t entries = 0;
    if (bytes >= 1024)
      for (entries = 64; entries < bytes / 16 && entries < (1 << 15);)
        entries *= 2;
    cache.resize(entries);
  }

  void add(std::string_view word, std::vector<int32_t> &ids) override {
    if (!model.cuts)
      return addPart(word, ids);
    size_t begin = 0, at = 0;
    char32_t left = characterAt(word, at);
    while (at < word.size()) {
      size_t border = at;
      char32_t right = characterAt(word, at);
      // Unknown characters in a row may become one, so none is cut off from its right neighbour.
      if (!model.mayJoin(left, right) && model.symbol(left) >= 0) {
        addPart(word.substr(begin, border - begin), ids);
        begin = border;
      }
      left = right;
    }
    addPart(word.substr(begin), ids);
  }

private:
  struct Entry {
    std::string word;
    std::vector<int32_t> ids;
  };

  void addPart(std::string_view word, std::vector<int32_t> &ids) {
    Entry *entry = nullptr;
    if (!cache.empty() && word.size() <= 64) {
      entry = &cache[std::hash<std::string_view>()(word) & (cache.size() - 1)];
      if (entry->word == word) {
        ids.insert(ids.end(), entry->ids.begin(), entry->ids.end());
        return;
      }
    }
    std::vector<int32_t> &pieces = merger.symbols();
    pieces.clear();
    int32_t whole = model.spec.ignoreMerges ? model.whole(word) : -1;
    if (whole >= 0) {
      pieces.push_back(whole);
    } else {
      begin(word, pieces);
      merger.run();
    }
    ids.insert(ids.end(), pieces.begin(), pieces.end());
    if (entry)
      *entry = {std::string(word), pieces};
  }

  /// The pieces of the single characters.
  void begin(std::string_view word, std::vector<int32_t> &pieces) {
    bool pending = false; // an unknown piece
    auto flush = [&] {
      if (pending)
        pieces.push_back(model.spec.unknown);
      pending = false;
    };
    while (!word.empty()) {
      char32_t character;
      if (model.byteLevel) {
        character = static_cast<uint8_t>(word[0]);
        word.remove_prefix(1);
      } else {
        character = takeCharacter(word);
      }
      if (int32_t id = model.symbol(character); id >= 0) {
        flush();
        pieces.push_back(id);
      } else if (const std::vector<int32_t> *bytes = model.fallback(character, scratch)) {
        pieces.insert(pieces.end(), bytes->begin(), bytes->end());
      } else if (model.spec.unknown >= 0) {
        if (!model.spec.fuseUnknown)
          flush();
        pending = true;
      }
    }
    flush();
  }

  const Bpe &model;
  Merger merger;
  std::vector<Entry> cache; // by hash; a newer word takes the place of an older one
  std::vector<int32_t> scratch;
};

char32_t firstCharacter(std::string_view text) { return takeCharacter(text); }

char32_t lastCharacter(std::string_view text) {
  size_t at = text.size() - 1;
  while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xc0) == 0x80)
    --at;
  return characterAt(text, at);
}

} // namespace

Bpe::Bpe(const TokenizerSpec &spec, bool byteLevel) : spec(spec), byteLevel(byteLevel) {
  std::fill(std::begin(near), std::end(near), -1);
  std::fill(std::begin(bytePieces), std::end(bytePieces), -1);
  for (size_t i = 0; i < spec.pieces.size(); ++i) {
    const std::string &piece = spec.pieces[i];
    int32_t id = static_cast<int32_t>(i);
    if (int byte = valueOfBytePiece(piece); byte >= 0 && piece.find_first_of("abcdef") == std::string::npos)
      bytePieces[byte] = id;
    if (spec.ignoreMerges && !piece.empty())
      wholes.emplace(byteLevel ? bytesOfPiece(piece) : piece, id);
    if (piece.empty() || piece.size() > 4 || countCharacters(piece) != 1)
      continue;
    char32_t character = firstCharacter(piece);
    if (byteLevel) {
      if (int byte = byteOfCharacter(character); byte >= 0)
        near[byte] = id;
    } else if (character < 0x80) {
      near[character] = id;
    } else {
      symbols.emplace(character, id);
    }
  }
  int bits = 4;
  while ((size_t(1) << bits) * 2 < spec.merges.size() * 3 + 2)
    ++bits;
  shift = 64 - bits;
  merges.resize(size_t(1) << bits);
  // Where merges know only pieces that the characters of a text can make, they tell what is never joined.
  cuts = !byteLevel && !spec.ignoreMerges;
  for (size_t rank = 0; rank < spec.merges.size(); ++rank) {
    const Merge &merge = spec.merges[rank];
    uint64_t key = uint64_t(static_cast<uint32_t>(merge.left)) << 32 | static_cast<uint32_t>(merge.right);
    size_t slot = slotOf(key);
    while (merges[slot].rank >= 0 && merges[slot].key != key)
      slot = (slot + 1) & (merges.size() - 1);
    merges[slot] = {key, spec.ranks.empty() ? static_cast<int32_t>(rank) : spec.ranks[rank], merge.result};
    const std::string &left = spec.pieces[static_cast<size_t>(merge.left)],
                      &right = spec.pieces[static_cast<size_t>(merge.right)];
    for (const std::string *side : {&left, &right})
      if (side->empty() || valueOfBytePiece(*side) >= 0)
        cuts = false;
    if (merge.left == spec.unknown || merge.right == spec.unknown)
      cuts = false;
    if (cuts)
      joins.insert(uint64_t(lastCharacter(left)) << 32 | firstCharacter(right));
  }
}

Bpe::Found Bpe::merge(int32_t left, int32_t right) const {
  uint64_t key = uint64_t(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
  for (size_t slot = slotOf(key); merges[slot].rank >= 0; slot = (slot + 1) & (merges.size() - 1))
    if (merges[slot].key == key)
      return {merges[slot].rank, merges[slot].result};
  return {-1, -1};
}

int32_t Bpe::symbol(char32_t character) const {
  if (byteLevel || character < 0x80)
    return near[character];
  auto found = symbols.find(character);
  return found == symbols.end() ? -1 : found->second;
}

const std::vector<int32_t> *Bpe::fallback(char32_t character, std::vector<int32_t> &scratch) const {
  if (!spec.byteFallback)
    return nullptr;
  std::string bytes;
  appendUtf8(bytes, byteLevel ? characterOfByte(static_cast<uint8_t>(character)) : character);
  scratch.clear();
  for (char byte : bytes) {
    int32_t id = bytePieces[static_cast<uint8_t>(byte)];
    if (id < 0)
      return nullptr;
    scratch.push_back(id);
  }
  return &scratch;
}

int32_t Bpe::whole(std::string_view word) const {
  auto found = wholes.find(std::string(word));
  return found == wholes.end() ? -1 : found->second;
}

std::unique_ptr<WordEncoder> Bpe::encoder(size_t bytes) const { return std::make_unique<BpeEncoder>(*this, bytes); }
