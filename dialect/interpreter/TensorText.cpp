//===- TensorText.cpp - values as text for people and FileCheck -----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/TensorText.h"

#include "llvm/Support/Format.h"
#include <cmath>

using namespace llvm;

namespace samba::reference {

namespace {

constexpr int64_t kMaxShown = 8;

void printNumber(raw_ostream &os, int64_t number) { os << number; }

void printNumber(raw_ostream &os, double number) {
  if (std::isnan(number))
    os << "nan"; // whatever its sign, which the standard library may print
  else
    os << format("%.6g", number);
}

/// Calls `show` for each of `count` things, or for the first and last ones and `skip` once between them.
template <class Show, class Skip> void elided(int64_t count, bool all, Show show, Skip skip) {
  for (int64_t i = 0; i < count; ++i) {
    if (!all && count > kMaxShown && i == kMaxShown / 2) {
      skip();
      i = count - kMaxShown / 2;
    }
    show(i);
  }
}

template <class T> void printTensor(raw_ostream &os, const Tensor<T> &tensor, bool all) {
  int64_t width = tensor.shape.empty() ? 1 : tensor.shape.back();
  int64_t rows = width ? int64_t(tensor.data.size()) / width : 0;
  auto printRow = [&](int64_t row) {
    os << "  [";
    elided(
        width, all,
        [&](int64_t i) {
          os << (i ? ", " : "");
          printNumber(os, tensor.data[row * width + i]);
        },
        [&] { os << ", ..."; });
    os << "]\n";
  };
  elided(rows, all, printRow, [&] { os << "  ...\n"; });
}

} // namespace

template <class F> void printValue(raw_ostream &os, StringRef title, const Value<F> &value, bool all) {
  if (auto *states = std::get_if<StateBatch<F>>(&value)) {
    os << title << ": " << states->sequences.size() << " states\n";
    for (size_t s = 0; s < states->sequences.size(); ++s) {
      os << "sequence " << s << ": " << shapeText(states->sequences[s].shape) << "\n";
      printTensor(os, states->sequences[s], all);
    }
    return;
  }
  auto print = [&](const auto &tensor) {
    os << title << ": " << shapeText(tensor.shape) << "\n";
    printTensor(os, tensor, all);
  };
  if (auto *integers = std::get_if<IntTensor>(&value))
    print(*integers);
  else
    print(*std::get_if<Tensor<F>>(&value));
}

template void printValue(raw_ostream &, StringRef, const Value<float> &, bool);
template void printValue(raw_ostream &, StringRef, const Value<double> &, bool);

} // namespace samba::reference
