//===- JsonValue.cpp - the checked reading of JSON -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/JsonValue.h"

#include <cmath>
#include <limits>

using namespace samba::runtime;
using nlohmann::json;

json samba::runtime::parseObject(const std::string &file, const std::string &what, std::string_view text) {
  json document;
  try {
    document = json::parse(text, limitDepth<json>("'" + file + "': " + what, SAMBA_ERROR_FORMAT));
  } catch (const json::parse_error &error) {
    throw Error(SAMBA_ERROR_FORMAT,
                "'" + file + "': " + what + " is not JSON: error at byte " + std::to_string(error.byte));
  } catch (const json::out_of_range &) {
    throw Error(SAMBA_ERROR_FORMAT, "'" + file + "': " + what + " has a number that is too large");
  }
  if (!document.is_object())
    throw Error(SAMBA_ERROR_FORMAT, "'" + file + "': " + what + " is not a JSON object");
  return document;
}

JsonValue JsonValue::operator[](const std::string &member) const {
  if (!isObject())
    wrong("an object");
  auto found = value->find(member);
  return {file, what, key.empty() ? member : key + "." + member, found == value->end() ? nullptr : &*found};
}

size_t JsonValue::arraySize() const {
  if (!value || !value->is_array())
    wrong("an array");
  return value->size();
}

const json &JsonValue::object() const {
  if (!isObject())
    wrong("an object");
  return *value;
}

JsonValue JsonValue::at(size_t index) const {
  return {file, what, key + "[" + std::to_string(index) + "]", &(*value)[index]};
}

JsonValue::Member JsonValue::onlyMember() const {
  if (!value || !value->is_object() || value->size() != 1)
    wrong("an object of one member");
  std::string name = value->begin().key();
  return {name, {file, what, key + "." + name, &*value->begin()}};
}

std::string JsonValue::string() const {
  if (!value || !value->is_string() || value->get_ref<const std::string &>().find('\0') != std::string::npos)
    wrong("a string");
  return value->get<std::string>();
}

const std::string &JsonValue::text() const {
  if (!isString())
    wrong("a string");
  return value->get_ref<const std::string &>();
}

int64_t JsonValue::integer(int64_t low, int64_t high) const {
  std::string expected = "an integer from " + std::to_string(low) + " to " + std::to_string(high);
  if (!value || !value->is_number_integer())
    wrong(expected);
  if (value->is_number_unsigned() &&
      value->get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max()))
    wrong(expected);
  int64_t number = value->get<int64_t>();
  if (number < low || number > high)
    wrong(expected);
  return number;
}

double JsonValue::number() const {
  if (!value || !value->is_number() || !std::isfinite(value->get<double>()))
    wrong("a number");
  return value->get<double>();
}

bool JsonValue::boolean() const {
  if (!value || !value->is_boolean())
    wrong("true or false");
  return value->get<bool>();
}

/// On one line, in ASCII, shortened.
static std::string describe(const json &value, size_t limit) {
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  return text.size() > limit ? text.substr(0, limit - 3) + "..." : text;
}

void JsonValue::wrong(const std::string &expected) const {
  std::string found = value ? describe(*value, 60) : "nothing";
  std::string place = describe(json(key), 202); // in quotes
  place = place.substr(1, place.size() - 2);
  throw Error(SAMBA_ERROR_FORMAT,
              "'" + file + "': " + what + " '" + place + "': expected " + expected + ", found " + found);
}
