//===- Globals.cpp - functions that chat templates call -------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/chat/Interpreter.h"

#include <algorithm>

using namespace samba::runtime;
using namespace samba::runtime::chat;

namespace {

Value strftimeNow(Interpreter &interpreter, Arguments &arguments) {
  checkArguments(arguments, "strftime_now", {"format"});
  const Value *format = argument(arguments, 0, "format");
  if (!format)
    throw Problem{"strftime_now needs a format"};
  std::time_t now = interpreter.time();
  std::tm local = {};
  ::localtime_r(&now, &local);
  char buffer[512];
  size_t size = std::strftime(buffer, sizeof(buffer), wantString(*format, "strftime_now").c_str(), &local);
  return Value::string(std::string(buffer, size));
}

Value raiseException(Interpreter &, Arguments &arguments) {
  const Value *message = argument(arguments, 0, "message");
  throw Problem{message ? message->text() : "raise_exception"};
}

Value range(Interpreter &interpreter, Arguments &arguments) {
  checkArguments(arguments, "range", {"start", "stop", "step"});
  const Values &given = arguments.positional;
  if (given.empty())
    throw Problem{"range needs a number"};
  int64_t first = given.size() > 1 ? wantInteger(given[0], "range") : 0;
  int64_t last = wantInteger(given[given.size() > 1 ? 1 : 0], "range");
  int64_t step = given.size() > 2 ? wantInteger(given[2], "range") : 1;
  if (step == 0)
    throw Problem{"range has a step of 0"};
  Values numbers;
  for (int64_t i = first; step > 0 ? i < last : i > last;) {
    interpreter.charge(elementBytes);
    numbers.push_back(Value::integer(i));
    if (__builtin_add_overflow(i, step, &i))
      break;
  }
  return Value::list(std::move(numbers));
}

Value makeNamespace(Interpreter &, Arguments &arguments) {
  Value space = Value::space();
  for (const Value &value : arguments.positional)
    if (value.is(Value::Mapping))
      space.spaceEntries() = value.entries();
  for (auto &[name, value] : arguments.named) {
    if (value.is(Value::Namespace))
      throw Problem{"a namespace cannot be put into another"};
    space.spaceEntries().emplace_back(Value::string(name), std::move(value));
  }
  return space;
}

Value makeDict(Interpreter &, Arguments &arguments) {
  Entries entries;
  for (auto &[name, value] : arguments.named)
    entries.emplace_back(Value::string(name), std::move(value));
  return Value::mapping(std::move(entries));
}

} // namespace

const Value *chat::argument(const Arguments &arguments, size_t place, const char *name) {
  if (place < arguments.positional.size())
    return &arguments.positional[place];
  for (const auto &[given, value] : arguments.named)
    if (given == name)
      return &value;
  return nullptr;
}

void chat::checkArguments(const Arguments &arguments, const char *function, std::initializer_list<const char *> names) {
  if (arguments.positional.size() > names.size())
    throw Problem{std::string(function) + " takes at most " + std::to_string(names.size()) + " arguments"};
  for (const auto &[given, value] : arguments.named)
    if (std::none_of(names.begin(), names.end(), [&, &given = given](const char *name) { return given == name; }))
      throw Problem{std::string(function) + " has no argument '" + given + "'"};
}

int64_t chat::wantInteger(const Value &value, const char *what) {
  if (!value.is(Value::Integer) && !value.is(Value::Boolean))
    throw Problem{std::string(what) + ": expected an integer, found " + value.kindName()};
  return value.asInteger();
}

const std::string &chat::wantString(const Value &value, const char *what) {
  if (!value.is(Value::String))
    throw Problem{std::string(what) + ": expected a string, found " + value.kindName()};
  return value.asString();
}

void chat::addGlobals(Scope &scope) {
  scope.set("range", Value::callable(range));
  scope.set("namespace", Value::callable(makeNamespace));
  scope.set("dict", Value::callable(makeDict));
  scope.set("raise_exception", Value::callable(raiseException));
  scope.set("strftime_now", Value::callable(strftimeNow));
}
