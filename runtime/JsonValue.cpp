//===- JsonValue.cpp - the checked reading of JSON -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/JsonValue.h"
#include "runtime/Error.h"

#include <cmath>
#include <limits>

using namespace samba::runtime;
using nlohmann::json;

json samba::runtime::parseObject(const std::string &file, const std::string &what, std::string_view text) {
  json document;
  try {
    document = json::parse(text);
  } catch (const json::parse_error &error) {
    throw Error(SAMBA_ERROR_FORMAT,
                "'" + file + "': " + what + " is not JSON: error at byte " + std::to_string(error.byte));
  }
  if (!document.is_object())
    throw Error(SAMBA_ERROR_FORMAT, "'" + file + "': " + what + " is not a JSON object");
  return document;
}

JsonValue JsonValue::operator[](const char *member) const {
  if (!value || !value->is_object())
    wrong("an object");
  auto found = value->find(member);
  return {file, what, key.empty() ? member : key + "." + member, found == value->end() ? nullptr : &*found};
}

size_t JsonValue::arraySize() const {
  if (!value || !value->is_array())
    wrong("an array");
  return value->size();
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

void JsonValue::wrong(const std::string &expected) const {
  std::string found = "nothing";
  if (value) {
    found = value->dump(-1, ' ', true, json::error_handler_t::replace);
    if (found.size() > 60)
      found = found.substr(0, 57) + "...";
  }
  throw Error(SAMBA_ERROR_FORMAT,
              "'" + file + "': " + what + " '" + key + "': expected " + expected + ", found " + found);
}
