//===- Quantisation.h - groups of integers with a scale ---------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What `#samba.quant` means, for the packer and the interpreter alike.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECT_QUANTISATION_H
#define DIALECT_QUANTISATION_H

#include "llvm/ADT/ArrayRef.h"
#include <cstdint>

namespace samba {

/// Quantises a group of weights to integers in -127 .. 127 (8 bits) or -8 .. 7 (4 bits) and returns the scale.
///
/// With 8 bits the scale is the largest magnitude over 127. With 4 bits it is, of the scales that map the value of
/// largest magnitude to -5.5, -6, ... -8, the one with the smallest squared error. All arithmetic is f32; a group
/// with a value that is no finite number becomes zeros with that value as its scale, so that it is not lost silently.
float quantiseWeights(llvm::ArrayRef<float> values, int64_t bits, int8_t *codes);

} // namespace samba

#endif // DIALECT_QUANTISATION_H
