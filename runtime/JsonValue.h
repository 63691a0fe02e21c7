//===- JsonValue.h - the checked reading of JSON ---------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_JSONVALUE_H
#define RUNTIME_JSONVALUE_H

#include "runtime/Error.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace samba::runtime {

/// For a parser: throws Error of `status` with a message about `name` if text is nested more than 64 deep, so that
/// nothing that follows its nesting (copies, comparisons, writing it) goes too deep.
template <typename Json> typename Json::parser_callback_t limitDepth(std::string name, samba_status status) {
  return [name = std::move(name), status](int depth, typename Json::parse_event_t, Json &) {
    if (depth > 64)
      throw Error(status, name + " is nested deeper than 64");
    return true;
  };
}

/// Parses text nested at most 64 deep. What is not JSON is a discarded value.
template <typename Json>
Json parseJson(std::string_view text, const std::string &name, samba_status status = SAMBA_ERROR_FORMAT) {
  return Json::parse(text, limitDepth<Json>(name, status), /*allow_exceptions=*/false);
}

/// Parses an object, nested at most 64 deep. Throws SAMBA_ERROR_FORMAT; `file` and `what` ("the manifest") are for
/// messages.
nlohmann::json parseObject(const std::string &file, const std::string &what, std::string_view text);

/// A value of a JSON document and the path of keys that leads to it, "state.fields[3].name". Every access throws
/// SAMBA_ERROR_FORMAT, naming file, path and what was found, if the value is not of the expected kind.
class JsonValue {
public:
  /// Far beyond any model, and small enough for sums and products of a few of them in 64 bits.
  static constexpr int64_t maxBytes = int64_t(1) << 46;

  /// `what` ("manifest key") stands before the path in messages. All must outlive the value and those inside.
  JsonValue(const std::string &file, const char *what, const nlohmann::json &document)
      : file(file), what(what), value(&document) {}

  bool isNull() const { return !value || value->is_null(); }
  bool isObject() const { return value && value->is_object(); }
  bool isArray() const { return value && value->is_array(); }
  bool isString() const { return value && value->is_string(); }
  JsonValue operator[](const std::string &member) const;
  /// An object with all its members.
  const nlohmann::json &object() const;
  size_t arraySize() const;
  JsonValue at(size_t index) const;
  /// The only member of an object of one.
  struct Member;
  Member onlyMember() const;

  /// Without zero bytes.
  std::string string() const;
  /// Any.
  const std::string &text() const;
  int64_t integer(int64_t low, int64_t high) const;
  /// A finite number.
  double number() const;
  bool boolean() const;
  /// Absent and null are `absent`.
  bool boolean(bool absent) const { return isNull() ? absent : boolean(); }

  [[noreturn]] void wrong(const std::string &expected) const;

private:
  JsonValue(const std::string &file, const char *what, std::string key, const nlohmann::json *value)
      : file(file), what(what), key(std::move(key)), value(value) {}

  const std::string &file;
  const char *what;
  std::string key;
  const nlohmann::json *value; // null: absent
};

struct JsonValue::Member {
  std::string name;
  JsonValue value;
};

} // namespace samba::runtime

#endif // RUNTIME_JSONVALUE_H
