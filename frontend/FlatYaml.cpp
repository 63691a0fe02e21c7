//===- FlatYaml.cpp - the scalars at the top of a YAML file ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/FlatYaml.h"

#include "frontend/Error.h"
#include "frontend/Json.h"
#include "frontend/MappedFile.h"
#include "llvm/ADT/StringExtras.h"
#include <cmath>

using namespace llvm;
using namespace samba;

namespace {

/// Numbers as JSON has them; YAML's other spellings stay texts.
std::optional<json::Value> number(StringRef text) {
  int64_t integer;
  if (to_integer(text, integer, 10))
    return json::Value(integer);
  double real;
  bool plain = !text.empty() && text.find_first_not_of("+-.0123456789eE") == StringRef::npos;
  if (plain && to_float(text, real) && std::isfinite(real))
    return json::Value(real);
  return std::nullopt;
}

json::Value scalar(StringRef text) {
  if (text.empty() || text == "null" || text == "~" || text == "Null" || text == "NULL")
    return nullptr;
  if (text.equals_insensitive("true") || text.equals_insensitive("false"))
    return text.equals_insensitive("true");
  if (std::optional<json::Value> value = number(text))
    return *value;
  return json::fixUTF8(text);
}

} // namespace

Expected<json::Object> samba::parseFlatYaml(StringRef text, StringRef file) {
  json::Object object;
  size_t number = 0;
  while (!text.empty()) {
    auto [line, rest] = text.split('\n');
    text = rest;
    ++number;
    auto error = [&](const Twine &expected, StringRef found) {
      return makeError(file + ":" + Twine(number) + ": expected " + expected + ", found " + quoted(found));
    };
    line = line.rtrim();
    bool isNested = line.starts_with(" ") || line.starts_with("\t") || line.starts_with("- ") || line == "-";
    if (line.empty() || line.starts_with("#") || line == "---" || line == "..." || isNested)
      continue;
    auto [key, value] = line.split(':');
    if (key.size() == line.size() || key.empty() || key.find_first_of("\"'{}[]&*!|>%@`,?") != StringRef::npos)
      return error("a line 'key: value'", line);
    key = key.rtrim();
    if (!value.empty() && !value.starts_with(" ") && !value.starts_with("\t"))
      return error("a blank after the colon", line);
    value = value.trim();
    json::Value result = nullptr;
    if (value.starts_with("\"") || value.starts_with("'")) {
      size_t end = value.find(value[0], 1);
      StringRef after = end == StringRef::npos ? value : value.drop_front(end + 1).ltrim();
      if (!after.empty() && !after.starts_with("#"))
        return error("one quoted text", value);
      result = json::fixUTF8(value.slice(1, end));
    } else {
      size_t comment = value.starts_with("#") ? 0 : value.find(" #");
      result = scalar(value.take_front(comment).rtrim());
    }
    if (!object.try_emplace(json::fixUTF8(key), std::move(result)).second)
      return error("each key once", key);
  }
  return std::move(object);
}

Expected<json::Object> samba::readFlatYaml(StringRef path) {
  Expected<MappedFile> file = MappedFile::open(path, kMaxJsonBytes);
  if (!file)
    return file.takeError();
  return parseFlatYaml(file->text(), path);
}
