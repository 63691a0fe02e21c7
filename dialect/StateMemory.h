//===- StateMemory.h - states as bytes --------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How a slice of a state lies in memory, for whoever hands states to compiled code: f32 and bf16 as they are; of i8,
// row by row, the integers and then their scale.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECT_STATEMEMORY_H
#define DIALECT_STATEMEMORY_H

#include "dialect/Samba.h"

namespace samba {

/// Writes `type.getSizeInBytes()` bytes. Rows of i8 are quantised as weights of 8 bits are: values that come from there
/// stay what they are, but for the last place.
void packState(StateType type, llvm::ArrayRef<float> values, uint8_t *memory);

/// The values that lie there.
void unpackState(StateType type, const uint8_t *memory, llvm::MutableArrayRef<float> values);

/// Rounds values to those that a state of this type can hold. Values of f32 stay what they are.
template <class F> void roundToState(StateType type, llvm::MutableArrayRef<F> values) {
  if (type.getElementType().isF32())
    return;
  std::vector<float> single(values.begin(), values.end());
  std::vector<uint8_t> memory(type.getSizeInBytes());
  packState(type, single, memory.data());
  unpackState(type, memory.data(), single);
  std::copy(single.begin(), single.end(), values.begin());
}

} // namespace samba

#endif // DIALECT_STATEMEMORY_H
