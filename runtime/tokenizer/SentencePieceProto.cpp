//===- SentencePieceProto.cpp - the contents of a SentencePiece model ----===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/SentencePieceProto.h"

#include <cstring>

using namespace samba::runtime;

namespace {

/// One field of a message of protocol buffers.
struct Field {
  enum Wire : uint8_t { Number = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };
  uint64_t key = 0; // number and wire type
  uint64_t number = 0;
  std::string_view bytes;

  bool is(uint64_t field, Wire wire) const { return key == (field << 3 | wire); }
  bool flag() const { return number != 0; }
};

/// The fields of a message, in their order.
class Fields {
public:
  explicit Fields(std::string_view message) : rest(message) {}

  /// False at the end, and if what is left is no field: then failed() is true.
  bool next(Field &field) {
    if (rest.empty() || bad)
      return false;
    field = {};
    bad = !takeNumber(field.key);
    if (bad)
      return false;
    switch (field.key & 7) {
    case Field::Number:
      bad = !takeNumber(field.number);
      break;
    case Field::Fixed64:
      bad = !takeBytes(8, field.bytes);
      break;
    case Field::Bytes:
      bad = !takeNumber(field.number) || !takeBytes(field.number, field.bytes);
      break;
    case Field::Fixed32:
      bad = !takeBytes(4, field.bytes);
      break;
    default:
      bad = true;
    }
    return !bad;
  }
  bool failed() const { return bad; }

private:
  bool takeNumber(uint64_t &number) {
    number = 0;
    for (unsigned shift = 0; shift < 64 && !rest.empty(); shift += 7) {
      uint8_t byte = static_cast<uint8_t>(rest[0]);
      rest.remove_prefix(1);
      number |= uint64_t(byte & 0x7f) << shift;
      if (byte < 0x80)
        return true;
    }
    return false;
  }
  bool takeBytes(uint64_t count, std::string_view &bytes) {
    if (count > rest.size())
      return false;
    bytes = rest.substr(0, count);
    rest.remove_prefix(count);
    return true;
  }

  std::string_view rest;
  bool bad = false;
};

bool readPiece(std::string_view message, SentencePieceProto::Piece &piece) {
  Fields fields(message);
  for (Field field; fields.next(field);) {
    if (field.is(1, Field::Bytes))
      piece.text = field.bytes;
    else if (field.is(2, Field::Fixed32))
      std::memcpy(&piece.score, field.bytes.data(), 4);
    else if (field.is(3, Field::Number) && field.number >= 1 && field.number <= 6)
      piece.type = static_cast<SentencePieceProto::Type>(field.number);
  }
  return !fields.failed();
}

bool readTrainer(std::string_view message, SentencePieceProto &proto) {
  Fields fields(message);
  for (Field field; fields.next(field);) {
    if (field.is(3, Field::Number) && field.number >= 1 && field.number <= 4)
      proto.model = static_cast<SentencePieceProto::Model>(field.number);
    else if (field.is(24, Field::Number))
      proto.spaceAsSuffix = field.flag();
    else if (field.is(35, Field::Number))
      proto.byteFallback = field.flag();
  }
  return !fields.failed();
}

bool readNormalizer(std::string_view message, SentencePieceProto &proto) {
  Fields fields(message);
  for (Field field; fields.next(field);) {
    if (field.is(2, Field::Bytes))
      proto.rules = field.bytes;
    else if (field.is(3, Field::Number))
      proto.addSpace = field.flag();
    else if (field.is(4, Field::Number))
      proto.removeSpaces = field.flag();
    else if (field.is(5, Field::Number))
      proto.escapeSpaces = field.flag();
  }
  return !fields.failed();
}

bool readDenormalizer(std::string_view message, SentencePieceProto &proto) {
  Fields fields(message);
  for (Field field; fields.next(field);)
    if (field.is(2, Field::Bytes))
      proto.decodeRules = field.bytes;
  return !fields.failed();
}

} // namespace

std::optional<size_t> SentencePieceProto::fatalPiece() const {
  for (size_t i = 0; i < pieces.size(); ++i) {
    Type type = pieces[i].type;
    bool inTrie =
        type == Type::UserDefined || (model == Model::Unigram && (type == Type::Normal || type == Type::Unused));
    if (inTrie && !pieces[i].text.empty() && pieces[i].text[0] == '\0')
      return i;
  }
  return std::nullopt;
}

std::optional<SentencePieceProto> SentencePieceProto::read(std::string_view bytes) {
  SentencePieceProto proto;
  Fields fields(bytes);
  bool good = true;
  for (Field field; good && fields.next(field);) {
    if (field.is(1, Field::Bytes))
      good = readPiece(field.bytes, proto.pieces.emplace_back());
    else if (field.is(2, Field::Bytes))
      good = readTrainer(field.bytes, proto);
    else if (field.is(3, Field::Bytes))
      good = readNormalizer(field.bytes, proto);
    else if (field.is(5, Field::Bytes))
      good = readDenormalizer(field.bytes, proto);
  }
  if (!good || fields.failed())
    return std::nullopt;
  return proto;
}
