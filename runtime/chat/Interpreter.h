//===- Interpreter.h - runs chat templates ---------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_CHAT_INTERPRETER_H
#define RUNTIME_CHAT_INTERPRETER_H

#include "runtime/chat/Syntax.h"

#include <ctime>
#include <initializer_list>
#include <optional>

namespace samba::runtime::chat {

/// Names and their values; names that are not here are looked up outside.
struct Scope {
  std::shared_ptr<Scope> outer;
  std::vector<std::pair<std::string, Value>> names;

  const Value *find(const std::string &name) const;
  void set(const std::string &name, Value value);
};
using ScopePtr = std::shared_ptr<Scope>;

/// What an element of a list counts as work, about its bytes.
constexpr size_t elementBytes = 64;

/// Renders one template once. Problems become errors with the place of the innermost part that they are of.
class Interpreter {
public:
  Interpreter(const nlohmann::ordered_json &variables, std::time_t now);

  std::string render(const Node &root);

  /// Counts work, in bytes that are made or as long as making them takes. Throws Problem at the limit.
  void charge(size_t work);
  Value call(const Value &function, Arguments arguments);
  std::vector<Value> iterate(const Value &value);
  std::time_t time() const { return now; }

private:
  enum class Flow { Next, Break, Continue };

  // Far more than a conversation of a million tokens needs, and less than a second.
  static constexpr uint64_t maxWork = 1 << 28;
  static constexpr size_t stepWork = 16;
  static constexpr int maxDepth = 800;

  // Expressions.cpp
  Value evaluate(const Node &node);
  Value compute(const Node &node);
  Value binary(const Node &node);
  Value compare(const Node &node);
  Value slice(const Node &node);
  Value callNode(const Node &node);
  Arguments arguments(const Node &node, size_t first);
  Value attribute(const Value &value, const std::string &name);
  Value index(const Value &value, const Value &key);

  // Statements, Interpreter.cpp
  Flow run(const std::vector<NodePtr> &body);
  Flow runOne(const Node &node);
  Flow runFor(const Node &node);
  std::string capture(const std::vector<NodePtr> &body);
  void assign(const Node &target, const Value &value);
  Value makeMacro(const Node &node, size_t firstDefault, const std::vector<std::string> &names);
  void write(const std::string &text);

  ScopePtr scope;
  std::string output;
  std::time_t now;
  int depth = 0;
  uint64_t work = 0;
};

/// What `value.name` is if `value` is a string or mapping and `name` one of its methods; null else.
std::optional<Value> method(const Value &value, const std::string &name);
Value applyFilter(Interpreter &interpreter, const std::string &name, const Value &value, Arguments &arguments);
bool applyTest(Interpreter &interpreter, const std::string &name, const Value &value, Arguments &arguments);

/// Globals.cpp: the functions that every template sees.
void addGlobals(Scope &scope);

/// Helpers of the built-in functions. `at` takes the argument with that place or name; null if it is not given.
const Value *argument(const Arguments &arguments, size_t place, const char *name);
/// Throws Problem if there are more arguments than these names.
void checkArguments(const Arguments &arguments, const char *function, std::initializer_list<const char *> names);
int64_t wantInteger(const Value &value, const char *what);
const std::string &wantString(const Value &value, const char *what);

} // namespace samba::runtime::chat

#endif // RUNTIME_CHAT_INTERPRETER_H
