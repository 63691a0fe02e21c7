//===- Value.cpp - values of chat templates ------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/chat/Value.h"
#include "runtime/tokenizer/Unicode.h"

#include <algorithm>
#include <charconv>
#include <cmath>

using namespace samba::runtime;
using namespace samba::runtime::chat;
using nlohmann::ordered_json;

namespace {
constexpr int maxLevels = 100;
constexpr int64_t maxWeight = 1 << 26;
constexpr size_t maxEntries = 10000;
} // namespace

Value Value::undefined(std::string name) { return {Undefined, std::make_shared<const std::string>(std::move(name))}; }
Value Value::none() { return {None, std::monostate()}; }
Value Value::boolean(bool value) { return {Boolean, value}; }
Value Value::integer(int64_t value) { return {Integer, value}; }
Value Value::real(double value) { return {Float, value}; }
Value Value::string(std::string text) {
  int64_t size = static_cast<int64_t>(text.size());
  Value value(String, std::make_shared<const std::string>(std::move(text)));
  value.weight += size;
  return value;
}
Value Value::space() { return {Namespace, std::make_shared<Entries>()}; }
Value Value::callable(Function function) { return {Callable, std::make_shared<const Function>(std::move(function))}; }

/// Takes note of what is put into this one.
void Value::contain(const Value &item) {
  if (item.is(Namespace))
    throw Problem{"a namespace cannot be put into a list or mapping"};
  levels = std::max(levels, item.levels + 1);
  weight += item.weight;
  if (levels > maxLevels)
    throw Problem{"values are nested deeper than " + std::to_string(maxLevels)};
  if (weight > maxWeight)
    throw Problem{"a value is larger than " + std::to_string(maxWeight) + " bytes"};
}

Value Value::list(Values items, bool tuple) {
  Value value(tuple ? Tuple : List, std::make_shared<const Values>(std::move(items)));
  for (const Value &item : value.items())
    value.contain(item);
  return value;
}

Value Value::mapping(Entries entries) {
  if (entries.size() > maxEntries)
    throw Problem{"a mapping has more than " + std::to_string(maxEntries) + " entries"};
  Value value(Mapping, std::make_shared<Entries>(std::move(entries)));
  for (const auto &[key, item] : value.entries()) {
    value.contain(key);
    value.contain(item);
  }
  return value;
}

Value Value::fromJson(const ordered_json &json) {
  switch (json.type()) {
  case ordered_json::value_t::boolean:
    return boolean(json.get<bool>());
  case ordered_json::value_t::number_integer:
  case ordered_json::value_t::number_unsigned:
    if (json.is_number_unsigned() && json.get<uint64_t>() > uint64_t(INT64_MAX))
      return real(json.get<double>());
    return integer(json.get<int64_t>());
  case ordered_json::value_t::number_float:
    return real(json.get<double>());
  case ordered_json::value_t::string:
    return string(json.get<std::string>());
  case ordered_json::value_t::array: {
    Values items;
    for (const ordered_json &item : json)
      items.push_back(fromJson(item));
    return list(std::move(items));
  }
  case ordered_json::value_t::object: {
    Entries entries;
    for (const auto &item : json.items())
      entries.emplace_back(string(item.key()), fromJson(item.value()));
    return mapping(std::move(entries));
  }
  default:
    return none();
  }
}

const Entries &Value::entries() const { return *std::get<std::shared_ptr<Entries>>(data); }

bool Value::truth() const {
  switch (tag) {
  case Undefined:
  case None:
    return false;
  case Boolean:
    return asBoolean();
  case Integer:
    return asInteger() != 0;
  case Float:
    return asReal() != 0;
  case String:
    return !asString().empty();
  case List:
  case Tuple:
    return !items().empty();
  case Mapping:
    return !entries().empty();
  default:
    return true;
  }
}

const Value *Value::find(const Value &key) const {
  for (const auto &[name, value] : entries())
    if (name == key)
      return &value;
  return nullptr;
}

std::string chat::realText(double value) {
  if (std::isnan(value))
    return "nan";
  if (std::isinf(value))
    return value < 0 ? "-inf" : "inf";
  char buffer[64];
  double size = std::fabs(value);
  bool plain = size == 0 || (size >= 1e-4 && size < 1e16);
  auto [end, error] = plain ? std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::fixed)
                            : std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  std::string text(buffer, end);
  return plain && text.find('.') == std::string::npos ? text + ".0" : text;
}

std::string Value::text() const { return is(String) ? asString() : is(Undefined) ? "" : repr(); }

/// As Python writes a string in quotes.
static std::string quoted(const std::string &text) {
  bool single = text.find('\'') == std::string::npos || text.find('"') != std::string::npos;
  char quote = single ? '\'' : '"';
  std::string result(1, quote);
  char buffer[16];
  for (size_t at = 0; at < text.size();) {
    size_t begin = at;
    char32_t c = characterAt(text, at);
    if (c == static_cast<char32_t>(quote) || c == '\\')
      result += {'\\', static_cast<char>(c)};
    else if (c == '\n')
      result += "\\n";
    else if (c == '\r')
      result += "\\r";
    else if (c == '\t')
      result += "\\t";
    else if (c < 0x20 || (c >= 0x7f && c <= 0xa0) || c == 0xad) {
      std::snprintf(buffer, sizeof(buffer), "\\x%02x", static_cast<unsigned>(c));
      result += buffer;
    } else
      result += text.substr(begin, at - begin);
  }
  return result + quote;
}

std::string Value::repr() const {
  auto join = [](const auto &all, auto one) {
    std::string result;
    for (const auto &item : all)
      result += (result.empty() ? "" : ", ") + one(item);
    return result;
  };
  auto pair = [](const auto &entry) { return entry.first.repr() + ": " + entry.second.repr(); };
  switch (tag) {
  case Undefined:
    return "Undefined";
  case None:
    return "None";
  case Boolean:
    return asBoolean() ? "True" : "False";
  case Integer:
    return std::to_string(asInteger());
  case Float:
    return realText(asReal());
  case String:
    return quoted(asString());
  case List:
    return "[" + join(items(), [](const Value &item) { return item.repr(); }) + "]";
  case Tuple:
    return "(" + join(items(), [](const Value &item) { return item.repr(); }) + (items().size() == 1 ? ",)" : ")");
  case Mapping:
    return "{" + join(entries(), pair) + "}";
  case Namespace:
    return "<Namespace {" + join(entries(), pair) + "}>";
  case Callable:
    return "<function>";
  }
  return "";
}

const char *Value::kindName() const {
  static const char *const names[] = {"an undefined value", "none",        "a boolean", "an integer",
                                      "a number",           "a string",    "a list",    "a tuple",
                                      "a mapping",          "a namespace", "a function"};
  return names[tag];
}

bool chat::operator==(const Value &left, const Value &right) {
  if (left.isNumber() && right.isNumber())
    return left.is(Value::Float) || right.is(Value::Float) ? left.asReal() == right.asReal()
                                                           : left.asInteger() == right.asInteger();
  if (left.tag != right.tag)
    return false;
  switch (left.tag) {
  case Value::Undefined:
  case Value::None:
    return true;
  case Value::String:
    return left.asString() == right.asString();
  case Value::List:
  case Value::Tuple:
    return left.items() == right.items();
  case Value::Mapping:
    return left.entries().size() == right.entries().size() &&
           std::all_of(left.entries().begin(), left.entries().end(), [&](const auto &entry) {
             const Value *other = right.find(entry.first);
             return other && *other == entry.second;
           });
  default:
    return left.data == right.data;
  }
}

bool chat::operator<(const Value &left, const Value &right) {
  if (left.isNumber() && right.isNumber())
    return left.is(Value::Float) || right.is(Value::Float) ? left.asReal() < right.asReal()
                                                           : left.asInteger() < right.asInteger();
  if (left.is(Value::String) && right.is(Value::String))
    return left.asString() < right.asString();
  if (left.isSequence() && left.tag == right.tag) {
    size_t count = std::min(left.items().size(), right.items().size());
    for (size_t i = 0; i < count; ++i)
      if (!(left.items()[i] == right.items()[i]))
        return left.items()[i] < right.items()[i];
    return left.items().size() < right.items().size();
  }
  throw Problem{std::string("cannot compare ") + left.kindName() + " with " + right.kindName()};
}

namespace {

class JsonWriter {
public:
  JsonWriter(int indent, bool sortKeys, bool ascii, const std::string &comma, const std::string &colon)
      : indent(indent), sortKeys(sortKeys), ascii(ascii), comma(comma), colon(colon) {}

  void write(const Value &value, int level) {
    switch (value.kind()) {
    case Value::None:
      out += "null";
      return;
    case Value::Boolean:
      out += value.asBoolean() ? "true" : "false";
      return;
    case Value::Integer:
      out += std::to_string(value.asInteger());
      return;
    case Value::Float:
      out += std::isnan(value.asReal())   ? "NaN"
             : std::isinf(value.asReal()) ? (value.asReal() < 0 ? "-Infinity" : "Infinity")
                                          : realText(value.asReal());
      return;
    case Value::String:
      return string(value.asString());
    case Value::List:
    case Value::Tuple:
      return all('[', value.items(), ']', level, [&](const Value &item) { write(item, level + 1); });
    case Value::Mapping: {
      Entries entries = value.entries();
      if (sortKeys)
        std::sort(entries.begin(), entries.end(),
                  [](const auto &left, const auto &right) { return left.first < right.first; });
      return all('{', entries, '}', level, [&](const auto &entry) {
        const Value &key = entry.first;
        std::string name = key.is(Value::String) ? key.asString() : toJson(key);
        string(name);
        out += colon;
        write(entry.second, level + 1);
      });
    }
    default:
      throw Problem{std::string("tojson cannot write ") + value.kindName()};
    }
  }

  std::string out;

private:
  template <typename All, typename One> void all(char open, const All &items, char close, int level, One one) {
    out += open;
    bool first = true;
    for (const auto &item : items) {
      if (!first)
        out += comma;
      first = false;
      newline(level + 1);
      one(item);
    }
    if (!first)
      newline(level);
    out += close;
  }

  void newline(int level) {
    if (indent >= 0)
      out += "\n" + std::string(static_cast<size_t>(indent) * static_cast<size_t>(level), ' ');
  }

  void unit(unsigned value) {
    char buffer[8];
    std::snprintf(buffer, sizeof(buffer), "\\u%04x", value);
    out += buffer;
  }

  void string(const std::string &text) {
    out += '"';
    for (size_t at = 0; at < text.size();) {
      size_t begin = at;
      char32_t c = characterAt(text, at);
      static const char escapes[] = "\"\\\n\r\t\b\f", letters[] = "\"\\nrtbf";
      const char *escape = c > 0 && c < 0x80 ? std::char_traits<char>::find(escapes, 7, static_cast<char>(c)) : nullptr;
      if (escape) {
        out += {'\\', letters[escape - escapes]};
      } else if (c < 0x20 || (ascii && c > 0x7e && c < 0x10000)) {
        unit(static_cast<unsigned>(c));
      } else if (ascii && c >= 0x10000) {
        unit(static_cast<unsigned>(0xd800 + ((c - 0x10000) >> 10)));
        unit(static_cast<unsigned>(0xdc00 + ((c - 0x10000) & 0x3ff)));
      } else {
        out += text.substr(begin, at - begin);
      }
    }
    out += '"';
  }

  int indent;
  bool sortKeys, ascii;
  const std::string &comma, &colon;
};

} // namespace

std::string chat::toJson(const Value &value, int indent, bool sortKeys, bool ascii, const std::string &comma,
                         const std::string &colon) {
  JsonWriter writer(indent, sortKeys, ascii, comma, colon);
  writer.write(value, 0);
  return writer.out;
}
