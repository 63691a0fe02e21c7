//===- Expressions.cpp - values of the expressions of chat templates ------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/chat/Interpreter.h"
#include "runtime/tokenizer/Unicode.h"

#include <algorithm>
#include <cmath>

using namespace samba::runtime;
using namespace samba::runtime::chat;

namespace {

int64_t exactly(bool overflow, int64_t value) {
  if (overflow)
    throw Problem{"an integer is too large"};
  return value;
}

/// As Python divides integers: towards minus infinity.
int64_t floorDivide(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

Value arithmetic(const std::string &operation, const Value &left, const Value &right) {
  if (operation == "/" || operation == "//" || operation == "%")
    if (right.asReal() == 0)
      throw Problem{"division by zero"};
  if (operation == "/")
    return Value::real(left.asReal() / right.asReal());
  if (left.is(Value::Float) || right.is(Value::Float)) {
    double a = left.asReal(), b = right.asReal();
    if (operation == "//")
      return Value::real(std::floor(a / b));
    if (operation == "%")
      return Value::real(a - std::floor(a / b) * b);
    return Value::real(operation == "+" ? a + b : operation == "-" ? a - b : operation == "*" ? a * b : std::pow(a, b));
  }
  int64_t a = left.asInteger(), b = right.asInteger(), result = 0;
  if (operation == "**") {
    if (b < 0)
      return Value::real(std::pow(static_cast<double>(a), static_cast<double>(b)));
    result = 1;
    for (bool overflow = false; b > 0; --b) {
      overflow = __builtin_mul_overflow(result, a, &result);
      exactly(overflow, 0);
      if (a == 0 || a == 1)
        break;
      if (a == -1)
        return Value::integer(b % 2 ? -1 : 1);
    }
    return Value::integer(result);
  }
  if (operation == "//" || operation == "%") {
    exactly(a == INT64_MIN && b == -1, 0);
    return Value::integer(operation == "//" ? floorDivide(a, b) : a - floorDivide(a, b) * b);
  }
  bool overflow = operation == "+"   ? __builtin_add_overflow(a, b, &result)
                  : operation == "-" ? __builtin_sub_overflow(a, b, &result)
                                     : __builtin_mul_overflow(a, b, &result);
  return Value::integer(exactly(overflow, result));
}

/// "%s and %d" % values.
std::string format(const std::string &pattern, const Value &right) {
  Values single = {right};
  const Values &values = right.is(Value::Tuple) ? right.items() : single;
  size_t next = 0;
  std::string text;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '%') {
      text += pattern[i];
      continue;
    }
    char kind = i + 1 < pattern.size() ? pattern[++i] : '\0';
    if (kind == '%') {
      text += '%';
      continue;
    }
    if (kind != 's' && kind != 'd' && kind != 'r')
      throw Problem{"only %s, %d, %r and %% are supported in a format"};
    if (next >= values.size())
      throw Problem{"a format has too few values"};
    const Value &value = values[next++];
    text += kind == 's' ? value.text() : kind == 'r' ? value.repr() : std::to_string(wantInteger(value, "%d"));
  }
  if (next < values.size() && (right.is(Value::Tuple) || !right.is(Value::Mapping)))
    throw Problem{"a format has too many values"};
  return text;
}

} // namespace

Value Interpreter::evaluate(const Node &node) {
  try {
    charge(stepWork);
    if (++depth > maxDepth)
      throw Problem{"calls are nested too deep"};
    Value value = compute(node);
    --depth;
    return value;
  } catch (const Problem &problem) {
    failAt(node.place, problem.message);
  }
}

Value Interpreter::compute(const Node &node) {
  auto all = [&] {
    charge(node.parts.size() * elementBytes);
    Values values;
    for (const NodePtr &part : node.parts)
      values.push_back(evaluate(*part));
    return values;
  };
  switch (node.kind) {
  case Node::Literal:
    return node.value;
  case Node::Name: {
    const Value *found = scope->find(node.text);
    return found ? *found : Value::undefined(node.text);
  }
  case Node::ListOf:
    return Value::list(all());
  case Node::TupleOf:
    return Value::list(all(), /*tuple=*/true);
  case Node::MappingOf: {
    Entries entries;
    for (size_t i = 0; i + 1 < node.parts.size(); i += 2) {
      Value key = evaluate(*node.parts[i]), value = evaluate(*node.parts[i + 1]);
      charge(entries.size() + 2 * elementBytes);
      auto same = std::find_if(entries.begin(), entries.end(), [&](const auto &entry) { return entry.first == key; });
      if (same != entries.end())
        same->second = std::move(value);
      else
        entries.emplace_back(std::move(key), std::move(value));
    }
    return Value::mapping(std::move(entries));
  }
  case Node::Attribute:
    return attribute(evaluate(*node.parts[0]), node.text);
  case Node::Index: {
    Value value = evaluate(*node.parts[0]);
    return index(value, evaluate(*node.parts[1]));
  }
  case Node::Slice:
    return slice(node);
  case Node::Call:
    return callNode(node);
  case Node::Filter: {
    Value value = evaluate(*node.parts[0]);
    Arguments given = arguments(node, 1);
    return applyFilter(*this, node.text, value, given);
  }
  case Node::Test: {
    Value value = evaluate(*node.parts[0]);
    Arguments given = arguments(node, 1);
    return Value::boolean(applyTest(*this, node.text, value, given));
  }
  case Node::Unary: {
    Value value = evaluate(*node.parts[0]);
    if (node.text == "not")
      return Value::boolean(!value.truth());
    if (!value.isNumber())
      throw Problem{"'" + node.text + "' needs a number, found " + value.kindName()};
    if (node.text == "+")
      return value;
    if (value.is(Value::Float))
      return Value::real(-value.asReal());
    int64_t negative = 0;
    bool overflow = __builtin_sub_overflow(int64_t(0), value.asInteger(), &negative);
    return Value::integer(exactly(overflow, negative));
  }
  case Node::Binary:
    return binary(node);
  case Node::Compare:
    return compare(node);
  case Node::Conditional:
    if (evaluate(*node.parts[1]).truth())
      return evaluate(*node.parts[0]);
    return node.parts[2] ? evaluate(*node.parts[2]) : Value::undefined("the value without else");
  default:
    throw Problem{"not an expression"};
  }
}

Value Interpreter::binary(const Node &node) {
  const std::string &operation = node.text;
  Value left = evaluate(*node.parts[0]);
  if (operation == "and" || operation == "or")
    return left.truth() == (operation == "or") ? left : evaluate(*node.parts[1]);
  Value right = evaluate(*node.parts[1]);
  if (operation == "~") {
    std::string text = left.text() + right.text();
    charge(text.size());
    return Value::string(std::move(text));
  }
  for (const Value *side : {&left, &right})
    if (side->is(Value::Undefined))
      throw Problem{"'" + side->missing() + "' is undefined"};
  if (operation == "+" && left.is(Value::String) && right.is(Value::String)) {
    charge(left.asString().size() + right.asString().size());
    return Value::string(left.asString() + right.asString());
  }
  if (operation == "+" && left.isSequence() && left.kind() == right.kind()) {
    charge((left.items().size() + right.items().size()) * elementBytes);
    Values items = left.items();
    items.insert(items.end(), right.items().begin(), right.items().end());
    return Value::list(std::move(items), left.is(Value::Tuple));
  }
  if (operation == "*" &&
      (left.is(Value::String) || left.isSequence() || right.is(Value::String) || right.isSequence())) {
    const Value &many = left.isNumber() ? right : left, &count = left.isNumber() ? left : right;
    int64_t times = std::max<int64_t>(0, wantInteger(count, "'*'"));
    size_t size = many.is(Value::String) ? many.asString().size()
                  : many.isSequence()    ? many.items().size() * elementBytes
                                         : 0;
    if (size > 0 && static_cast<uint64_t>(times) > maxWork / size)
      throw Problem{"'*' makes too large a value"};
    charge(size * static_cast<size_t>(times));
    if (many.is(Value::String)) {
      std::string text;
      for (int64_t i = 0; i < times && size > 0; ++i)
        text += many.asString();
      return Value::string(std::move(text));
    }
    Values items;
    for (int64_t i = 0; i < times && size > 0; ++i)
      items.insert(items.end(), many.items().begin(), many.items().end());
    return Value::list(std::move(items), many.is(Value::Tuple));
  }
  if (operation == "%" && left.is(Value::String)) {
    std::string text = format(left.asString(), right);
    charge(text.size());
    return Value::string(std::move(text));
  }
  if (!left.isNumber() || !right.isNumber())
    throw Problem{"'" + operation + "' cannot combine " + left.kindName() + " and " + right.kindName()};
  return arithmetic(operation, left, right);
}

Value Interpreter::compare(const Node &node) {
  Value left = evaluate(*node.parts[0]);
  for (size_t i = 0; i < node.names.size(); ++i) {
    const std::string &operation = node.names[i];
    Value right = evaluate(*node.parts[i + 1]);
    bool holds;
    if (operation == "in" || operation == "not in") {
      if (right.is(Value::String)) {
        charge(right.asString().size());
        holds = right.asString().find(wantString(left, "'in'")) != std::string::npos;
      } else if (right.is(Value::Mapping)) {
        charge(right.entries().size());
        holds = right.find(left) != nullptr;
      } else {
        Values items = iterate(right);
        holds = std::find(items.begin(), items.end(), left) != items.end();
      }
      holds = holds == (operation == "in");
    } else if (operation == "==" || operation == "!=") {
      holds = (left == right) == (operation == "==");
    } else {
      for (const Value *side : {&left, &right})
        if (side->is(Value::Undefined))
          throw Problem{"'" + side->missing() + "' is undefined"};
      holds = operation == "<"    ? left < right
              : operation == ">"  ? right < left
              : operation == "<=" ? left < right || left == right
                                  : right < left || left == right;
    }
    if (!holds)
      return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Interpreter::slice(const Node &node) {
  Value value = evaluate(*node.parts[0]);
  if (value.is(Value::Undefined))
    throw Problem{"'" + value.missing() + "' is undefined"};
  if (!value.is(Value::String) && !value.isSequence())
    throw Problem{std::string("cannot take a slice of ") + value.kindName()};
  auto limit = [&](size_t part) -> std::optional<int64_t> {
    if (!node.parts[part])
      return std::nullopt;
    Value given = evaluate(*node.parts[part]);
    if (given.is(Value::None))
      return std::nullopt;
    return wantInteger(given, "a slice");
  };
  std::optional<int64_t> from = limit(1), to = limit(2);
  int64_t step = limit(3).value_or(1);
  if (step == 0)
    throw Problem{"a slice has a step of 0"};
  std::u32string characters;
  if (value.is(Value::String))
    characters = toUtf32(value.asString());
  int64_t size = static_cast<int64_t>(value.is(Value::String) ? characters.size() : value.items().size());
  charge(static_cast<size_t>(size) * (value.is(Value::String) ? 4 : elementBytes));
  auto clip = [&](std::optional<int64_t> place, int64_t absent) {
    if (!place)
      return absent;
    int64_t at = *place < 0 ? std::max<int64_t>(*place + size, step < 0 ? -1 : 0) : *place;
    return std::min(at, step < 0 ? size - 1 : size);
  };
  int64_t begin = clip(from, step < 0 ? size - 1 : 0), end = clip(to, step < 0 ? -1 : size);
  std::u32string text;
  Values items;
  for (int64_t i = begin; step > 0 ? i < end : i > end;) {
    if (value.is(Value::String))
      text += characters[static_cast<size_t>(i)];
    else
      items.push_back(value.items()[static_cast<size_t>(i)]);
    if (__builtin_add_overflow(i, step, &i))
      break;
  }
  return value.is(Value::String) ? Value::string(toUtf8(std::u32string_view(text)))
                                 : Value::list(std::move(items), value.is(Value::Tuple));
}

Arguments Interpreter::arguments(const Node &node, size_t first) {
  Arguments given;
  for (size_t i = first; i < node.parts.size(); ++i)
    given.positional.push_back(evaluate(*node.parts[i]));
  for (const auto &[name, part] : node.named)
    given.named.emplace_back(name, evaluate(*part));
  return given;
}

Value Interpreter::callNode(const Node &node) {
  Value function = evaluate(*node.parts[0]);
  return call(function, arguments(node, 1));
}

Value Interpreter::attribute(const Value &value, const std::string &name) {
  if (value.is(Value::Undefined))
    throw Problem{"'" + value.missing() + "' is undefined"};
  if (std::optional<Value> found = method(value, name))
    return *found;
  if (value.is(Value::Mapping) || value.is(Value::Namespace)) {
    charge(value.entries().size());
    if (const Value *found = value.find(name))
      return *found;
  }
  return Value::undefined(name);
}

Value Interpreter::index(const Value &value, const Value &key) {
  if (value.is(Value::Undefined))
    throw Problem{"'" + value.missing() + "' is undefined"};
  if (value.is(Value::Mapping) || value.is(Value::Namespace)) {
    charge(value.entries().size());
    if (const Value *found = value.find(key))
      return *found;
    if (key.is(Value::String))
      if (std::optional<Value> found = method(value, key.asString()))
        return *found;
    return Value::undefined(key.text());
  }
  if (key.is(Value::String))
    return attribute(value, key.asString());
  if ((value.isSequence() || value.is(Value::String)) && (key.is(Value::Integer) || key.is(Value::Boolean))) {
    std::u32string characters;
    if (value.is(Value::String))
      characters = toUtf32(value.asString());
    charge(characters.size());
    int64_t size = static_cast<int64_t>(value.is(Value::String) ? characters.size() : value.items().size());
    int64_t at = key.asInteger() < 0 ? key.asInteger() + size : key.asInteger();
    if (at < 0 || at >= size)
      return Value::undefined("element " + std::to_string(key.asInteger()));
    return value.is(Value::String) ? Value::string(toUtf8(characters.substr(static_cast<size_t>(at), 1)))
                                   : value.items()[static_cast<size_t>(at)];
  }
  return Value::undefined(key.text());
}
