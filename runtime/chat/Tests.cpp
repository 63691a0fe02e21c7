//===- Tests.cpp - tests of chat templates --------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/chat/Interpreter.h"
#include "runtime/tokenizer/Unicode.h"

#include <algorithm>
#include <map>

using namespace samba::runtime;
using namespace samba::runtime::chat;

namespace {

using Test = bool (*)(Interpreter &, const Value &value, Arguments &);

const Value &other(Arguments &arguments) {
  if (arguments.positional.size() != 1)
    throw Problem{"a test needs a value to compare with"};
  return arguments.positional[0];
}

template <Value::Kind kind> bool isKind(Interpreter &, const Value &value, Arguments &) { return value.is(kind); }
bool isDefined(Interpreter &, const Value &value, Arguments &) { return !value.is(Value::Undefined); }
bool isNumber(Interpreter &, const Value &value, Arguments &) { return value.isNumber(); }
bool isTrue(Interpreter &, const Value &value, Arguments &) { return value.is(Value::Boolean) && value.asBoolean(); }
bool isFalse(Interpreter &, const Value &value, Arguments &) { return value.is(Value::Boolean) && !value.asBoolean(); }
bool isIterable(Interpreter &, const Value &value, Arguments &) {
  return value.isSequence() || value.is(Value::String) || value.is(Value::Mapping) || value.is(Value::Undefined);
}
bool isEqual(Interpreter &, const Value &value, Arguments &arguments) { return value == other(arguments); }
bool isUnequal(Interpreter &, const Value &value, Arguments &arguments) { return !(value == other(arguments)); }
bool isLess(Interpreter &, const Value &value, Arguments &arguments) { return value < other(arguments); }
bool isGreater(Interpreter &, const Value &value, Arguments &arguments) { return other(arguments) < value; }
bool isAtMost(Interpreter &, const Value &value, Arguments &arguments) { return !(other(arguments) < value); }
bool isAtLeast(Interpreter &, const Value &value, Arguments &arguments) { return !(value < other(arguments)); }
bool isIn(Interpreter &interpreter, const Value &value, Arguments &arguments) {
  const Value &all = other(arguments);
  if (all.is(Value::String))
    return all.asString().find(wantString(value, "in")) != std::string::npos;
  Values items = interpreter.iterate(all);
  return std::find(items.begin(), items.end(), value) != items.end();
}
bool isDivisible(Interpreter &, const Value &value, Arguments &arguments) {
  int64_t by = wantInteger(other(arguments), "divisibleby");
  if (by == 0)
    throw Problem{"division by zero"};
  return by == -1 || wantInteger(value, "divisibleby") % by == 0;
}
bool isOdd(Interpreter &, const Value &value, Arguments &) { return wantInteger(value, "odd") % 2 != 0; }
bool isEven(Interpreter &, const Value &value, Arguments &) { return wantInteger(value, "even") % 2 == 0; }
bool isLower(Interpreter &, const Value &value, Arguments &) {
  return lowercase(value.text()) == value.text() && uppercase(value.text()) != value.text();
}
bool isUpper(Interpreter &, const Value &value, Arguments &) {
  return uppercase(value.text()) == value.text() && lowercase(value.text()) != value.text();
}

const std::map<std::string, Test> tests = {{"defined", isDefined},
                                           {"undefined", isKind<Value::Undefined>},
                                           {"none", isKind<Value::None>},
                                           {"string", isKind<Value::String>},
                                           {"number", isNumber},
                                           {"integer", isKind<Value::Integer>},
                                           {"float", isKind<Value::Float>},
                                           {"boolean", isKind<Value::Boolean>},
                                           {"true", isTrue},
                                           {"false", isFalse},
                                           {"mapping", isKind<Value::Mapping>},
                                           {"sequence", isIterable},
                                           {"iterable", isIterable},
                                           {"callable", isKind<Value::Callable>},
                                           {"equalto", isEqual},
                                           {"eq", isEqual},
                                           {"==", isEqual},
                                           {"sameas", isEqual},
                                           {"ne", isUnequal},
                                           {"!=", isUnequal},
                                           {"lt", isLess},
                                           {"lessthan", isLess},
                                           {"<", isLess},
                                           {"gt", isGreater},
                                           {"greaterthan", isGreater},
                                           {">", isGreater},
                                           {"le", isAtMost},
                                           {"<=", isAtMost},
                                           {"ge", isAtLeast},
                                           {">=", isAtLeast},
                                           {"in", isIn},
                                           {"divisibleby", isDivisible},
                                           {"odd", isOdd},
                                           {"even", isEven},
                                           {"lower", isLower},
                                           {"upper", isUpper}};

} // namespace

bool chat::isTest(const std::string &name) { return tests.count(name) != 0; }

bool chat::applyTest(Interpreter &interpreter, const std::string &name, const Value &value, Arguments &arguments) {
  return tests.at(name)(interpreter, value, arguments);
}
