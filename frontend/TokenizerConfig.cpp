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

Error readFlag(const json::Object &object, const std::string &path, StringRef key, bool &flag) {
  const json::Value *value = object.get(key);
  if (!value || value->kind() == json::Value::Null)
    return Error::success();
  std::optional<bool> found = value->getAsBoolean();
  if (!found)
    return makeError(path + ": key " + quoted(key) + ": expected true or false, found " + describe(value));
  flag = *found;
  return Error::success();
}

} // namespace

Expected<TokenizerConfig> TokenizerConfig::load(StringRef directory, int64_t vocabSize) {
  TokenizerConfig tokenizer;
  std::string modelPath = inside(directory, "tokenizer.model"), configPath = inside(directory, "tokenizer_config.json");
  if (sys::fs::exists(modelPath)) {
    Expected<MappedFile> file = MappedFile::open(modelPath, kMaxTokenizerBytes);
    if (!file)
      return file.takeError();
    std::optional<int64_t> pieces = FieldWalker(file->bytes()).countPieces();
    if (!pieces || *pieces == 0)
      return makeError(modelPath + ": expected a SentencePiece model, found something else");
    if (*pieces > vocabSize)
      return makeError(modelPath + ": expected at most " + Twine(vocabSize) + " pieces (vocab_size), found " +
                       Twine(*pieces));
    tokenizer.model = file->text().str();
    tokenizer.numPieces = *pieces;
  }
  if (sys::fs::exists(configPath)) {
    Expected<json::Object> object = readJsonObject(configPath);
    if (!object)
      return object.takeError();
    if (Error failed = readFlag(*object, configPath, "add_bos_token", tokenizer.addBosToken))
      return std::move(failed);
    if (Error failed = readFlag(*object, configPath, "add_eos_token", tokenizer.addEosToken))
      return std::move(failed);
  }
  return tokenizer;
}
