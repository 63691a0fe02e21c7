//===- Methods.cpp - methods of strings, mappings and lists in chat templates ===//
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

using Method = Value (*)(Interpreter &, const Value &self, Arguments &);

Value made(Interpreter &interpreter, std::string text) {
  interpreter.charge(text.size());
  return Value::string(std::move(text));
}

/// Without spaces, or the given characters, at its ends.
std::string strip(const std::string &text, const Arguments &arguments, bool left, bool right) {
  const Value *given = argument(arguments, 0, "chars");
  std::u32string characters = toUtf32(text), set;
  bool spaces = !given || given->is(Value::None);
  if (!spaces)
    set = toUtf32(wantString(*given, "strip"));
  auto goes = [&](char32_t c) {
    return spaces ? isSpace(c) || (c >= 0x1c && c <= 0x1f) : set.find(c) != std::u32string::npos;
  };
  size_t begin = 0, end = characters.size();
  while (left && begin < end && goes(characters[begin]))
    ++begin;
  while (right && end > begin && goes(characters[end - 1]))
    --end;
  return toUtf8(std::u32string_view(characters).substr(begin, end - begin));
}

template <bool left, bool right> Value stripMethod(Interpreter &interpreter, const Value &self, Arguments &arguments) {
  checkArguments(arguments, "strip", {"chars"});
  return made(interpreter, strip(self.asString(), arguments, left, right));
}

/// With one text, or any of a tuple of them.
template <typename Fits> Value affix(const Value &self, Arguments &arguments, const char *name, Fits fits) {
  if (arguments.positional.size() != 1 || !arguments.named.empty())
    throw Problem{std::string(name) + " needs one argument"};
  const Value &what = arguments.positional[0];
  Values single = {what};
  for (const Value &one : what.is(Value::Tuple) ? what.items() : single)
    if (fits(self.asString(), wantString(one, name)))
      return Value::boolean(true);
  return Value::boolean(false);
}

bool beginsWith(const std::string &text, const std::string &part) { return text.compare(0, part.size(), part) == 0; }
bool endsWith(const std::string &text, const std::string &part) {
  return text.size() >= part.size() && text.compare(text.size() - part.size(), part.size(), part) == 0;
}

Value startswith(Interpreter &, const Value &self, Arguments &arguments) {
  return affix(self, arguments, "startswith", beginsWith);
}
Value endswith(Interpreter &, const Value &self, Arguments &arguments) {
  return affix(self, arguments, "endswith", endsWith);
}
Value removeprefix(Interpreter &interpreter, const Value &self, Arguments &arguments) {
  bool there = affix(self, arguments, "removeprefix", beginsWith).asBoolean();
  return made(interpreter, self.asString().substr(there ? arguments.positional[0].asString().size() : 0));
}
Value removesuffix(Interpreter &interpreter, const Value &self, Arguments &arguments) {
  bool there = affix(self, arguments, "removesuffix", endsWith).asBoolean();
  size_t size = self.asString().size();
  return made(interpreter, self.asString().substr(0, size - (there ? arguments.positional[0].asString().size() : 0)));
}

/// The pieces between spaces, at most `limit` cuts, from the left or the right.
std::vector<std::string> splitSpaces(const std::string &text, int64_t limit, bool right) {
  std::u32string characters = toUtf32(text);
  if (right)
    std::reverse(characters.begin(), characters.end());
  std::vector<std::string> pieces;
  auto add = [&](std::u32string piece) {
    if (right)
      std::reverse(piece.begin(), piece.end());
    pieces.push_back(toUtf8(std::u32string_view(piece)));
  };
  size_t at = 0, size = characters.size();
  while (true) {
    while (at < size && isSpace(characters[at]))
      ++at;
    if (at == size)
      break;
    if (limit >= 0 && static_cast<int64_t>(pieces.size()) == limit) {
      add(characters.substr(at));
      break;
    }
    size_t begin = at;
    while (at < size && !isSpace(characters[at]))
      ++at;
    add(characters.substr(begin, at - begin));
  }
  if (right)
    std::reverse(pieces.begin(), pieces.end());
  return pieces;
}

template <bool right> Value split(Interpreter &interpreter, const Value &self, Arguments &arguments) {
  checkArguments(arguments, "split", {"sep", "maxsplit"});
  const Value *separator = argument(arguments, 0, "sep"), *most = argument(arguments, 1, "maxsplit");
  int64_t limit = most ? wantInteger(*most, "split") : -1;
  const std::string &text = self.asString();
  std::vector<std::string> pieces;
  if (!separator || separator->is(Value::None)) {
    pieces = splitSpaces(text, limit, right);
  } else {
    const std::string &by = wantString(*separator, "split");
    if (by.empty())
      throw Problem{"split by an empty string"};
    size_t begin = 0, end = text.size();
    while (limit < 0 || static_cast<int64_t>(pieces.size()) < limit) {
      if (right) {
        size_t found = end >= by.size() ? text.rfind(by, end - by.size()) : std::string::npos;
        if (found == std::string::npos)
          break;
        pieces.push_back(text.substr(found + by.size(), end - found - by.size()));
        end = found;
      } else {
        size_t found = text.find(by, begin);
        if (found == std::string::npos)
          break;
        pieces.push_back(text.substr(begin, found - begin));
        begin = found + by.size();
      }
    }
    pieces.push_back(text.substr(begin, end - begin));
    if (right)
      std::reverse(pieces.begin(), pieces.end());
  }
  interpreter.charge(text.size() + pieces.size() * elementBytes);
  Values values;
  for (std::string &piece : pieces)
    values.push_back(Value::string(std::move(piece)));
  return Value::list(std::move(values));
}

Value splitlines(Interpreter &interpreter, const Value &self, Arguments &arguments) {
  checkArguments(arguments, "splitlines", {"keepends"});
  const Value *given = argument(arguments, 0, "keepends");
  bool keep = given && given->truth();
  const std::string &text = self.asString();
  interpreter.charge(text.size() * elementBytes);
  Values lines;
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    char32_t c = characterAt(text, at);
    bool ends = (c >= '\n' && c <= '\r') || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 || c == 0x2029;
    if (!ends)
      continue;
    if (c == '\r' && at < text.size() && text[at] == '\n')
      ++at;
    lines.push_back(Value::string(text.substr(begin, (keep ? at : end) - begin)));
    begin = at;
  }
  if (begin < text.size())
    lines.push_back(Value::string(text.substr(begin)));
  return Value::list(std::move(lines));
}

Value replace(Interpreter &interpreter, const Value &self, Arguments &arguments) {
  checkArguments(arguments, "replace", {"old", "new", "count"});
  const Value *old = argument(arguments, 0, "old"), *by = argument(arguments, 1, "new"),
              *most = argument(arguments, 2, "count");
  if (!old || !by)
    throw Problem{"replace needs two strings"};
  const std::string &text = self.asString(), &from = wantString(*old, "replace"), &to = wantString(*by, "replace");
  int64_t limit = most && !most->is(Value::None) ? wantInteger(*most, "replace") : -1;
  std::string result;
  size_t at = 0;
  for (int64_t count = 0; limit < 0 || count < limit; ++count) {
    size_t found = from.empty() ? (at <= text.size() ? at : std::string::npos) : text.find(from, at);
    if (found == std::string::npos)
      break;
    interpreter.charge(to.size() + 1);
    result += text.substr(at, found - at) + to;
    at = found + from.size();
    if (from.empty()) { // before each character and at the end
      size_t next = at;
      if (at < text.size())
        characterAt(text, next);
      else
        next = text.size() + 1;
      if (at < text.size())
        result += text.substr(at, next - at);
      at = next;
    }
  }
  if (at < text.size())
    result += text.substr(at);
  return made(interpreter, std::move(result));
}

template <bool right> Value find(Interpreter &interpreter, const Value &self, Arguments &arguments) {
  checkArguments(arguments, "find", {"sub"});
  const Value *what = argument(arguments, 0, "sub");
  const std::string &text = self.asString(), part = what ? wantString(*what, "find") : "";
  interpreter.charge(text.size());
  size_t found = right ? text.rfind(part) : text.find(part);
  return Value::integer(
      found == std::string::npos ? -1 : static_cast<int64_t>(countCharacters(std::string_view(text).substr(0, found))));
}

Value count(Interpreter &interpreter, const Value &self, Arguments &arguments) {
  checkArguments(arguments, "count", {"value"});
  const Value *what = argument(arguments, 0, "value");
  if (!what)
    throw Problem{"count needs a value"};
  if (self.isSequence()) {
    interpreter.charge(self.items().size());
    return Value::integer(std::count(self.items().begin(), self.items().end(), *what));
  }
  const std::string &text = self.asString(), &part = wantString(*what, "count");
  interpreter.charge(text.size());
  if (part.empty())
    return Value::integer(static_cast<int64_t>(countCharacters(text)) + 1);
  int64_t number = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size()))
    ++number;
  return Value::integer(number);
}

Value upper(Interpreter &interpreter, const Value &self, Arguments &) {
  return made(interpreter, uppercase(self.asString()));
}
Value lower(Interpreter &interpreter, const Value &self, Arguments &) {
  return made(interpreter, lowercase(self.asString()));
}

Value capitalize(Interpreter &interpreter, const Value &self, Arguments &) {
  std::u32string text = toUtf32(self.asString());
  std::u32string_view all = text;
  return made(interpreter,
              uppercase(toUtf8(all.substr(0, 1))) + lowercase(toUtf8(all.substr(std::min<size_t>(1, all.size())))));
}

Value title(Interpreter &interpreter, const Value &self, Arguments &) {
  std::string result;
  bool inside = false;
  for (char32_t c : toUtf32(self.asString())) {
    std::string one = toUtf8(std::u32string(1, c));
    result += inside ? lowercase(one) : uppercase(one);
    inside = isLetter(c);
  }
  return made(interpreter, std::move(result));
}

template <bool (*is)(char32_t)> Value allAre(Interpreter &interpreter, const Value &self, Arguments &) {
  interpreter.charge(self.asString().size());
  std::u32string text = toUtf32(self.asString());
  return Value::boolean(!text.empty() && std::all_of(text.begin(), text.end(), is));
}
bool isAlphanumeric(char32_t c) { return isLetter(c) || isNumeric(c); }

Value join(Interpreter &interpreter, const Value &self, Arguments &arguments) {
  if (arguments.positional.size() != 1)
    throw Problem{"join needs a list"};
  std::string result;
  bool first = true;
  for (const Value &item : interpreter.iterate(arguments.positional[0])) {
    result += (first ? "" : self.asString()) + wantString(item, "join");
    interpreter.charge(self.asString().size() + item.asString().size());
    first = false;
  }
  return Value::string(std::move(result));
}

Value keys(Interpreter &interpreter, const Value &self, Arguments &) { return Value::list(interpreter.iterate(self)); }

Value values(Interpreter &interpreter, const Value &self, Arguments &) {
  interpreter.charge(self.entries().size() * elementBytes);
  Values all;
  for (const auto &entry : self.entries())
    all.push_back(entry.second);
  return Value::list(std::move(all));
}

Value items(Interpreter &interpreter, const Value &self, Arguments &) {
  interpreter.charge(self.entries().size() * 3 * elementBytes);
  Values all;
  for (const auto &[key, value] : self.entries())
    all.push_back(Value::list({key, value}, /*tuple=*/true));
  return Value::list(std::move(all));
}

Value get(Interpreter &interpreter, const Value &self, Arguments &arguments) {
  checkArguments(arguments, "get", {"key", "default"});
  const Value *key = argument(arguments, 0, "key"), *absent = argument(arguments, 1, "default");
  if (!key)
    throw Problem{"get needs a key"};
  interpreter.charge(self.entries().size());
  const Value *found = self.find(*key);
  return found ? *found : absent ? *absent : Value::none();
}

Value index(Interpreter &interpreter, const Value &self, Arguments &arguments) {
  if (arguments.positional.size() != 1)
    throw Problem{"index needs a value"};
  interpreter.charge(self.items().size());
  auto found = std::find(self.items().begin(), self.items().end(), arguments.positional[0]);
  if (found == self.items().end())
    throw Problem{"index: the value is not in the list"};
  return Value::integer(found - self.items().begin());
}

const std::map<std::string, Method> stringMethods = {{"strip", stripMethod<true, true>},
                                                     {"lstrip", stripMethod<true, false>},
                                                     {"rstrip", stripMethod<false, true>},
                                                     {"startswith", startswith},
                                                     {"endswith", endswith},
                                                     {"removeprefix", removeprefix},
                                                     {"removesuffix", removesuffix},
                                                     {"split", split<false>},
                                                     {"rsplit", split<true>},
                                                     {"splitlines", splitlines},
                                                     {"replace", replace},
                                                     {"find", find<false>},
                                                     {"rfind", find<true>},
                                                     {"count", count},
                                                     {"upper", upper},
                                                     {"lower", lower},
                                                     {"capitalize", capitalize},
                                                     {"title", title},
                                                     {"isdigit", allAre<isNumeric>},
                                                     {"isnumeric", allAre<isNumeric>},
                                                     {"isalpha", allAre<isLetter>},
                                                     {"isalnum", allAre<isAlphanumeric>},
                                                     {"isspace", allAre<isSpace>},
                                                     {"join", join}};
const std::map<std::string, Method> mappingMethods = {
    {"keys", keys}, {"values", values}, {"items", items}, {"get", get}};
const std::map<std::string, Method> listMethods = {{"count", count}, {"index", index}};

} // namespace

std::optional<Value> chat::method(const Value &value, const std::string &name) {
  const std::map<std::string, Method> *methods = value.is(Value::String)    ? &stringMethods
                                                 : value.is(Value::Mapping) ? &mappingMethods
                                                 : value.isSequence()       ? &listMethods
                                                                            : nullptr;
  if (!methods)
    return std::nullopt;
  auto found = methods->find(name);
  if (found == methods->end())
    return std::nullopt;
  Method function = found->second;
  return Value::callable([function, value](Interpreter &interpreter, Arguments &arguments) {
    return function(interpreter, value, arguments);
  });
}
