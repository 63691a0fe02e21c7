//===- Pickle.h - the values of a pickle, without executing it --*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A pickle is a program that may call whatever it names. This reader knows the instructions of protocol 2 that describe
// plain data and the few callables that torch.save names for tensors; anything else is refused by name. Nothing is
// executed, and nothing is copied but numbers: texts are parts of the pickle.
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_PICKLE_H
#define FRONTEND_PICKLE_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace samba {

struct PickleValue {
  enum Kind {
    None,
    Bool,
    Int,
    Float,
    Text,
    Tuple,
    List,
    Dict,    // also an OrderedDict
    Global,  // a known one; text: "torch.FloatStorage"
    Storage, // items: the tuple that names it, ('storage', class, key, location, elements)
    Tensor   // items: the storage, offset, sizes, strides
  };
  Kind kind = None;
  int64_t integer = 0;  // Bool, Int
  double real = 0;      // Float
  llvm::StringRef text; // Text, Global
  /// Of a Dict: key, value, key, value. Lists and dictionaries may contain themselves.
  std::vector<const PickleValue *> items;

  bool is(Kind what) const { return kind == what; }
  /// The value of a text key of a Dict, the last one if there are several; null if there is none.
  const PickleValue *find(llvm::StringRef key) const;
  /// "a tensor", "a dict", "the number 3", "the text 'x'": for messages.
  std::string describe() const;
};

/// Longest pickle that is read: enough for the names of 10 000 tensors with an optimizer's state.
constexpr uint64_t kMaxPickleBytes = 16 << 20;

/// All values of a pickle, which must outlive it. Memory is bounded by the number of instructions, at most 2^21.
class Pickle {
public:
  /// Messages are of the form "NAME: byte 12: expected ..., found ...".
  static llvm::Expected<Pickle> read(llvm::ArrayRef<uint8_t> bytes, const std::string &name);

  const PickleValue &root() const { return *top; }

private:
  class Machine;

  std::unique_ptr<std::deque<PickleValue>> values; // addresses stay
  const PickleValue *top = nullptr;
};

} // namespace samba

#endif // FRONTEND_PICKLE_H
