//===- SentencePieceNormalizer.cpp - text as SentencePiece cuts it -------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/SentencePieceNormalizer.h"
#include "runtime/tokenizer/Unicode.h"

#include <cstring>

using namespace samba::runtime;

std::optional<SentencePieceRules> SentencePieceRules::read(std::string_view bytes) {
  SentencePieceRules rules;
  if (bytes.empty())
    return rules;
  uint32_t arrayBytes;
  if (bytes.size() <= sizeof(arrayBytes))
    return std::nullopt;
  std::memcpy(&arrayBytes, bytes.data(), sizeof(arrayBytes));
  bytes.remove_prefix(sizeof(arrayBytes));
  if (arrayBytes >= bytes.size() || arrayBytes == 0 || arrayBytes % 4 != 0 || bytes.back() != '\0')
    return std::nullopt;
  rules.units.resize(arrayBytes / 4);
  std::memcpy(rules.units.data(), bytes.data(), arrayBytes);
  rules.texts = bytes.substr(arrayBytes);
  if (isValue(rules.units[0]))
    return std::nullopt;
  for (size_t i = 0; i < rules.units.size(); ++i) {
    uint32_t unit = rules.units[i];
    if (isValue(unit))
      continue;
    // Children stand at this place, with any byte in the last eight bits.
    size_t place = i ^ offset(unit);
    if ((place | 0xff) >= rules.units.size() || (hasValue(unit) && value(rules.units[place]) >= rules.texts.size()))
      return std::nullopt;
  }
  return rules;
}

SentencePieceRules::Found SentencePieceRules::longest(std::string_view text) const {
  Found found;
  if (units.empty())
    return found;
  size_t place = offset(units[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    uint8_t byte = static_cast<uint8_t>(text[i]);
    place ^= byte;
    uint32_t unit = units[place];
    if (!leadsTo(unit, byte))
      break;
    place ^= offset(unit);
    if (hasValue(unit))
      found = {i + 1, &texts[value(units[place])]};
  }
  return found;
}

SentencePieceNormalizer::SentencePieceNormalizer(const SentencePieceProto &proto, SentencePieceRules given,
                                                 const PieceTrie &symbols)
    : addSpace(proto.addSpace), removeSpaces(proto.removeSpaces), spaceAsSuffix(proto.spaceAsSuffix),
      space(proto.escapeSpaces ? "\xe2\x96\x81" : " "), rules(std::move(given)), symbols(symbols) {
  for (int byte = 0; byte < 256; ++byte) {
    uint8_t value = static_cast<uint8_t>(byte);
    ordinary[byte] = byte < 0x80 && byte != ' ' && !rules.mayBegin(value) &&
                     symbols.child(PieceTrie::root, value) == PieceTrie::none;
  }
}

SentencePieceNormalizer::Front SentencePieceNormalizer::front(std::string_view text) const {
  if (PieceTrie::Found symbol = symbols.longest(text); symbol.bytes > 0)
    return {text.substr(0, symbol.bytes), symbol.bytes};
  if (SentencePieceRules::Found rule = rules.longest(text); rule.bytes > 0)
    return {rule.text, rule.bytes};
  Utf8Front character = utf8Front(text);
  if (!character.valid)
    return {replacementCharacter, 1};
  return {text.substr(0, character.bytes), character.bytes};
}

std::string SentencePieceNormalizer::apply(std::string_view text) const {
  if (removeSpaces)
    while (!text.empty()) {
      Front next = front(text);
      if (next.text != " ")
        break;
      text.remove_prefix(next.bytes);
    }
  std::string normal;
  if (text.empty())
    return normal;
  normal.reserve(text.size() + text.size() / 2 + 8);
  if (addSpace && !spaceAsSuffix)
    normal += space;
  bool afterSpace = removeSpaces;
  for (size_t at = 0; at < text.size();) {
    if (ordinary[static_cast<uint8_t>(text[at])]) {
      normal += text[at++];
      afterSpace = false;
      continue;
    }
    auto [part, bytes] = front(text.substr(at));
    at += bytes;
    while (afterSpace && !part.empty() && part[0] == ' ')
      part.remove_prefix(1);
    if (part.empty())
      continue;
    for (char byte : part) {
      if (byte == ' ')
        normal += space;
      else
        normal += byte;
    }
    afterSpace = removeSpaces && part.back() == ' ';
  }
  auto endsWithSpace = [&] {
    return normal.size() >= space.size() && normal.compare(normal.size() - space.size(), space.size(), space) == 0;
  };
  while (removeSpaces && endsWithSpace())
    normal.resize(normal.size() - space.size());
  if (addSpace && spaceAsSuffix)
    normal += space;
  return normal;
}
