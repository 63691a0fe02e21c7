//===- KeyReader.cpp - typed values of one JSON object --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/KeyReader.h"

#include "frontend/Error.h"
#include "frontend/Json.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace samba;

namespace {

constexpr StringLiteral kHarmless[] = {
    "model_type",
    "architectures",
    "torch_dtype",
    "dtype",
    "transformers_version",
    "_name_or_path",
    "auto_map",
    "use_cache",
    "initializer_range",
    "chunk_size_feed_forward",
    "is_decoder",
    "is_encoder_decoder",
    "output_attentions",
    "output_hidden_states",
    "return_dict",
    "return_dict_in_generate",
    "torchscript",
    "_attn_implementation",
    "_attn_implementation_autoset",
    "gradient_checkpointing",
    "task_specific_params",
    "problem_type",
    "id2label",
    "label2id",
    "finetuning_task",
};

constexpr StringLiteral kUnsupported[] = {"rope_scaling", "rope_parameters", "quantization_config", "qk_norm"};

} // namespace

const ArrayRef<StringLiteral> samba::kUnsupportedKeys(kUnsupported);

void KeyReader::error(StringRef key, const Twine &expected, const Twine &found) {
  if (firstError.empty())
    firstError = (file + ": key " + quoted((prefix + key).str()) + ": expected " + expected + ", found " + found).str();
}

void KeyReader::error(StringRef key, const Twine &expected) { error(key, expected, describe(object.get(key))); }

const json::Value *KeyReader::get(StringRef key) {
  known.insert(key);
  return object.get(key);
}

bool KeyReader::isNull(StringRef key) {
  const json::Value *value = get(key);
  return value && value->kind() == json::Value::Null;
}

int64_t KeyReader::integer(StringRef key, int64_t absent, int64_t low, int64_t high) {
  const json::Value *value = get(key);
  if (!value)
    return absent;
  std::optional<int64_t> number = value->getAsInteger();
  if (number && *number >= low && *number <= high)
    return *number;
  error(key, "an integer between " + Twine(low) + " and " + Twine(high));
  return absent;
}

int64_t KeyReader::integerOrNull(StringRef key, int64_t absent, int64_t low, int64_t high) {
  return isNull(key) ? absent : integer(key, absent, low, high);
}

int64_t KeyReader::integerOrAuto(StringRef key, int64_t absent, int64_t low, int64_t high) {
  const json::Value *value = get(key);
  if (!value || value->getAsString() == StringRef("auto"))
    return absent;
  if (!value->getAsInteger())
    error(key, "\"auto\" or an integer");
  return integer(key, absent, low, high);
}

int64_t KeyReader::requiredInteger(StringRef key, int64_t low, int64_t high) {
  if (!has(key))
    error(key, "an integer between " + Twine(low) + " and " + Twine(high));
  return integer(key, low, low, high);
}

double KeyReader::number(StringRef key, double absent, double high) {
  const json::Value *value = get(key);
  if (!value)
    return absent;
  std::optional<double> number = value->getAsNumber();
  if (number && *number > 0 && *number <= high)
    return *number;
  std::string bound;
  raw_string_ostream(bound) << json::Value(high);
  error(key, "a positive number, at most " + bound);
  return absent;
}

double KeyReader::eps(StringRef key, double absent) {
  double eps = number(key, absent, 1);
  if (float(eps) == 0)
    error(key, "a number that is positive as a float");
  return eps;
}

double KeyReader::hint(StringRef key, double absent) {
  const json::Value *value = get(key);
  std::optional<double> number = value ? value->getAsNumber() : std::nullopt;
  return number && *number > 0 && *number <= 1e3 ? *number : absent;
}

bool KeyReader::boolean(StringRef key, bool absent) {
  const json::Value *value = get(key);
  if (!value)
    return absent;
  if (std::optional<bool> flag = value->getAsBoolean())
    return *flag;
  error(key, "true or false");
  return absent;
}

std::optional<int64_t> KeyReader::token(StringRef key, std::optional<int64_t> absent, int64_t vocabSize) {
  if (isNull(key))
    return std::nullopt;
  if (!has(key))
    return absent && *absent < vocabSize ? absent : std::nullopt;
  return integer(key, 0, 0, vocabSize - 1);
}

std::vector<int64_t> KeyReader::tokens(StringRef key, std::optional<int64_t> absent, int64_t vocabSize) {
  std::vector<int64_t> ids;
  const json::Value *value = get(key);
  const json::Array *list = value ? value->getAsArray() : nullptr;
  if (!list) {
    if (std::optional<int64_t> id = token(key, absent, vocabSize))
      ids.push_back(*id);
    return ids;
  }
  for (const json::Value &item : *list) {
    std::optional<int64_t> id = item.getAsInteger();
    if (!id || *id < 0 || *id >= vocabSize) {
      error(key, "integers between 0 and " + Twine(vocabSize - 1), describe(&item));
      return {};
    }
    if (!is_contained(ids, *id))
      ids.push_back(*id);
  }
  return ids;
}

std::optional<int64_t> KeyReader::padToken(int64_t vocabSize) {
  const json::Value *pad = get("pad_token_id");
  std::optional<int64_t> id = pad ? pad->getAsInteger() : std::nullopt;
  return id && *id >= 0 && *id < vocabSize ? id : std::nullopt;
}

void KeyReader::expectSilu(StringRef key) {
  const json::Value *act = get(key);
  if (act && act->getAsString() != StringRef("swish") && act->getAsString() != StringRef("silu"))
    error(key, "\"swish\" or \"silu\"");
}

void KeyReader::acceptHarmless(ArrayRef<StringLiteral> more) {
  known.insert_range(kHarmless);
  known.insert_range(more);
}

void KeyReader::refuse(ArrayRef<StringLiteral> keys) {
  for (StringRef key : keys)
    if (const json::Value *value = get(key);
        value && value->kind() != json::Value::Null && value->getAsBoolean() != false)
      error(key, "null (anything else is a variant that is not supported)");
}

void KeyReader::warnOfUnknown(std::vector<std::string> &warnings) const {
  std::vector<std::string> unknown;
  for (auto &[key, value] : object)
    if (!known.contains(key))
      unknown.push_back(prefix + StringRef(key).str());
  llvm::sort(unknown);
  for (const std::string &key : unknown)
    warnings.push_back((file + ": key " + quoted(key) + " is not known and was ignored").str());
}
