//===- Interpreter.cpp - runs chat templates -----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/chat/Interpreter.h"
#include "runtime/Error.h"
#include "runtime/chat/Template.h"
#include "runtime/tokenizer/Unicode.h"

#include <algorithm>
#include <cmath>

using namespace samba::runtime;
using namespace samba::runtime::chat;

namespace {

// Far more than a conversation of a million tokens needs, and less than a second.
constexpr uint64_t maxWork = 1 << 28;
constexpr size_t stepWork = 16;
constexpr size_t maxOutput = 64 << 20;
constexpr int maxDepth = 800;

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

int64_t exactly(bool overflow, int64_t value) {
  if (overflow)
    throw Problem{"an integer is too large"};
  return value;
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

const Value *Scope::find(const std::string &name) const {
  for (const Scope *scope = this; scope; scope = scope->outer.get())
    for (const auto &[known, value] : scope->names)
      if (known == name)
        return &value;
  return nullptr;
}

void Scope::set(const std::string &name, Value value) {
  for (auto &[known, old] : names)
    if (known == name) {
      old = std::move(value);
      return;
    }
  names.emplace_back(name, std::move(value));
}

Interpreter::Interpreter(const nlohmann::ordered_json &variables, std::time_t now)
    : scope(std::make_shared<Scope>()), now(now) {
  scope->set("range", Value::callable(range));
  scope->set("namespace", Value::callable(makeNamespace));
  scope->set("dict", Value::callable(makeDict));
  scope->set("raise_exception", Value::callable(raiseException));
  scope->set("strftime_now", Value::callable(strftimeNow));
  for (const auto &item : variables.items())
    scope->set(item.key(), Value::fromJson(item.value()));
}

std::string Interpreter::render(const Node &root) {
  // Names of the template are not those of its variables: a macro sees both.
  auto top = std::make_shared<Scope>();
  top->outer = scope;
  scope = top;
  run(root.body);
  return std::move(output);
}

void Interpreter::charge(size_t more) {
  work += more;
  if (work > maxWork)
    throw Problem{"it takes too many steps, or too much memory"};
}

void Interpreter::write(const std::string &text) {
  charge(text.size());
  if (output.size() + text.size() > maxOutput)
    throw Problem{"it makes more than " + std::to_string(maxOutput) + " bytes"};
  output += text;
}

// ---- Expressions

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

/// As Python divides integers: towards minus infinity.
static int64_t floorDivide(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }

static Value arithmetic(const std::string &operation, const Value &left, const Value &right) {
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
static std::string format(const std::string &pattern, const Value &right) {
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

Value Interpreter::call(const Value &function, Arguments given) {
  if (function.is(Value::Undefined))
    throw Problem{"'" + function.missing() + "' is undefined"};
  if (!function.is(Value::Callable))
    throw Problem{std::string("cannot call ") + function.kindName()};
  charge(1);
  return function.function()(*this, given);
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

Values Interpreter::iterate(const Value &value) {
  Values items;
  switch (value.kind()) {
  case Value::Undefined:
    return items;
  case Value::List:
  case Value::Tuple:
    charge(value.items().size() * elementBytes);
    return value.items();
  case Value::Mapping:
    charge(value.entries().size() * elementBytes);
    for (const auto &entry : value.entries())
      items.push_back(entry.first);
    return items;
  case Value::String:
    charge(value.asString().size() * elementBytes);
    for (char32_t character : toUtf32(value.asString()))
      items.push_back(Value::string(toUtf8(std::u32string(1, character))));
    return items;
  default:
    throw Problem{std::string("cannot go through ") + value.kindName()};
  }
}

// ---- Statements

Interpreter::Flow Interpreter::run(const std::vector<NodePtr> &body) {
  for (const NodePtr &node : body) {
    Flow flow;
    try {
      charge(stepWork);
      if (++depth > maxDepth)
        throw Problem{"calls are nested too deep"};
      flow = runOne(*node);
      --depth;
    } catch (const Problem &problem) {
      failAt(node->place, problem.message);
    }
    if (flow != Flow::Next)
      return flow;
  }
  return Flow::Next;
}

std::string Interpreter::capture(const std::vector<NodePtr> &body) {
  std::string outer = std::move(output);
  output.clear();
  run(body);
  std::swap(outer, output);
  return outer;
}

Interpreter::Flow Interpreter::runOne(const Node &node) {
  switch (node.kind) {
  case Node::Text:
    write(node.text);
    return Flow::Next;
  case Node::Print:
    write(evaluate(*node.parts[0]).text());
    return Flow::Next;
  case Node::If:
    return run(evaluate(*node.parts[0]).truth() ? node.body : node.other);
  case Node::For:
    return runFor(node);
  case Node::Set:
    assign(*node.parts[0], evaluate(*node.parts[1]));
    return Flow::Next;
  case Node::SetBlock:
  case Node::FilterBlock: {
    Value text = Value::string(capture(node.body));
    const Node *filter = node.kind == Node::SetBlock ? node.parts[1].get() : node.parts[0].get();
    std::vector<const Node *> chain;
    for (; filter; filter = filter->parts[0].get())
      chain.push_back(filter);
    for (size_t i = chain.size(); i-- > 0;) {
      Arguments given = arguments(*chain[i], 1);
      text = applyFilter(*this, chain[i]->text, text, given);
    }
    if (node.kind == Node::SetBlock)
      assign(*node.parts[0], text);
    else
      write(text.text());
    return Flow::Next;
  }
  case Node::Macro:
    scope->set(node.text, makeMacro(node, 0, node.names));
    return Flow::Next;
  case Node::CallBlock: {
    const Node &invocation = *node.parts[0];
    Value function = evaluate(*invocation.parts[0]);
    Arguments given = arguments(invocation, 1);
    given.named.emplace_back("caller", makeMacro(node, 1, node.names));
    write(call(function, std::move(given)).text());
    return Flow::Next;
  }
  case Node::With: {
    auto inner = std::make_shared<Scope>();
    inner->outer = scope;
    for (size_t i = 0; i + 1 < node.parts.size(); i += 2) {
      Value value = evaluate(*node.parts[i + 1]);
      std::swap(scope, inner);
      assign(*node.parts[i], value);
      std::swap(scope, inner);
    }
    std::swap(scope, inner);
    Flow flow = run(node.body);
    scope = inner;
    return flow;
  }
  case Node::Sequence:
    return run(node.body);
  case Node::Break:
    return Flow::Break;
  case Node::Continue:
    return Flow::Continue;
  default:
    throw Problem{"not a statement"};
  }
}

Interpreter::Flow Interpreter::runFor(const Node &node) {
  Values items = iterate(evaluate(*node.parts[1]));
  ScopePtr outer = scope;
  auto enter = [&] {
    scope = std::make_shared<Scope>();
    scope->outer = outer;
  };
  if (node.parts[2]) {
    Values kept;
    for (const Value &item : items) {
      enter();
      assign(*node.parts[0], item);
      if (evaluate(*node.parts[2]).truth())
        kept.push_back(item);
    }
    items = std::move(kept);
    scope = outer;
  }
  int64_t size = static_cast<int64_t>(items.size());
  auto last = std::make_shared<Value>(); // of loop.changed
  for (int64_t i = 0; i < size; ++i) {
    enter();
    charge(8 * elementBytes);
    Value loop = Value::space();
    auto set = [&](const char *name, Value value) {
      loop.spaceEntries().emplace_back(Value::string(name), std::move(value));
    };
    set("index", Value::integer(i + 1));
    set("index0", Value::integer(i));
    set("revindex", Value::integer(size - i));
    set("revindex0", Value::integer(size - i - 1));
    set("first", Value::boolean(i == 0));
    set("last", Value::boolean(i + 1 == size));
    set("length", Value::integer(size));
    set("depth", Value::integer(1)); // of recursive loops, of which there are none
    set("depth0", Value::integer(0));
    if (i > 0)
      set("previtem", items[static_cast<size_t>(i - 1)]);
    if (i + 1 < size)
      set("nextitem", items[static_cast<size_t>(i + 1)]);
    set("cycle", Value::callable([i](Interpreter &, Arguments &given) {
          if (given.positional.empty())
            throw Problem{"loop.cycle needs values"};
          return given.positional[static_cast<size_t>(i) % given.positional.size()];
        }));
    set("changed", Value::callable([last](Interpreter &, Arguments &given) {
          Value now = Value::list(given.positional);
          bool changed = !(*last == now);
          *last = now;
          return Value::boolean(changed);
        }));
    scope->set("loop", loop);
    assign(*node.parts[0], items[static_cast<size_t>(i)]);
    Flow flow = run(node.body);
    if (flow == Flow::Break)
      break;
  }
  scope = outer;
  return size == 0 ? run(node.other) : Flow::Next;
}

void Interpreter::assign(const Node &target, const Value &value) {
  if (target.kind == Node::TupleOf) {
    Values items = iterate(value);
    if (items.size() != target.parts.size())
      throw Problem{"expected " + std::to_string(target.parts.size()) + " values, found " +
                    std::to_string(items.size())};
    for (size_t i = 0; i < items.size(); ++i)
      assign(*target.parts[i], items[i]);
    return;
  }
  if (target.kind == Node::Name)
    return scope->set(target.text, value);
  const Value *space = scope->find(target.parts[0]->text);
  if (!space || !space->is(Value::Namespace))
    throw Problem{"'" + target.parts[0]->text + "' is not a namespace"};
  if (value.is(Value::Namespace))
    throw Problem{"a namespace cannot be put into another"};
  Entries &entries = space->spaceEntries();
  for (auto &[name, old] : entries)
    if (name.is(Value::String) && name.asString() == target.text) {
      old = value;
      return;
    }
  entries.emplace_back(Value::string(target.text), value);
}

Value Interpreter::makeMacro(const Node &node, size_t firstDefault, const std::vector<std::string> &names) {
  // Weak, because the scope holds the macro.
  std::weak_ptr<Scope> definition = scope;
  return Value::callable([&node, &names, firstDefault, definition](Interpreter &self, Arguments &given) {
    ScopePtr outer = definition.lock();
    if (!outer)
      throw Problem{"the place where the macro was defined is gone"};
    ScopePtr caller = self.scope;
    auto inner = std::make_shared<Scope>();
    inner->outer = outer;
    self.scope = inner;
    if (given.positional.size() > names.size())
      throw Problem{"a macro takes at most " + std::to_string(names.size()) + " arguments"};
    for (size_t i = 0; i < names.size(); ++i) {
      const Value *value = argument(given, i, names[i].c_str());
      const NodePtr &absent = node.parts[firstDefault + i];
      inner->set(names[i], value ? *value : absent ? self.evaluate(*absent) : Value::undefined(names[i]));
    }
    for (const auto &[name, value] : given.named) {
      if (name == "caller")
        inner->set(name, value);
      else if (std::find(names.begin(), names.end(), name) == names.end())
        throw Problem{"a macro has no argument '" + name + "'"};
    }
    std::string text = self.capture(node.body);
    self.scope = caller;
    return Value::string(std::move(text));
  });
}

Template::Template(const std::string &text) : root(parse(text)) {}
Template::~Template() = default;

std::string Template::render(const nlohmann::ordered_json &variables, std::time_t now) const {
  try {
    return Interpreter(variables, now).render(*root);
  } catch (const Problem &problem) {
    failAt({}, problem.message);
  }
}
