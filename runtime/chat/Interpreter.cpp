//===- Interpreter.cpp - runs chat templates ------------------------------===//
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

using namespace samba::runtime;
using namespace samba::runtime::chat;

static constexpr size_t maxOutput = 64 << 20;

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
  addGlobals(*scope);
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

Value Interpreter::call(const Value &function, Arguments given) {
  if (function.is(Value::Undefined))
    throw Problem{"'" + function.missing() + "' is undefined"};
  if (!function.is(Value::Callable))
    throw Problem{std::string("cannot call ") + function.kindName()};
  charge(1);
  return function.function()(*this, given);
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
