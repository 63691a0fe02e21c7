//===- StoredTokenizer.cpp - the form of a tokenizer in an artefact ------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// One function describes each record, for both directions. Numbers are little-endian; texts and lists begin with their
// length in 32 bits. docs/formats.md has the table.
//
//===----------------------------------------------------------------------===//

#include "runtime/Error.h"
#include "runtime/tokenizer/TokenizerSpec.h"
#include "runtime/tokenizer/Unicode.h"

#include <cstring>
#include <type_traits>

using namespace samba::runtime;

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

namespace {

constexpr char magic[8] = {'S', 'A', 'M', 'B', 'A', 'T', 'O', 'K'};
constexpr uint32_t version = 1;

class Writer {
public:
  template <typename Number> void number(const Number &value) {
    out.append(reinterpret_cast<const char *>(&value), sizeof(value));
  }
  void flag(const bool &value) { number(static_cast<uint8_t>(value)); }
  template <typename Enum> void choice(const Enum &value, Enum) { number(static_cast<uint8_t>(value)); }
  void string(const std::string &value) {
    number(static_cast<uint32_t>(value.size()));
    out += value;
  }
  template <typename Element, typename One> void list(const std::vector<Element> &values, size_t, One one) {
    number(static_cast<uint32_t>(values.size()));
    for (const Element &value : values)
      one(value);
  }

  std::string out;
};

class Reader {
public:
  Reader(const std::string &path, std::string_view bytes) : path(path), bytes(bytes) {}

  template <typename Number> void number(Number &value) {
    std::memcpy(&value, take(sizeof(value)).data(), sizeof(value));
  }
  void flag(bool &value) {
    uint8_t byte;
    number(byte);
    if (byte > 1)
      damaged("a flag is " + std::to_string(byte));
    value = byte;
  }
  template <typename Enum> void choice(Enum &value, Enum last) {
    uint8_t byte;
    number(byte);
    if (byte > static_cast<uint8_t>(last))
      damaged("a kind is " + std::to_string(byte));
    value = static_cast<Enum>(byte);
  }
  void string(std::string &value) {
    uint32_t size;
    number(size);
    value = take(size);
    if (!isUtf8(value))
      damaged("a text is not UTF-8");
  }
  /// No element takes less than `bytesOfOne`, so that a wrong length cannot take memory.
  template <typename Element, typename One> void list(std::vector<Element> &values, size_t bytesOfOne, One one) {
    uint32_t size;
    number(size);
    if (size > bytes.size() / bytesOfOne)
      damaged("a list of " + std::to_string(size) + " elements");
    values.resize(size);
    for (Element &value : values)
      one(value);
  }

  bool empty() const { return bytes.empty(); }
  [[noreturn]] void damaged(const std::string &what) const {
    throw Error(SAMBA_ERROR_FORMAT, "'" + path + "': the tokenizer is damaged: " + what);
  }

private:
  std::string_view take(size_t count) {
    if (count > bytes.size())
      damaged("it is cut off");
    std::string_view front = bytes.substr(0, count);
    bytes.remove_prefix(count);
    return front;
  }

  const std::string &path;
  std::string_view bytes;
};

template <typename Archive, typename Pattern> void pattern(Archive &archive, Pattern &value) {
  archive.flag(value.plain);
  archive.string(value.text);
}

/// `Spec` is const for a Writer.
template <typename Archive, typename Spec> void transfer(Archive &archive, Spec &spec) {
  archive.choice(spec.model, TokenizerSpec::lastModel);
  archive.list(spec.pieces, 4, [&](auto &piece) { archive.string(piece); });
  archive.list(spec.merges, 12, [&](auto &merge) {
    archive.number(merge.left);
    archive.number(merge.right);
    archive.number(merge.result);
  });
  archive.list(spec.scores, 8, [&](auto &score) { archive.number(score); });
  archive.number(spec.unknown);
  archive.flag(spec.byteFallback);
  archive.flag(spec.fuseUnknown);
  archive.flag(spec.ignoreMerges);
  archive.list(spec.added, 13, [&](auto &token) {
    archive.string(token.text);
    archive.number(token.id);
    archive.flag(token.special);
    archive.flag(token.leftStrip);
    archive.flag(token.rightStrip);
    archive.flag(token.normalized);
    archive.flag(token.singleWord);
  });
  archive.list(spec.normalizer, 12, [&](auto &step) {
    archive.choice(step.kind, NormalizerStep::last);
    pattern(archive, step.pattern);
    archive.string(step.text);
    archive.flag(step.left);
    archive.flag(step.right);
  });
  archive.list(spec.preTokenizer, 17, [&](auto &step) {
    archive.choice(step.kind, PreTokenizerStep::last);
    pattern(archive, step.pattern);
    archive.choice(step.behavior, SplitBehavior::Contiguous);
    archive.flag(step.invert);
    archive.flag(step.prefixSpace);
    archive.flag(step.useRegex);
    archive.flag(step.individual);
    archive.string(step.replacement);
    archive.choice(step.prepend, PreTokenizerStep::Always);
    archive.flag(step.split);
  });
  archive.list(spec.decoder, 19, [&](auto &step) {
    archive.choice(step.kind, DecoderStep::last);
    pattern(archive, step.pattern);
    archive.string(step.text);
    archive.number(step.start);
    archive.number(step.stop);
    archive.flag(step.prepended);
  });
  archive.flag(spec.hasDecoder);
  archive.list(spec.frame, 4, [&](auto &id) { archive.number(id); });
}

/// What the tokenizer relies on.
void check(const Reader &reader, const TokenizerSpec &spec) {
  int64_t pieces = static_cast<int64_t>(spec.pieces.size());
  auto isPiece = [&](int32_t id) { return id >= 0 && id < pieces; };
  for (const Merge &merge : spec.merges)
    if (!isPiece(merge.left) || !isPiece(merge.right) || !isPiece(merge.result))
      reader.damaged("a merge has an id that is not below " + std::to_string(pieces));
  if (spec.unknown != -1 && !isPiece(spec.unknown))
    reader.damaged("the unknown piece is " + std::to_string(spec.unknown));
  if (spec.model == TokenizerSpec::Unigram && spec.scores.size() != spec.pieces.size())
    reader.damaged("expected " + std::to_string(pieces) + " scores, found " + std::to_string(spec.scores.size()));
  for (double score : spec.scores)
    if (!(score > -1e30 && score < 1e30))
      reader.damaged("a score is not finite");
  for (const AddedToken &token : spec.added)
    if (token.id < 0 || token.text.empty())
      reader.damaged("an added token has no text, or the id " + std::to_string(token.id));
  size_t texts = 0;
  for (int32_t id : spec.frame) {
    texts += id == TokenizerSpec::text;
    if (id < -1)
      reader.damaged("a special token is " + std::to_string(id));
  }
  if (texts != 1)
    reader.damaged("special tokens stand around " + std::to_string(texts) + " texts, expected 1");
}

} // namespace

std::string TokenizerSpec::toBytes() const {
  Writer writer;
  writer.out.assign(magic, sizeof(magic));
  writer.number(version);
  transfer(writer, *this);
  return writer.out;
}

TokenizerSpec TokenizerSpec::fromBytes(const std::string &path, std::string_view bytes) {
  if (bytes.substr(0, sizeof(magic)) != std::string_view(magic, sizeof(magic)))
    throw Error(SAMBA_ERROR_FORMAT, "'" + path + "': the tokenizer is not one of this kind");
  Reader reader(path, bytes.substr(sizeof(magic)));
  uint32_t found;
  reader.number(found);
  if (found != version)
    throw Error(SAMBA_ERROR_ABI, "'" + path + "': the tokenizer has version " + std::to_string(found) +
                                     ", this runtime reads version " + std::to_string(version));
  TokenizerSpec spec;
  transfer(reader, spec);
  if (!reader.empty())
    reader.damaged("there are bytes behind its end");
  check(reader, spec);
  return spec;
}
