//===- Manifest.cpp - what an artefact says about itself -----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Manifest.h"
#include "runtime/Error.h"
#include "runtime/JsonValue.h"
#include "samba/abi.h"

#include <algorithm>

using namespace samba::runtime;
using nlohmann::json;
using Value = JsonValue;

namespace {

constexpr int64_t maxArenaBytesPerToken = int64_t(1) << 36;
constexpr size_t maxRank = 8;

std::optional<int32_t> tokenId(const Value &value, int32_t vocabSize) {
  if (value.isNull())
    return std::nullopt;
  return static_cast<int32_t>(value.integer(0, vocabSize - 1));
}

Tokenizer::Kind tokenizerKind(const Value &kind) {
  std::string name = kind.string();
  if (name == "sentencepiece")
    return Tokenizer::Kind::SentencePiece;
  if (name == "pipeline")
    return Tokenizer::Kind::Pipeline;
  kind.wrong("\"sentencepiece\" or \"pipeline\"");
}

uint64_t elementSize(const Value &dtype) {
  std::string name = dtype.string();
  if (name == "f32")
    return 4;
  if (name == "bf16" || name == "f16")
    return 2;
  if (name == "i8")
    return 1;
  dtype.wrong("\"f32\", \"bf16\", \"f16\" or \"i8\"");
}

StateField stateField(const Value &value, uint64_t stateBytes) {
  StateField field;
  field.name = value["name"].string();
  field.dtype = value["dtype"].string();
  uint64_t element = elementSize(value["dtype"]);
  field.bytes = element;
  Value shape = value["shape"];
  if (field.dtype == "i8" && shape.arraySize() == 0)
    shape.wrong("at least one size, that of the rows that have a scale");
  if (shape.arraySize() > maxRank)
    shape.wrong("at most " + std::to_string(maxRank) + " sizes");
  for (size_t i = 0; i < shape.arraySize(); ++i) {
    int64_t size = shape.at(i).integer(1, JsonValue::maxBytes);
    field.shape.push_back(size);
    if (field.dtype == "i8" && i + 1 == shape.arraySize())
      size += sizeof(float); // the scale of the row
    if (__builtin_mul_overflow(field.bytes, static_cast<uint64_t>(size), &field.bytes) || field.bytes > stateBytes)
      shape.wrong("a tensor within the state's " + std::to_string(stateBytes) + " bytes");
  }
  if (field.bytes > stateBytes)
    shape.wrong("a tensor within the state's " + std::to_string(stateBytes) + " bytes");
  field.offset = static_cast<uint64_t>(value["offset"].integer(0, JsonValue::maxBytes));
  if (field.offset % element != 0 || field.offset > stateBytes - field.bytes)
    value["offset"].wrong("a multiple of " + std::to_string(element) + " up to " +
                          std::to_string(stateBytes - field.bytes));
  return field;
}

std::vector<std::string> stringList(const Value &value) {
  std::vector<std::string> list;
  for (size_t i = 0; i < value.arraySize(); ++i)
    list.push_back(value.at(i).string());
  return list;
}

} // namespace

Manifest Manifest::parse(const std::string &path, std::string text) {
  json document = parseObject(path, "the manifest", text);
  Value root(path, "manifest key", document);

  Manifest manifest;
  int64_t version = root["abi_version"].integer(0, std::numeric_limits<uint32_t>::max());
  if (version != SAMBA_ABI_VERSION)
    throw Error(SAMBA_ERROR_ABI, "'" + path + "': the manifest has version " + std::to_string(version) +
                                     ", this runtime loads version " + std::to_string(SAMBA_ABI_VERSION));
  manifest.name = root["name"].string();
  Value entry = root["entry"];
  if (!entry.isNull() && entry.string() != SAMBA_ENTRY_SYMBOL)
    entry.wrong("\"" SAMBA_ENTRY_SYMBOL "\"");

  Value model = root["model"];
  manifest.vocabSize = static_cast<int32_t>(model["vocab_size"].integer(1, std::numeric_limits<int32_t>::max()));
  if (!model["max_context"].isNull())
    manifest.maxContext = model["max_context"].integer(1, JsonValue::maxBytes);
  manifest.bos = tokenId(model["bos_token_id"], manifest.vocabSize);
  manifest.eos = tokenId(model["eos_token_id"], manifest.vocabSize);

  Value target = root["target"];
  manifest.hasCode = !target.isNull();
  manifest.arenaBytesPerToken = 0;
  if (manifest.hasCode) {
    manifest.triple = target["triple"].string();
    manifest.cpu = target["cpu"].isNull() ? std::string() : target["cpu"].string();
    manifest.features = stringList(target["features"]);
    Value variants = root["variants"];
    for (size_t i = 0; !variants.isNull() && i < variants.arraySize(); ++i) {
      Value variant = variants.at(i);
      manifest.variants.push_back(
          {variant["cpu"].string(), stringList(variant["features"]), variant["entry"].string()});
    }
    manifest.arenaBytesPerToken =
        static_cast<uint64_t>(root["arena_bytes_per_token"].integer(0, maxArenaBytesPerToken));
  }
  Value state = root["state"];
  manifest.stateBytes = static_cast<uint64_t>(state["bytes"].integer(0, JsonValue::maxBytes));
  Value fields = state["fields"];
  for (size_t i = 0; i < fields.arraySize(); ++i)
    manifest.fields.push_back(stateField(fields.at(i), manifest.stateBytes));
  manifest.stateTable = json{{"model", manifest.name}, {"fields", document["state"]["fields"]}}.dump();
  manifest.identity =
      json{{"model", document["model"]}, {"precision", document["precision"]}, {"state", document["state"]}}.dump();

  Value probes = root["probes"];
  if (!probes.isNull())
    for (size_t i = 0; i < probes.arraySize(); ++i)
      manifest.probes.push_back(
          {probes.at(i)["name"].string(), probes.at(i)["width"].integer(1, std::numeric_limits<int32_t>::max())});

  Value weights = root["weights"];
  manifest.weightsBytes = static_cast<uint64_t>(weights["bytes"].integer(0, std::numeric_limits<int64_t>::max()));
  if (!weights["file"].isNull()) {
    std::string file = weights["file"].string();
    if (file.empty() || file == "." || file == ".." || file.find('/') != std::string::npos)
      weights["file"].wrong("a file name without a folder");
    manifest.weightsFile = file;
  }

  Value tokenizer = root["tokenizer"];
  manifest.addBos = manifest.addEos = false;
  if (!tokenizer.isNull()) {
    manifest.tokenizer = tokenizerKind(tokenizer["kind"]);
    Value added = tokenizer["added"];
    if (!added.isNull())
      for (const auto &item : added.object().items())
        manifest.addedTokens.emplace_back(item.key(), tokenId(added[item.key()], manifest.vocabSize).value_or(0));
    manifest.addBos = !tokenizer["add_bos"].isNull() && tokenizer["add_bos"].boolean();
    manifest.addEos = !tokenizer["add_eos"].isNull() && tokenizer["add_eos"].boolean();
    if (manifest.addBos && !manifest.bos)
      model["bos_token_id"].wrong("an id, because tokenizer.add_bos is true");
    if (manifest.addEos && !manifest.eos)
      model["eos_token_id"].wrong("an id, because tokenizer.add_eos is true");
  }
  Value ends = root["end_tokens"];
  if (!ends.isNull())
    for (size_t i = 0; i < ends.arraySize(); ++i)
      manifest.endTokens.push_back(static_cast<int32_t>(ends.at(i).integer(0, manifest.vocabSize - 1)));
  Value chat = root["chat"];
  if (!chat.isNull()) {
    manifest.chatTemplate = chat["template"].text();
    if (!chat["tokens"].isNull())
      for (const auto &item : chat["tokens"].object().items())
        manifest.chatTokens.emplace_back(item.key(), chat["tokens"][item.key()].text());
  }
  manifest.text = std::move(text);
  return manifest;
}

bool Manifest::ends(int32_t token) const {
  return token == eos || std::find(endTokens.begin(), endTokens.end(), token) != endTokens.end();
}
