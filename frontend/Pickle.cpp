//===- Pickle.cpp - the values of a pickle, without executing it ----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/Pickle.h"

#include "frontend/Error.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Endian.h"
#include "llvm/Support/FormatVariadic.h"
#include <optional>

using namespace llvm;
using namespace samba;

namespace {

constexpr size_t kMaxInstructions = size_t(1) << 21;

/// The instructions that are understood; all but those of strings of Python 2 are written by torch.save.
enum Opcode : uint8_t {
  kMark = '(',
  kStop = '.',
  kBinFloat = 'G',
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kNone = 'N',
  kBinPersId = 'Q',
  kReduce = 'R',
  kBinString = 'T',
  kShortBinString = 'U',
  kBinUnicode = 'X',
  kEmptyList = ']',
  kAppend = 'a',
  kBuild = 'b',
  kGlobal = 'c',
  kAppends = 'e',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kSetItem = 's',
  kTuple = 't',
  kSetItems = 'u',
  kEmptyDict = '}',
  kEmptyTuple = ')',
  kProto = 0x80,
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kLong1 = 0x8a,
};

/// What a global can be used for.
enum class Use { Dict, Tensor, Parameter, Size, Storage };

struct KnownGlobal {
  StringLiteral name;
  Use use;
};

constexpr KnownGlobal kGlobals[] = {
    {"collections.OrderedDict", Use::Dict},
    {"torch._utils._rebuild_tensor_v2", Use::Tensor},
    {"torch._utils._rebuild_parameter", Use::Parameter},
    {"torch.Size", Use::Size},
    {"torch.FloatStorage", Use::Storage},
    {"torch.HalfStorage", Use::Storage},
    {"torch.BFloat16Storage", Use::Storage},
    {"torch.DoubleStorage", Use::Storage},
    {"torch.LongStorage", Use::Storage},
    {"torch.IntStorage", Use::Storage},
    {"torch.ShortStorage", Use::Storage},
    {"torch.CharStorage", Use::Storage},
    {"torch.ByteStorage", Use::Storage},
    {"torch.BoolStorage", Use::Storage},
    {"torch.ComplexFloatStorage", Use::Storage},
    {"torch.ComplexDoubleStorage", Use::Storage},
};

std::optional<Use> useOf(const PickleValue &value) {
  return value.is(PickleValue::Global) ? std::optional(kGlobals[value.integer].use) : std::nullopt;
}

} // namespace

/// The stack machine. An empty StringRef of data or a null value means that `failure` is set.
class Pickle::Machine {
public:
  Machine(ArrayRef<uint8_t> bytes, const std::string &name, std::deque<PickleValue> &values)
      : bytes(bytes), name(name), values(values) {}

  Expected<const PickleValue *> run() {
    if (bytes.size() < 2 || bytes[0] != kProto || bytes[1] != 2)
      return makeError(name + ": expected a pickle of protocol 2" +
                       (bytes.size() >= 2 && bytes[0] == kProto ? ", found protocol " + Twine(unsigned(bytes[1]))
                                                                : ", found something else"));
    at = 2;
    while (!stopped && problem.empty()) {
      start = at;
      if (at == bytes.size())
        fail("an end instruction", "the end of the data");
      else if (++instructions > kMaxInstructions)
        fail("at most " + Twine(kMaxInstructions) + " instructions", "more");
      else
        step(bytes[at++]);
    }
    if (problem.empty() && stack.size() != 1)
      fail("one value at the end", Twine(stack.size()));
    if (!problem.empty())
      return makeError(problem);
    return stack.front();
  }

private:
  void fail(const Twine &expected, const Twine &found) {
    if (problem.empty())
      problem = (name + ": byte " + Twine(start) + ": expected " + expected + ", found " + found).str();
  }

  //===--- input -----------------------------------------------------------===//

  /// Null, with the failure set, if there are not so many bytes left.
  const uint8_t *take(uint64_t count) {
    if (count > bytes.size() - at) {
      fail(Twine(count) + " more bytes", Twine(bytes.size() - at));
      return nullptr;
    }
    const uint8_t *begin = bytes.data() + at;
    at += count;
    return begin;
  }

  uint64_t number(unsigned size) {
    const uint8_t *data = take(size);
    uint64_t result = 0;
    for (unsigned i = 0; data && i < size; ++i)
      result |= uint64_t(data[i]) << (8 * i);
    return result;
  }

  StringRef text(uint64_t size) {
    const uint8_t *data = take(size);
    return data ? StringRef(reinterpret_cast<const char *>(data), size) : StringRef();
  }

  StringRef line() {
    StringRef rest = toStringRef(bytes.drop_front(at));
    size_t end = rest.find('\n');
    if (end == StringRef::npos) {
      fail("the end of a line", "the end of the data");
      return "";
    }
    at += end + 1;
    return rest.take_front(end);
  }

  //===--- stack -----------------------------------------------------------===//

  PickleValue *create(PickleValue::Kind kind) {
    PickleValue &value = values.emplace_back();
    value.kind = kind;
    return &value;
  }
  PickleValue *push(PickleValue::Kind kind) {
    stack.push_back(create(kind));
    return stack.back();
  }
  void pushInteger(int64_t integer) { push(PickleValue::Int)->integer = integer; }
  void pushText(StringRef text) { push(PickleValue::Text)->text = text; }

  /// Values below the last mark cannot be reached.
  size_t reachable() const { return stack.size() - (marks.empty() ? 0 : marks.back()); }
  bool need(size_t count) {
    if (reachable() >= count)
      return true;
    fail(Twine(count) + " values on the stack", Twine(reachable()));
    return false;
  }
  PickleValue *pop() {
    if (!need(1))
      return nullptr;
    return stack.pop_back_val();
  }
  /// The values above the last mark; both leave the stack.
  bool popToMark(SmallVectorImpl<const PickleValue *> &result) {
    if (marks.empty()) {
      fail("a mark on the stack", "none");
      return false;
    }
    result.append(stack.begin() + marks.back(), stack.end());
    stack.truncate(marks.pop_back_val());
    return true;
  }

  void makeTuple(size_t count) {
    if (!need(count))
      return;
    PickleValue *tuple = create(PickleValue::Tuple);
    tuple->items.assign(stack.end() - count, stack.end());
    stack.truncate(stack.size() - count);
    stack.push_back(tuple);
  }

  void extend(PickleValue::Kind kind, ArrayRef<const PickleValue *> items) {
    if (!need(1))
      return;
    PickleValue *container = stack.back();
    if (container->kind != kind)
      return fail(kind == PickleValue::List ? "a list to append to" : "a dict to add to", container->describe());
    if (kind == PickleValue::Dict && items.size() % 2)
      return fail("a value for each key", "a key without value");
    container->items.insert(container->items.end(), items.begin(), items.end());
  }

  //===--- instructions ----------------------------------------------------===//

  void step(uint8_t opcode) {
    SmallVector<const PickleValue *> items;
    switch (opcode) {
    case kMark:
      return marks.push_back(stack.size());
    case kStop:
      stopped = true;
      return;
    case kNone:
      push(PickleValue::None);
      return;
    case kNewTrue:
    case kNewFalse:
      push(PickleValue::Bool)->integer = opcode == kNewTrue;
      return;
    case kBinInt:
      return pushInteger(int32_t(number(4)));
    case kBinInt1:
      return pushInteger(int64_t(number(1)));
    case kBinInt2:
      return pushInteger(int64_t(number(2)));
    case kLong1:
      return longInteger(number(1));
    case kBinFloat:
      if (const uint8_t *data = take(8))
        push(PickleValue::Float)->real = bit_cast<double>(support::endian::read64be(data));
      return;
    case kBinUnicode:
    case kBinString:
      return pushText(text(number(4)));
    case kShortBinString:
      return pushText(text(number(1)));
    case kGlobal:
      return global();
    case kBinPersId:
      return storage();
    case kReduce:
      return reduce();
    case kBuild:
      return build();
    case kEmptyTuple:
      return makeTuple(0);
    case kTuple1:
      return makeTuple(1);
    case kTuple2:
      return makeTuple(2);
    case kTuple3:
      return makeTuple(3);
    case kTuple:
      if (popToMark(items))
        push(PickleValue::Tuple)->items.assign(items.begin(), items.end());
      return;
    case kEmptyList:
      push(PickleValue::List);
      return;
    case kEmptyDict:
      push(PickleValue::Dict);
      return;
    case kAppend:
      if (const PickleValue *item = pop())
        extend(PickleValue::List, item);
      return;
    case kAppends:
      if (popToMark(items))
        extend(PickleValue::List, items);
      return;
    case kSetItem: {
      const PickleValue *value = pop(), *key = pop();
      if (value && key)
        extend(PickleValue::Dict, {key, value});
      return;
    }
    case kSetItems:
      if (popToMark(items))
        extend(PickleValue::Dict, items);
      return;
    case kBinPut:
      return put(number(1));
    case kLongBinPut:
      return put(number(4));
    case kBinGet:
      return get(number(1));
    case kLongBinGet:
      return get(number(4));
    default:
      return fail("an instruction that torch.save writes", "0x" + utohexstr(opcode, /*LowerCase=*/true, 2));
    }
  }

  void longInteger(uint64_t size) {
    if (size > 8)
      return fail("an integer of at most 8 bytes", Twine(size));
    uint64_t value = number(unsigned(size));
    pushInteger(size == 0 || size == 8 ? int64_t(value) : SignExtend64(value, unsigned(8 * size)));
  }

  void put(uint64_t index) {
    if (need(1))
      memo[index] = stack.back();
  }
  void get(uint64_t index) {
    auto it = memo.find(index);
    if (it == memo.end())
      return fail("a value that was memorised before", "number " + Twine(index));
    stack.push_back(it->second);
  }

  void global() {
    StringRef module = line(), member = line();
    if (!problem.empty())
      return;
    std::string name = (module + "." + member).str();
    for (auto [index, known] : llvm::enumerate(kGlobals))
      if (known.name == name) {
        PickleValue *value = push(PickleValue::Global);
        value->text = known.name;
        value->integer = index;
        return;
      }
    fail("tensors, numbers, texts, lists and dicts",
         "the Python object " + quoted(name) + ", which is not loaded because that could run any code");
  }

  void storage() {
    const PickleValue *id = pop();
    if (!id)
      return;
    ArrayRef<const PickleValue *> parts = id->items;
    bool valid = id->is(PickleValue::Tuple) && parts.size() == 5 && parts[0]->is(PickleValue::Text) &&
                 parts[0]->text == "storage" && useOf(*parts[1]) == Use::Storage && parts[2]->is(PickleValue::Text) &&
                 parts[4]->is(PickleValue::Int);
    if (!valid)
      return fail("a storage: ('storage', class, key, location, number of elements)", id->describe());
    push(PickleValue::Storage)->items = parts.vec();
  }

  void reduce() {
    const PickleValue *arguments = pop(), *function = pop();
    if (!arguments || !function)
      return;
    std::optional<Use> use = useOf(*function);
    if (!use || use == Use::Storage || !arguments->is(PickleValue::Tuple))
      return fail("a call of a known function", "a call of " + function->describe());
    ArrayRef<const PickleValue *> given = arguments->items;
    auto isGiven = [&](ArrayRef<PickleValue::Kind> kinds) {
      return llvm::equal(given.take_front(kinds.size()), kinds,
                         [](const PickleValue *value, PickleValue::Kind kind) { return value->is(kind); });
    };
    using V = PickleValue;
    if (use == Use::Dict && given.empty()) {
      push(V::Dict);
    } else if (use == Use::Size && given.size() == 1 && isGiven({V::Tuple})) {
      stack.push_back(const_cast<V *>(given[0]));
    } else if (use == Use::Parameter && given.size() == 3 && isGiven({V::Tensor, V::Bool, V::Dict})) {
      stack.push_back(const_cast<V *>(given[0]));
    } else if (use == Use::Tensor && given.size() >= 6 && isGiven({V::Storage, V::Int, V::Tuple, V::Tuple})) {
      push(V::Tensor)->items = given.take_front(4).vec();
    } else {
      fail("a call of " + quoted(function->text) + " as torch.save writes it", "other arguments");
    }
  }

  /// State of an OrderedDict: versions of modules, which do not matter here.
  void build() {
    const PickleValue *state = pop();
    if (!state || !need(1))
      return;
    if (!stack.back()->is(PickleValue::Dict) || !state->is(PickleValue::Dict))
      fail("the attributes of a dict", state->describe() + " for " + stack.back()->describe());
  }

  ArrayRef<uint8_t> bytes;
  const std::string &name;
  std::deque<PickleValue> &values;
  size_t at = 0, start = 0; // of what is read next; of the instruction
  SmallVector<PickleValue *> stack;
  SmallVector<size_t> marks; // sizes of the stack
  DenseMap<uint64_t, PickleValue *> memo;
  std::string problem;
  size_t instructions = 0;
  bool stopped = false;
};

Expected<Pickle> Pickle::read(ArrayRef<uint8_t> bytes, const std::string &name) {
  if (bytes.size() > kMaxPickleBytes)
    return makeError(name + ": expected at most " + Twine(kMaxPickleBytes) + " bytes, found " + Twine(bytes.size()));
  Pickle pickle;
  pickle.values = std::make_unique<std::deque<PickleValue>>();
  Expected<const PickleValue *> root = Machine(bytes, name, *pickle.values).run();
  if (!root)
    return root.takeError();
  pickle.top = *root;
  return std::move(pickle);
}

const PickleValue *PickleValue::find(StringRef key) const {
  for (size_t i = items.size(); i >= 2; i -= 2)
    if (items[i - 2]->is(Text) && items[i - 2]->text == key)
      return items[i - 1];
  return nullptr;
}

std::string PickleValue::describe() const {
  switch (kind) {
  case None:
    return "None";
  case Bool:
    return integer ? "True" : "False";
  case Int:
    return "the number " + std::to_string(integer);
  case Float:
    return formatv("the number {0}", real).str();
  case Text:
    return "the text " + quoted(text);
  case Tuple:
    return "a tuple";
  case List:
    return "a list";
  case Dict:
    return "a dict";
  case Global:
    return quoted(text);
  case Storage:
    return "a storage";
  case Tensor:
    return "a tensor";
  }
  llvm_unreachable("unknown kind");
}
