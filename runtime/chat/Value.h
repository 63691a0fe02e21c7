//===- Value.h - values of chat templates ----------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_CHAT_VALUE_H
#define RUNTIME_CHAT_VALUE_H

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace samba::runtime::chat {

/// What is wrong with a template or its values, without a place. Becomes a runtime::Error with one.
struct Problem {
  std::string message;
};

class Value;
class Interpreter;
using Values = std::vector<Value>;
using Entries = std::vector<std::pair<Value, Value>>; // of a mapping, in order of insertion

/// Arguments of a call.
struct Arguments {
  Values positional;
  std::vector<std::pair<std::string, Value>> named;
};
using Function = std::function<Value(Interpreter &, Arguments &)>;

/// A value of the template language. Strings, lists and mappings do not change once they are made; namespaces do.
class Value {
public:
  enum Kind { Undefined, None, Boolean, Integer, Float, String, List, Tuple, Mapping, Namespace, Callable };

  Value() = default; // undefined
  static Value undefined(std::string name);
  static Value none();
  static Value boolean(bool value);
  static Value integer(int64_t value);
  static Value real(double value);
  static Value string(std::string value);
  /// Throw Problem if they would be nested too deep or too large, or hold a namespace.
  static Value list(Values items, bool tuple = false);
  static Value mapping(Entries entries);
  static Value space();
  static Value callable(Function function);
  static Value fromJson(const nlohmann::ordered_json &json);

  Kind kind() const { return tag; }
  bool is(Kind kind) const { return tag == kind; }
  bool isNumber() const { return tag == Integer || tag == Float || tag == Boolean; }
  bool isSequence() const { return tag == List || tag == Tuple; }
  bool asBoolean() const { return std::get<bool>(data); }
  /// Of a boolean or an integer.
  int64_t asInteger() const { return tag == Boolean ? int64_t(asBoolean()) : std::get<int64_t>(data); }
  double asReal() const { return tag == Float ? std::get<double>(data) : static_cast<double>(asInteger()); }
  const std::string &asString() const { return *std::get<std::shared_ptr<const std::string>>(data); }
  const Values &items() const { return *std::get<std::shared_ptr<const Values>>(data); }
  const Entries &entries() const;
  Entries &spaceEntries() const { return *std::get<std::shared_ptr<Entries>>(data); }
  const Function &function() const { return *std::get<std::shared_ptr<const Function>>(data); }
  /// What an undefined value was looked up as.
  const std::string &missing() const { return asString(); }

  bool truth() const;
  /// The member of a mapping or namespace with that key; null if there is none.
  const Value *find(const Value &key) const;
  const Value *find(const std::string &key) const { return find(string(key)); }

  /// As output.
  std::string text() const;
  /// As inside a list in the output: strings in quotes.
  std::string repr() const;
  /// "a string", for messages.
  const char *kindName() const;

  friend bool operator==(const Value &left, const Value &right);
  /// Throws Problem if they have no order.
  friend bool operator<(const Value &left, const Value &right);

private:
  void contain(const Value &item);
  template <typename Data> Value(Kind tag, Data data) : tag(tag), data(std::move(data)) {}

  Kind tag = Undefined;
  int levels = 0;     // of nesting
  int64_t weight = 1; // of all text and values in it: shared ones count each time
  std::variant<std::monostate, bool, int64_t, double, std::shared_ptr<const std::string>, std::shared_ptr<const Values>,
               std::shared_ptr<Entries>, std::shared_ptr<const Function>>
      data;
};

/// JSON as Python writes it, without line breaks if `indent` is negative.
std::string toJson(const Value &value, int indent = -1, bool sortKeys = false, bool ascii = false,
                   const std::string &comma = ", ", const std::string &colon = ": ");
/// As Python prints it.
std::string realText(double value);

} // namespace samba::runtime::chat

#endif // RUNTIME_CHAT_VALUE_H
