//===- Filters.cpp - filters of chat templates ----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/chat/Interpreter.h"
#include "runtime/tokenizer/Unicode.h"

#include <algorithm>
#include <cmath>
#include <map>

using namespace samba::runtime;
using namespace samba::runtime::chat;

namespace {

using Filter = Value (*)(Interpreter &, const Value &value, Arguments &);

/// The method of that name, of the value as text.
Value viaMethod(Interpreter &interpreter, const char *name, const Value &value, Arguments &arguments) {
  return interpreter.call(*method(Value::string(value.text()), name), std::move(arguments));
}
Value trim(Interpreter &i, const Value &value, Arguments &a) { return viaMethod(i, "strip", value, a); }
Value upper(Interpreter &i, const Value &value, Arguments &a) { return viaMethod(i, "upper", value, a); }
Value lower(Interpreter &i, const Value &value, Arguments &a) { return viaMethod(i, "lower", value, a); }
Value title(Interpreter &i, const Value &value, Arguments &a) { return viaMethod(i, "title", value, a); }
Value capitalize(Interpreter &i, const Value &value, Arguments &a) { return viaMethod(i, "capitalize", value, a); }
Value replace(Interpreter &i, const Value &value, Arguments &a) { return viaMethod(i, "replace", value, a); }

Value length(Interpreter &interpreter, const Value &value, Arguments &) {
  switch (value.kind()) {
  case Value::Undefined:
    return Value::integer(0);
  case Value::String:
    interpreter.charge(value.asString().size());
    return Value::integer(static_cast<int64_t>(countCharacters(value.asString())));
  case Value::List:
  case Value::Tuple:
    return Value::integer(static_cast<int64_t>(value.items().size()));
  case Value::Mapping:
    return Value::integer(static_cast<int64_t>(value.entries().size()));
  default:
    throw Problem{std::string("length of ") + value.kindName()};
  }
}

Value tojson(Interpreter &interpreter, const Value &value, Arguments &arguments) {
  checkArguments(arguments, "tojson", {"ensure_ascii", "indent", "separators", "sort_keys"});
  // The filter's own first argument is the indent; names may be given in any order.
  const Value *ascii = argument(arguments, 0, "ensure_ascii"), *indent = argument(arguments, 1, "indent"),
              *separators = argument(arguments, 2, "separators"), *sort = argument(arguments, 3, "sort_keys");
  bool indented = indent && !indent->is(Value::None);
  int64_t width = indented ? wantInteger(*indent, "tojson") : -1;
  if (width > 64)
    throw Problem{"tojson: expected an indent up to 64, found " + std::to_string(width)};
  std::string comma = indented ? "," : ", ", colon = ": ";
  if (separators && !separators->is(Value::None)) {
    Values two = interpreter.iterate(*separators);
    if (two.size() != 2)
      throw Problem{"tojson: expected two separators"};
    comma = wantString(two[0], "tojson");
    colon = wantString(two[1], "tojson");
  }
  std::string text = toJson(value, static_cast<int>(std::max<int64_t>(width, indented ? 0 : -1)), sort && sort->truth(),
                            ascii && ascii->truth(), comma, colon);
  interpreter.charge(text.size());
  return Value::string(std::move(text));
}

Value defaultTo(Interpreter &, const Value &value, Arguments &arguments) {
  checkArguments(arguments, "default", {"default_value", "boolean"});
  const Value *other = argument(arguments, 0, "default_value"), *boolean = argument(arguments, 1, "boolean");
  bool absent = value.is(Value::Undefined) || (boolean && boolean->truth() && !value.truth());
  return !absent ? value : other ? *other : Value::string("");
}

/// "a.b" of a value, as map and selectattr look it up.
Value lookUp(Interpreter &interpreter, Value value, const std::string &path) {
  for (size_t begin = 0; begin <= path.size();) {
    size_t end = std::min(path.find('.', begin), path.size());
    std::string name = path.substr(begin, end - begin);
    begin = end + 1;
    interpreter.charge(1);
    const Value *found = nullptr;
    if (value.is(Value::Mapping) || value.is(Value::Namespace))
      found = value.find(name);
    if (value.isSequence() && !name.empty() && name.find_first_not_of("0123456789") == std::string::npos &&
        name.size() < 9) {
      size_t index = std::stoul(name);
      found = index < value.items().size() ? &value.items()[index] : nullptr;
    }
    Value next = found ? *found : Value::undefined(name);
    value = next;
  }
  return value;
}

Value join(Interpreter &interpreter, const Value &value, Arguments &arguments) {
  checkArguments(arguments, "join", {"d", "attribute"});
  const Value *by = argument(arguments, 0, "d"), *attribute = argument(arguments, 1, "attribute");
  std::string separator = by ? by->text() : "", result;
  bool first = true;
  for (const Value &item : interpreter.iterate(value)) {
    std::string text = attribute ? lookUp(interpreter, item, attribute->text()).text() : item.text();
    interpreter.charge(text.size() + separator.size());
    result += (first ? "" : separator) + text;
    first = false;
  }
  return Value::string(std::move(result));
}

Value first(Interpreter &interpreter, const Value &value, Arguments &) {
  Values items = interpreter.iterate(value);
  return items.empty() ? Value::undefined("the first element of nothing") : items.front();
}
Value last(Interpreter &interpreter, const Value &value, Arguments &) {
  Values items = interpreter.iterate(value);
  return items.empty() ? Value::undefined("the last element of nothing") : items.back();
}
Value list(Interpreter &interpreter, const Value &value, Arguments &) {
  return Value::list(interpreter.iterate(value));
}

Value reverse(Interpreter &interpreter, const Value &value, Arguments &) {
  if (value.is(Value::String)) {
    std::u32string text = toUtf32(value.asString());
    std::reverse(text.begin(), text.end());
    interpreter.charge(value.asString().size());
    return Value::string(toUtf8(std::u32string_view(text)));
  }
  Values items = interpreter.iterate(value);
  std::reverse(items.begin(), items.end());
  return Value::list(std::move(items));
}

/// select, reject, selectattr and rejectattr.
template <bool attribute, bool wanted>
Value select(Interpreter &interpreter, const Value &value, Arguments &arguments) {
  Values rest = arguments.positional;
  std::string path, test;
  auto take = [&](std::string &into) {
    if (rest.empty())
      return false;
    into = wantString(rest.front(), "select");
    rest.erase(rest.begin());
    return true;
  };
  if (attribute && !take(path))
    throw Problem{"selectattr and rejectattr need the name of an attribute"};
  bool named = take(test);
  if (named && !isTest(test))
    throw Problem{"there is no test '" + test.substr(0, 40) + "'"};
  Values kept;
  for (const Value &item : interpreter.iterate(value)) {
    Value subject = attribute ? lookUp(interpreter, item, path) : item;
    Arguments given{rest, {}};
    bool holds = named ? applyTest(interpreter, test, subject, given) : subject.truth();
    if (holds == wanted)
      kept.push_back(item);
  }
  return Value::list(std::move(kept));
}

Value map(Interpreter &interpreter, const Value &value, Arguments &arguments) {
  Values mapped;
  const Value *attribute = nullptr, *absent = nullptr;
  for (const auto &[name, given] : arguments.named) {
    attribute = name == "attribute" ? &given : attribute;
    absent = name == "default" ? &given : absent;
  }
  if (!attribute && arguments.positional.empty())
    throw Problem{"map needs a filter or an attribute"};
  for (const Value &item : interpreter.iterate(value)) {
    if (attribute) {
      Value found = lookUp(interpreter, item, attribute->text());
      mapped.push_back(found.is(Value::Undefined) && absent ? *absent : found);
      continue;
    }
    const std::string &filter = wantString(arguments.positional[0], "map");
    if (!isFilter(filter))
      throw Problem{"there is no filter '" + filter.substr(0, 40) + "'"};
    Arguments rest{{arguments.positional.begin() + 1, arguments.positional.end()}, arguments.named};
    mapped.push_back(applyFilter(interpreter, filter, item, rest));
  }
  return Value::list(std::move(mapped));
}

Value lowered(const Value &value, bool caseSensitive) {
  return value.is(Value::String) && !caseSensitive ? Value::string(lowercase(value.asString())) : value;
}

Value sort(Interpreter &interpreter, const Value &value, Arguments &arguments) {
  checkArguments(arguments, "sort", {"reverse", "case_sensitive", "attribute"});
  const Value *backwards = argument(arguments, 0, "reverse"), *exact = argument(arguments, 1, "case_sensitive"),
              *attribute = argument(arguments, 2, "attribute");
  std::vector<std::pair<Value, Value>> keyed;
  for (const Value &item : interpreter.iterate(value)) {
    Value key = attribute ? lookUp(interpreter, item, attribute->text()) : item;
    keyed.emplace_back(lowered(key, exact && exact->truth()), item);
  }
  interpreter.charge(keyed.size() * 20);
  bool descending = backwards && backwards->truth();
  std::vector<size_t> order(keyed.size());
  for (size_t i = 0; i < order.size(); ++i)
    order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { // equal ones stay in order
    const Value &left = keyed[descending ? b : a].first, &right = keyed[descending ? a : b].first;
    return left < right || (left == right && a < b);
  });
  Values sorted;
  for (size_t i : order)
    sorted.push_back(keyed[i].second);
  return Value::list(std::move(sorted));
}

Value dictsort(Interpreter &interpreter, const Value &value, Arguments &arguments) {
  checkArguments(arguments, "dictsort", {"case_sensitive"});
  if (!value.is(Value::Mapping))
    throw Problem{std::string("dictsort of ") + value.kindName()};
  Arguments none;
  Value pairs = interpreter.call(*method(value, "items"), {});
  const Value *exact = argument(arguments, 0, "case_sensitive");
  Arguments by;
  by.named.emplace_back("attribute", Value::string("0"));
  by.named.emplace_back("case_sensitive", Value::boolean(exact && exact->truth()));
  return sort(interpreter, pairs, by);
}

Value items(Interpreter &interpreter, const Value &value, Arguments &) {
  if (value.is(Value::Undefined))
    return Value::list({});
  if (!value.is(Value::Mapping))
    throw Problem{std::string("items of ") + value.kindName()};
  return interpreter.call(*method(value, "items"), {});
}

Value unique(Interpreter &interpreter, const Value &value, Arguments &) {
  Values kept, seen;
  for (const Value &item : interpreter.iterate(value)) {
    Value key = lowered(item, false);
    interpreter.charge(seen.size());
    if (std::find(seen.begin(), seen.end(), key) != seen.end())
      continue;
    seen.push_back(key);
    kept.push_back(item);
  }
  return Value::list(std::move(kept));
}

Value sum(Interpreter &interpreter, const Value &value, Arguments &arguments) {
  checkArguments(arguments, "sum", {"attribute", "start"});
  const Value *attribute = argument(arguments, 0, "attribute"), *start = argument(arguments, 1, "start");
  Value total = start ? *start : Value::integer(0);
  for (Value item : interpreter.iterate(value)) {
    if (attribute)
      item = lookUp(interpreter, item, attribute->text());
    if (!item.isNumber() || !total.isNumber())
      throw Problem{std::string("sum of ") + item.kindName()};
    if (item.is(Value::Float) || total.is(Value::Float)) {
      total = Value::real(total.asReal() + item.asReal());
      continue;
    }
    int64_t result;
    if (__builtin_add_overflow(total.asInteger(), item.asInteger(), &result))
      throw Problem{"an integer is too large"};
    total = Value::integer(result);
  }
  return total;
}

template <bool greatest> Value extreme(Interpreter &interpreter, const Value &value, Arguments &) {
  Values items = interpreter.iterate(value);
  if (items.empty())
    return Value::undefined("the extreme of nothing");
  const Value *best = &items[0];
  for (const Value &item : items)
    if (greatest ? lowered(*best, false) < lowered(item, false) : lowered(item, false) < lowered(*best, false))
      best = &item;
  return *best;
}

Value toInteger(Interpreter &, const Value &value, Arguments &arguments) {
  const Value *absent = argument(arguments, 0, "default");
  double number = value.isNumber() ? value.asReal() : NAN;
  if (value.is(Value::Integer) || value.is(Value::Boolean))
    return Value::integer(value.asInteger());
  if (value.is(Value::String)) {
    char *end = nullptr;
    std::string text = value.asString();
    number = std::strtod(text.c_str(), &end);
    if (text.empty() || *end || text.find_first_of("xXpPnNiI") != std::string::npos)
      number = NAN;
  }
  if (!(std::fabs(number) < 9e18))
    return absent ? *absent : Value::integer(0);
  return Value::integer(static_cast<int64_t>(number));
}

Value toReal(Interpreter &, const Value &value, Arguments &arguments) {
  const Value *absent = argument(arguments, 0, "default");
  if (value.isNumber())
    return Value::real(value.asReal());
  if (value.is(Value::String)) {
    char *end = nullptr;
    double number = std::strtod(value.asString().c_str(), &end);
    if (!value.asString().empty() && !*end)
      return Value::real(number);
  }
  return absent ? *absent : Value::real(0);
}

Value toText(Interpreter &interpreter, const Value &value, Arguments &) {
  std::string text = value.text();
  interpreter.charge(text.size());
  return Value::string(std::move(text));
}

Value absolute(Interpreter &, const Value &value, Arguments &) {
  if (!value.isNumber())
    throw Problem{std::string("abs of ") + value.kindName()};
  if (value.is(Value::Float))
    return Value::real(std::fabs(value.asReal()));
  if (value.asInteger() == INT64_MIN)
    throw Problem{"an integer is too large"};
  return Value::integer(std::abs(value.asInteger()));
}

Value roundTo(Interpreter &, const Value &value, Arguments &arguments) {
  checkArguments(arguments, "round", {"precision", "method"});
  const Value *precision = argument(arguments, 0, "precision"), *how = argument(arguments, 1, "method");
  if (!value.isNumber())
    throw Problem{std::string("round of ") + value.kindName()};
  int64_t digits = precision ? wantInteger(*precision, "round") : 0;
  if (digits < -15 || digits > 15)
    throw Problem{"round: expected a precision from -15 to 15, found " + std::to_string(digits)};
  double scale = std::pow(10.0, static_cast<double>(digits)), scaled = value.asReal() * scale;
  std::string method = how ? how->text() : "common";
  double rounded = method == "ceil"    ? std::ceil(scaled)
                   : method == "floor" ? std::floor(scaled)
                                       : std::nearbyint(scaled);
  return Value::real(rounded / scale);
}

Value indent(Interpreter &interpreter, const Value &value, Arguments &arguments) {
  checkArguments(arguments, "indent", {"width", "first", "blank"});
  const Value *width = argument(arguments, 0, "width"), *firstLine = argument(arguments, 1, "first"),
              *blank = argument(arguments, 2, "blank");
  std::string prefix =
      width && width->is(Value::String)
          ? width->asString()
          : std::string(static_cast<size_t>(std::clamp<int64_t>(width ? wantInteger(*width, "indent") : 4, 0, 1000)),
                        ' ');
  std::string result, text = value.text();
  for (size_t begin = 0, line = 0; begin <= text.size(); ++line) {
    size_t end = std::min(text.find('\n', begin), text.size());
    bool empty = end == begin && !(blank && blank->truth());
    if (line > 0 ? !empty : firstLine && firstLine->truth())
      result += prefix;
    interpreter.charge(prefix.size() + end - begin + 1);
    result += text.substr(begin, end - begin + (end < text.size()));
    begin = end + 1;
  }
  return Value::string(std::move(result));
}

Value escape(Interpreter &interpreter, const Value &value, Arguments &) {
  std::string result;
  for (char c : value.text())
    switch (c) {
    case '&':
      result += "&amp;";
      break;
    case '<':
      result += "&lt;";
      break;
    case '>':
      result += "&gt;";
      break;
    case '"':
      result += "&#34;";
      break;
    case '\'':
      result += "&#39;";
      break;
    default:
      result += c;
    }
  interpreter.charge(result.size());
  return Value::string(std::move(result));
}

Value same(Interpreter &, const Value &value, Arguments &) { return value; }

Value wordcount(Interpreter &interpreter, const Value &value, Arguments &) {
  Value words = interpreter.call(*method(Value::string(value.text()), "split"), {});
  return Value::integer(static_cast<int64_t>(words.items().size()));
}

const std::map<std::string, Filter> filters = {{"trim", trim},
                                               {"upper", upper},
                                               {"lower", lower},
                                               {"title", title},
                                               {"capitalize", capitalize},
                                               {"replace", replace},
                                               {"length", length},
                                               {"count", length},
                                               {"tojson", tojson},
                                               {"default", defaultTo},
                                               {"d", defaultTo},
                                               {"join", join},
                                               {"first", first},
                                               {"last", last},
                                               {"list", list},
                                               {"reverse", reverse},
                                               {"select", select<false, true>},
                                               {"reject", select<false, false>},
                                               {"selectattr", select<true, true>},
                                               {"rejectattr", select<true, false>},
                                               {"map", map},
                                               {"sort", sort},
                                               {"dictsort", dictsort},
                                               {"items", items},
                                               {"unique", unique},
                                               {"sum", sum},
                                               {"min", extreme<false>},
                                               {"max", extreme<true>},
                                               {"int", toInteger},
                                               {"float", toReal},
                                               {"string", toText},
                                               {"abs", absolute},
                                               {"round", roundTo},
                                               {"indent", indent},
                                               {"escape", escape},
                                               {"e", escape},
                                               {"safe", same},
                                               {"wordcount", wordcount}};

} // namespace

bool chat::isFilter(const std::string &name) { return filters.count(name) != 0; }

Value chat::applyFilter(Interpreter &interpreter, const std::string &name, const Value &value, Arguments &arguments) {
  return filters.at(name)(interpreter, value, arguments);
}
