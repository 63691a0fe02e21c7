//===- TokenizerConfig.cpp - the tokenizer of a model directory -----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/TokenizerConfig.h"

#include "frontend/Error.h"
#include "frontend/Json.h"
#include "frontend/MappedFile.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"

using namespace llvm;
using namespace samba;

namespace {

/// Walks the fields of a serialized protocol buffer message. Of a SentencePiece model only the number of pieces is
/// wanted here: each is a field 1.
class FieldWalker {
public:
  explicit FieldWalker(ArrayRef<uint8_t> bytes) : bytes(bytes) {}

  /// Number of length-delimited fields 1, or none if the message is malformed.
  std::optional<int64_t> countPieces() {
    int64_t pieces = 0;
    while (!bytes.empty()) {
      uint64_t key, length;
      if (!varint(key) || key >> 3 == 0)
        return std::nullopt;
      switch (key & 7) {
      case 0:
        if (!varint(length))
          return std::nullopt;
        continue;
      case 1:
        length = 8;
        break;
      case 2:
        if (!varint(length))
          return std::nullopt;
        pieces += key >> 3 == 1;
        break;
      case 5:
        length = 4;
        break;
      default:
        return std::nullopt;
      }
      if (length > bytes.size())
        return std::nullopt;
      bytes = bytes.drop_front(length);
    }
    return pieces;
  }

private:
  bool varint(uint64_t &value) {
    value = 0;
    for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
      uint8_t byte = bytes.front();
      bytes = bytes.drop_front();
      value |= uint64_t(byte & 127) << shift;
      if (byte < 128)
        return true;
    }
    return false;
  }

  ArrayRef<uint8_t> bytes;
};

std::string inside(StringRef directory, StringRef name) {
  SmallString<128> path(directory);
  sys::path::append(path, name);
  return path.str().str();
}

/// Reads tokenizer_config.json and generation_config.json into a TokenizerConfig.
class ConfigReader {
public:
  ConfigReader(TokenizerConfig &config, int64_t vocabSize) : config(config), vocabSize(vocabSize) {}

  Error readTokenizerConfig(const std::string &file) {
    path = file;
    Expected<json::Object> object = readJsonObject(path);
    if (!object)
      return object.takeError();
    if (Error failed = readFlag(*object, "add_bos_token", config.addBosToken))
      return failed;
    if (Error failed = readFlag(*object, "add_eos_token", config.addEosToken))
      return failed;
    for (StringRef key : {"bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"})
      if (Error failed = readSpecial(*object, key))
        return failed;
    if (Error failed = readAdded(*object))
      return failed;
    return readTemplate(*object);
  }

  Error readGenerationConfig(const std::string &file) {
    path = file;
    Expected<json::Object> object = readJsonObject(path);
    if (!object)
      return object.takeError();
    const json::Value *value = object->get("eos_token_id");
    if (isAbsent(value))
      return Error::success();
    if (const json::Array *ids = value->getAsArray()) {
      for (const json::Value &id : *ids)
        if (Error failed = addEnd(id))
          return failed;
      return Error::success();
    }
    return addEnd(*value);
  }

private:
  static bool isAbsent(const json::Value *value) { return !value || value->kind() == json::Value::Null; }

  Error wrong(const Twine &key, const Twine &expected, const json::Value *found) const {
    return makeError(path + ": key " + quoted(key.str()) + ": expected " + expected + ", found " + describe(found));
  }

  bool isId(std::optional<int64_t> id) const { return id && *id >= 0 && *id < vocabSize; }
  std::string expectedId() const { return ("a token id from 0 to " + Twine(vocabSize - 1)).str(); }

  Error addEnd(const json::Value &value) {
    std::optional<int64_t> id = value.getAsInteger();
    if (!isId(id))
      return wrong("eos_token_id", expectedId(), &value);
    config.endTokens.push_back(*id);
    return Error::success();
  }

  Error readFlag(const json::Object &object, StringRef key, std::optional<bool> &flag) {
    const json::Value *value = object.get(key);
    if (isAbsent(value))
      return Error::success();
    flag = value->getAsBoolean();
    return flag ? Error::success() : wrong(key, "true or false", value);
  }

  /// A token is its text, or an object with the text as "content".
  Error readSpecial(const json::Object &object, StringRef key) {
    const json::Value *value = object.get(key);
    if (isAbsent(value))
      return Error::success();
    std::optional<StringRef> text = value->getAsString();
    if (const json::Object *token = value->getAsObject())
      text = token->getString("content");
    if (!text)
      return wrong(key, "a token", value);
    config.specialTokens.emplace_back(key.str(), text->str());
    return Error::success();
  }

  Error readAdded(const json::Object &object) {
    const json::Value *value = object.get("added_tokens_decoder");
    if (isAbsent(value))
      return Error::success();
    const json::Object *tokens = value->getAsObject();
    if (!tokens)
      return wrong("added_tokens_decoder", "an object", value);
    for (const auto &[key, token] : *tokens) {
      int64_t id;
      std::string place = "added_tokens_decoder." + StringRef(key).str();
      if (StringRef(key).getAsInteger(10, id) || !isId(id))
        return wrong(place, expectedId() + " as the key", &token);
      const json::Object *fields = token.getAsObject();
      std::optional<StringRef> content = fields ? fields->getString("content") : std::nullopt;
      if (!content)
        return wrong(place, "an object with the key 'content'", &token);
      config.addedTokens.emplace_back(content->str(), id);
    }
    config.addedTokensJson = formatv("{0}", *value).str();
    return Error::success();
  }

  /// One template, or a list of named ones.
  Error readTemplate(const json::Object &object) {
    const json::Value *value = object.get("chat_template");
    if (isAbsent(value) || !config.chatTemplate.empty())
      return Error::success();
    std::optional<StringRef> text = value->getAsString();
    if (const json::Array *list = value->getAsArray())
      for (const json::Value &entry : *list)
        if (const json::Object *named = entry.getAsObject(); named && named->getString("name") == "default")
          text = named->getString("template");
    if (!text)
      return wrong("chat_template", "a template, or a list with one named default", value);
    config.chatTemplate = text->str();
    return Error::success();
  }

  TokenizerConfig &config;
  int64_t vocabSize;
  std::string path;
};

/// The whole text of a file.
Expected<std::string> readText(const std::string &path) {
  Expected<MappedFile> file = MappedFile::open(path, kMaxTokenizerBytes);
  if (!file)
    return file.takeError();
  return file->text().str();
}

} // namespace

const std::string *TokenizerConfig::specialToken(StringRef key) const {
  for (const auto &[name, text] : specialTokens)
    if (name == key)
      return &text;
  return nullptr;
}

Expected<TokenizerConfig> TokenizerConfig::load(StringRef directory, int64_t vocabSize, StringRef file) {
  TokenizerConfig tokenizer;
  std::string modelPath = inside(directory, "tokenizer.model");
  tokenizer.jsonPath = inside(directory, "tokenizer.json");
  tokenizer.configPath = inside(directory, "tokenizer_config.json");
  if (!file.empty() && file != "tokenizer.json" && file != "tokenizer.model")
    return makeError("the tokenizer is " + quoted(file) + ", expected tokenizer.json or tokenizer.model");
  if (!file.empty() && !sys::fs::exists(inside(directory, file)))
    return makeError(inside(directory, file) + ": there is no such file");
  if (file.empty())
    file = sys::fs::exists(tokenizer.jsonPath) ? "tokenizer.json" : "tokenizer.model";

  if (file == "tokenizer.json") {
    Expected<std::string> text = readText(tokenizer.jsonPath);
    if (!text)
      return text.takeError();
    tokenizer.json = std::move(*text);
    if (tokenizer.json.empty())
      return makeError(tokenizer.jsonPath + ": expected a JSON object, found an empty file");
  } else if (sys::fs::exists(modelPath)) {
    Expected<std::string> bytes = readText(modelPath);
    if (!bytes)
      return bytes.takeError();
    std::optional<int64_t> pieces = FieldWalker(arrayRefFromStringRef(*bytes)).countPieces();
    if (!pieces || *pieces == 0)
      return makeError(modelPath + ": expected a SentencePiece model, found something else");
    if (*pieces > vocabSize)
      return makeError(modelPath + ": expected at most " + Twine(vocabSize) + " pieces (vocab_size), found " +
                       Twine(*pieces));
    tokenizer.model = std::move(*bytes);
    tokenizer.numPieces = *pieces;
  }

  std::string templatePath = inside(directory, "chat_template.jinja"),
              generationPath = inside(directory, "generation_config.json");
  if (sys::fs::exists(templatePath)) {
    Expected<std::string> text = readText(templatePath);
    if (!text)
      return text.takeError();
    if (!json::isUTF8(*text))
      return makeError(templatePath + ": expected UTF-8");
    tokenizer.chatTemplate = std::move(*text);
  }
  ConfigReader reader(tokenizer, vocabSize);
  if (sys::fs::exists(tokenizer.configPath))
    if (Error failed = reader.readTokenizerConfig(tokenizer.configPath))
      return std::move(failed);
  if (sys::fs::exists(generationPath))
    if (Error failed = reader.readGenerationConfig(generationPath))
      return std::move(failed);
  return tokenizer;
}
