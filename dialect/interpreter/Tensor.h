//===- Tensor.h - values of the reference interpreter -----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The reference interpreter is the meaning of the samba dialect: each operation's formula of SambaOps.td in plain C++,
// generic over the scalar `F`. With `double` it is the exact meaning (f32 values are held as doubles and nothing is
// rounded); with `float` all arithmetic is f32.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECT_INTERPRETER_TENSOR_H
#define DIALECT_INTERPRETER_TENSOR_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FormatVariadic.h"
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace samba::reference {

using Shape = llvm::SmallVector<int64_t, 4>;

/// Product of the sizes; 1 for a scalar.
int64_t numElements(llvm::ArrayRef<int64_t> shape);

/// "[3, 384]".
std::string shapeText(llvm::ArrayRef<int64_t> shape);

/// A dense row-major array; `data.size()` is the product of `shape`. A scalar has an empty shape.
template <class F> struct Tensor {
  Shape shape;
  std::vector<F> data;

  Tensor() : data(1) {}
  /// All elements zero.
  explicit Tensor(Shape sizes) : shape(std::move(sizes)), data(numElements(shape)) {}
  /// `elements` holds exactly as many elements as `sizes` asks for.
  Tensor(Shape sizes, std::vector<F> elements) : shape(std::move(sizes)), data(std::move(elements)) {}

  /// Elements of a matrix: row `i`, column `j`.
  F &operator()(int64_t i, int64_t j) { return data[i * shape[1] + j]; }
  F operator()(int64_t i, int64_t j) const { return data[i * shape[1] + j]; }
  /// Elements of a three-dimensional tensor.
  F &operator()(int64_t i, int64_t j, int64_t k) { return data[(i * shape[1] + j) * shape[2] + k]; }
  F operator()(int64_t i, int64_t j, int64_t k) const { return data[(i * shape[1] + j) * shape[2] + k]; }
};

/// Tokens, positions, segments, rows and index scalars, whatever their width in the IR.
using IntTensor = Tensor<int64_t>;

/// A `!samba.state`: one tensor of the state's shape for each sequence of the step.
template <class F> struct StateBatch {
  std::vector<Tensor<F>> sequences;
};

/// What an SSA value may hold.
template <class F> using Value = std::variant<Tensor<F>, IntTensor, StateBatch<F>>;

/// An error of one line.
template <class... Args> llvm::Error makeError(const char *format, Args &&...args) {
  return llvm::createStringError(llvm::formatv(format, std::forward<Args>(args)...).str());
}

/// `what` names the value in the message, which says the expected and the actual shape.
llvm::Error checkShape(llvm::StringRef what, llvm::ArrayRef<int64_t> actual, llvm::ArrayRef<int64_t> expected);
/// Any shape of `rank` dimensions.
llvm::Error checkRank(llvm::StringRef what, llvm::ArrayRef<int64_t> actual, int64_t rank);
/// `segments` is `[S+1]`, starts at 0, never descends and ends at `tokens`. Returns S.
llvm::Expected<int64_t> checkSegments(const IntTensor &segments, int64_t tokens);
/// `positions` is `[sequences]` and no token of the step stands before 0 or beyond the largest int64.
llvm::Error checkPositions(const IntTensor &positions, const IntTensor &segments, int64_t sequences);
/// `states` holds one tensor of that shape for each sequence.
template <class F>
llvm::Error checkStates(llvm::StringRef what, const StateBatch<F> &states, int64_t sequences,
                        llvm::ArrayRef<int64_t> shape);

} // namespace samba::reference

#endif // DIALECT_INTERPRETER_TENSOR_H
