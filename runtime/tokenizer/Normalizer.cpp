//===- Normalizer.cpp - rewrites a text before it is cut -----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/Normalizer.h"
#include "runtime/tokenizer/Unicode.h"

using namespace samba::runtime;

Normalizer::Normalizer(const std::string &path, const std::vector<NormalizerStep> &specs) {
  for (const NormalizerStep &spec : specs) {
    steps.push_back({spec, std::nullopt});
    if (spec.kind == NormalizerStep::Replace)
      steps.back().pattern.emplace("'" + path + "': pattern of the normalizer", spec.pattern.text, spec.pattern.plain);
  }
}

static std::string strip(std::string_view text, bool left, bool right) {
  while (left && !text.empty()) {
    std::string_view rest = text;
    if (!isSpace(takeCharacter(rest)))
      break;
    text = rest;
  }
  while (right && !text.empty()) {
    size_t last = text.size() - 1;
    while (last > 0 && (static_cast<uint8_t>(text[last]) & 0xc0) == 0x80)
      --last;
    std::string_view character = text.substr(last);
    if (!isSpace(takeCharacter(character)))
      break;
    text = text.substr(0, last);
  }
  return std::string(text);
}

static std::string stripAccents(std::string_view text) {
  std::string result;
  while (!text.empty())
    if (char32_t character = takeCharacter(text); !isMark(character))
      appendUtf8(result, character);
  return result;
}

std::string Normalizer::apply(std::string_view given) const {
  std::string text(given);
  for (const Step &step : steps) {
    switch (step.spec.kind) {
    case NormalizerStep::NFC:
      text = normalizeUtf8(text, true, false);
      break;
    case NormalizerStep::NFD:
      text = normalizeUtf8(text, false, false);
      break;
    case NormalizerStep::NFKC:
      text = normalizeUtf8(text, true, true);
      break;
    case NormalizerStep::NFKD:
      text = normalizeUtf8(text, false, true);
      break;
    case NormalizerStep::Lowercase:
      text = lowercase(text);
      break;
    case NormalizerStep::Strip:
      text = strip(text, step.spec.left, step.spec.right);
      break;
    case NormalizerStep::StripAccents:
      text = stripAccents(text);
      break;
    case NormalizerStep::Prepend:
      if (!text.empty())
        text.insert(0, step.spec.text);
      break;
    case NormalizerStep::Replace:
      text = step.pattern->replace(text, step.spec.text);
      break;
    }
  }
  return text;
}
