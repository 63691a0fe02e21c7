//===- Json.cpp - a strict JSON reader ------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/Json.h"

#include "frontend/Error.h"
#include "frontend/MappedFile.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ConvertUTF.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using namespace llvm;
using namespace samba;

namespace {

class Parser {
public:
  Parser(StringRef text, StringRef file) : text(text), file(file), next(0) {}

  Expected<json::Value> parse() {
    size_t invalid = 0;
    if (!json::isUTF8(text, &invalid))
      return error("expected UTF-8", invalid);
    json::Value value = nullptr;
    if (Error failed = parseValue(value, 0))
      return std::move(failed);
    skipSpace();
    if (next != text.size())
      return error("expected the end of the text");
    return std::move(value);
  }

private:
  static constexpr int kMaxDepth = 64;
  static constexpr size_t kMaxNumberLength = 256;

  Error error(const Twine &message, size_t at) const {
    StringRef before = text.take_front(at);
    size_t line = before.count('\n') + 1, column = at - (before.rfind('\n') + 1) + 1;
    return makeError(file + ":" + Twine(line) + ":" + Twine(column) + ": invalid JSON: " + message);
  }
  Error error(const Twine &message) const { return error(message, next); }

  bool at(char c) const { return next < text.size() && text[next] == c; }
  bool accept(char c) {
    if (!at(c))
      return false;
    ++next;
    return true;
  }
  void skipSpace() { next = std::min(text.find_first_not_of(" \t\r\n", next), text.size()); }

  Error parseValue(json::Value &value, int depth) {
    if (depth > kMaxDepth)
      return error("expected at most " + Twine(kMaxDepth) + " levels of nesting");
    skipSpace();
    if (at('{'))
      return parseObject(value, depth);
    if (at('['))
      return parseArray(value, depth);
    if (at('"')) {
      std::string string;
      if (Error failed = parseString(string))
        return failed;
      value = std::move(string);
      return Error::success();
    }
    if (at('-') || (next < text.size() && isDigit(text[next])))
      return parseNumber(value);
    StringRef rest = text.drop_front(next);
    for (auto [word, meaning] : {std::pair<StringRef, json::Value>("null", nullptr), {"true", true}, {"false", false}})
      if (rest.starts_with(word)) {
        next += word.size();
        value = meaning;
        return Error::success();
      }
    return error("expected a value");
  }

  Error parseObject(json::Value &value, int depth) {
    json::Object object;
    accept('{');
    skipSpace();
    while (!accept('}')) {
      if (!object.empty() && !accept(','))
        return error("expected ',' or '}'");
      skipSpace();
      size_t start = next;
      std::string key;
      if (!at('"'))
        return error("expected a key in double quotes");
      if (Error failed = parseString(key))
        return failed;
      skipSpace();
      if (!accept(':'))
        return error("expected ':'");
      auto [entry, isNew] = object.try_emplace(key, nullptr);
      if (!isNew)
        return error("expected each key once, found " + quoted(key) + " twice", start);
      if (Error failed = parseValue(entry->second, depth + 1))
        return failed;
      skipSpace();
    }
    value = std::move(object);
    return Error::success();
  }

  Error parseArray(json::Value &value, int depth) {
    json::Array array;
    accept('[');
    skipSpace();
    while (!accept(']')) {
      if (!array.empty() && !accept(','))
        return error("expected ',' or ']'");
      json::Value element = nullptr;
      if (Error failed = parseValue(element, depth + 1))
        return failed;
      array.push_back(std::move(element));
      skipSpace();
    }
    value = std::move(array);
    return Error::success();
  }

  Error parseNumber(json::Value &value) {
    size_t start = next;
    auto digits = [&] {
      size_t first = next;
      while (next < text.size() && isDigit(text[next]))
        ++next;
      return next > first;
    };
    accept('-');
    bool leadingZero = at('0');
    size_t first = next;
    if (!digits() || (leadingZero && next > first + 1))
      return error("expected a number", start);
    bool isInteger = true;
    if (accept('.')) {
      isInteger = false;
      if (!digits())
        return error("expected digits after the point");
    }
    if (accept('e') || accept('E')) {
      isInteger = false;
      if (!accept('+'))
        accept('-');
      if (!digits())
        return error("expected digits in the exponent");
    }
    StringRef number = text.slice(start, next);
    if (number.size() > kMaxNumberLength)
      return error("expected a number of at most " + Twine(kMaxNumberLength) + " characters", start);
    int64_t integer;
    uint64_t natural;
    double real;
    if (isInteger && !number.getAsInteger(10, integer))
      value = integer;
    else if (isInteger && !number.getAsInteger(10, natural))
      value = natural;
    else if (!number.getAsDouble(real) && std::isfinite(real))
      value = real;
    else
      return error("expected a number in the range of a double", start);
    return Error::success();
  }

  /// Four hexadecimal digits.
  bool parseUnit(unsigned &unit) {
    StringRef digits = text.substr(next, 4);
    if (digits.size() != 4 || !all_of(digits, isHexDigit) || digits.getAsInteger(16, unit))
      return false;
    next += 4;
    return true;
  }

  Error parseEscape(std::string &string) {
    size_t start = next - 1;
    char c = next < text.size() ? text[next++] : '\0';
    size_t simple = StringRef("\"\\/bfnrt").find(c);
    if (simple != StringRef::npos) {
      string += "\"\\/\b\f\n\r\t"[simple];
      return Error::success();
    }
    unsigned unit, low;
    if (c != 'u' || !parseUnit(unit))
      return error("expected a known escape sequence", start);
    if (unit >= 0xD800 && unit < 0xE000) {
      if (unit >= 0xDC00 || !accept('\\') || !accept('u') || !parseUnit(low) || low < 0xDC00 || low >= 0xE000)
        return error("expected a pair of surrogates", start);
      unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    }
    char bytes[UNI_MAX_UTF8_BYTES_PER_CODE_POINT], *end = bytes;
    ConvertCodePointToUTF8(unit, end);
    string.append(bytes, end);
    return Error::success();
  }

  Error parseString(std::string &string) {
    size_t start = next;
    accept('"');
    while (!accept('"')) {
      if (next == text.size())
        return error("expected '\"' at the end of the string", start);
      char c = text[next];
      if (static_cast<unsigned char>(c) < 0x20)
        return error("expected no control character in a string");
      ++next;
      if (c != '\\')
        string += c;
      else if (Error failed = parseEscape(string))
        return failed;
    }
    return Error::success();
  }

  StringRef text, file;
  size_t next;
};

} // namespace

Expected<json::Value> samba::parseJson(StringRef text, StringRef file) { return Parser(text, file).parse(); }

Expected<json::Object> samba::readJsonObject(StringRef path) {
  Expected<MappedFile> file = MappedFile::open(path, kMaxJsonBytes);
  if (!file)
    return file.takeError();
  Expected<json::Value> value = parseJson(file->text(), path);
  if (!value)
    return value.takeError();
  if (json::Object *object = value->getAsObject())
    return std::move(*object);
  return makeError(path + ": expected a JSON object, found " + describe(&*value));
}

std::string samba::describe(const json::Value *value) {
  constexpr size_t kLongest = 80;
  if (!value)
    return "nothing";
  std::string text;
  raw_string_ostream(text) << *value;
  if (text.size() <= kLongest)
    return text;
  // Never cut a character in two.
  size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;
  return text.substr(0, end) + "...";
}
