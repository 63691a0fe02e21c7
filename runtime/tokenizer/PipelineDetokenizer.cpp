//===- PipelineDetokenizer.cpp - ids to text by the decoder of a file ----===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/PipelineDetokenizer.h"
#include "runtime/tokenizer/Unicode.h"

using namespace samba::runtime;

PipelineDetokenizer::PipelineDetokenizer(const Pipeline &tokenizer) : tokenizer(tokenizer) {
  bool fused = false;
  for (const DecoderStep &step : tokenizer.decoderSteps()) {
    fused |= step.kind == DecoderStep::Fuse;
    byteLevel |= step.kind == DecoderStep::ByteLevel;
    byteFallback |= step.kind == DecoderStep::ByteFallback;
    if (fused && step.kind == DecoderStep::Strip) {
      stripped = step.text;
      stripAtStart = step.start;
    }
  }
  stripsLeft = stripAtStart;
}

/// Takes away `step.start` characters at the start and `step.stop` at the end, as long as they are the given one.
static std::string stripToken(std::string token, const DecoderStep &step) {
  const std::string &character = step.text;
  for (uint32_t i = 0; i < step.start && token.compare(0, character.size(), character) == 0; ++i)
    token.erase(0, character.size());
  for (uint32_t i = 0; i < step.stop && token.size() >= character.size() &&
                       token.compare(token.size() - character.size(), character.size(), character) == 0;
       ++i)
    token.erase(token.size() - character.size());
  return token;
}

/// Spaces for a character; nothing for it in a first token that has one of its own.
static std::string spaced(const std::string &token, const DecoderStep &step, bool first) {
  std::string result;
  for (size_t at = 0; at < token.size();) {
    if (token.compare(at, step.text.size(), step.text) != 0) {
      result += token[at++];
      continue;
    }
    if (!first || !step.prepended)
      result += ' ';
    at += step.text.size();
  }
  return result;
}

std::string PipelineDetokenizer::push(int32_t id) {
  std::string token(tokenizer.shownPiece(id));
  if (token.empty())
    return "";
  bool first = tokens++ == 0;
  if (!tokenizer.hasDecoder())
    return first ? token : " " + token;
  bool fused = false;
  const std::vector<DecoderStep> &steps = tokenizer.decoderSteps();
  for (size_t i = 0; i < steps.size() && !fused; ++i) {
    switch (steps[i].kind) {
    case DecoderStep::Replace:
      token = tokenizer.decoderPatterns()[i]->replace(token, steps[i].text);
      break;
    case DecoderStep::Strip:
      token = stripToken(std::move(token), steps[i]);
      break;
    case DecoderStep::Metaspace:
      token = spaced(token, steps[i], first);
      break;
    case DecoderStep::Fuse:
      fused = true;
      break;
    case DecoderStep::ByteLevel:
      held += bytesOfPiece(token);
      break;
    case DecoderStep::ByteFallback:
      break;
    }
  }
  if (byteLevel)
    return stripStart(takeBytes(/*all=*/false));
  if (int byte = byteFallback ? valueOfBytePiece(token) : -1; byte >= 0) {
    held += static_cast<char>(byte);
    return stripStart(takeBytes(/*all=*/false));
  }
  return stripStart(takeBytes(/*all=*/true) + token);
}

std::string PipelineDetokenizer::finish() {
  std::string text = stripStart(takeBytes(/*all=*/true));
  tokens = 0;
  stripsLeft = stripAtStart;
  return text;
}

std::string PipelineDetokenizer::takeBytes(bool all) {
  std::string text;
  std::string_view rest = held;
  while (!rest.empty()) {
    Utf8Front front = utf8Front(rest);
    if (!front.complete && !all)
      break;
    size_t count = front.valid || byteLevel ? front.bytes : 1;
    text += front.valid ? rest.substr(0, count) : replacementCharacter;
    rest.remove_prefix(count);
  }
  held.erase(0, held.size() - rest.size());
  return text;
}

std::string PipelineDetokenizer::stripStart(std::string text) {
  while (stripsLeft > 0 && !text.empty()) {
    if (text.compare(0, stripped.size(), stripped) != 0) {
      stripsLeft = 0;
      break;
    }
    text.erase(0, stripped.size());
    --stripsLeft;
  }
  return text;
}
