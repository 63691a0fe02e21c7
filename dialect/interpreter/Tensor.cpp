//===- Tensor.cpp - shapes and the checks shared by operations ------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/Tensor.h"

#include "llvm/ADT/StringExtras.h"
#include <limits>

using namespace llvm;

namespace samba::reference {

int64_t numElements(ArrayRef<int64_t> shape) {
  int64_t elements = 1;
  for (int64_t size : shape)
    elements *= size;
  return elements;
}

std::string shapeText(ArrayRef<int64_t> shape) {
  return "[" + join(map_range(shape, [](int64_t size) { return std::to_string(size); }), ", ") + "]";
}

Error checkShape(StringRef what, ArrayRef<int64_t> actual, ArrayRef<int64_t> expected) {
  if (actual == expected)
    return Error::success();
  return makeError("expected {0} of shape {1}, got {2}", what, shapeText(expected), shapeText(actual));
}

Error checkRank(StringRef what, ArrayRef<int64_t> actual, int64_t rank) {
  if (int64_t(actual.size()) == rank)
    return Error::success();
  return makeError("expected {0} of {1} dimensions, got shape {2}", what, rank, shapeText(actual));
}

Expected<int64_t> checkSegments(const IntTensor &segments, int64_t tokens) {
  if (segments.shape.size() != 1 || segments.data.empty())
    return makeError("expected segments of shape [S+1], got {0}", shapeText(segments.shape));
  if (segments.data.front() != 0)
    return makeError("expected segments to start at 0, got {0}", segments.data.front());
  for (size_t s = 0; s + 1 < segments.data.size(); ++s)
    if (segments.data[s + 1] < segments.data[s])
      return makeError("expected segments in ascending order, got {0} after {1} at {2}", segments.data[s + 1],
                       segments.data[s], s + 1);
  if (segments.data.back() != tokens)
    return makeError("expected segments to end at the number of tokens, {0}, got {1}", tokens, segments.data.back());
  return int64_t(segments.data.size()) - 1;
}

Error checkPositions(const IntTensor &positions, const IntTensor &segments, int64_t sequences) {
  if (Error error = checkShape("positions", positions.shape, {sequences}))
    return error;
  for (int64_t s = 0; s < sequences; ++s) {
    int64_t length = segments.data[s + 1] - segments.data[s], last = std::numeric_limits<int64_t>::max() - length;
    if (positions.data[s] < 0 || positions.data[s] > last)
      return makeError("expected the position of sequence {0} between 0 and {1}, got {2}", s, last, positions.data[s]);
  }
  return Error::success();
}

template <class F>
Error checkStates(StringRef what, const StateBatch<F> &states, int64_t sequences, ArrayRef<int64_t> shape) {
  if (int64_t(states.sequences.size()) != sequences)
    return makeError("expected {0} of {1} sequences, got {2}", what, sequences, states.sequences.size());
  for (const Tensor<F> &state : states.sequences)
    if (Error error = checkShape(what, state.shape, shape))
      return error;
  return Error::success();
}

template Error checkStates(StringRef, const StateBatch<float> &, int64_t, ArrayRef<int64_t>);
template Error checkStates(StringRef, const StateBatch<double> &, int64_t, ArrayRef<int64_t>);

} // namespace samba::reference
