//===- Slices.cpp - slices that are views ---------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/Slices.h"

using namespace mlir;

FailureOr<int64_t> samba::firstColumnOf(tensor::ExtractSliceOp slice) {
  auto type = slice.getType();
  auto offsets = slice.getStaticOffsets();
  if (type.getRank() != 2 || slice.getSourceType().getRank() != 2 || offsets[0] != 0 ||
      ShapedType::isDynamic(offsets[1]) || slice.getStaticStrides() != ArrayRef<int64_t>({1, 1}) ||
      !type.isDynamicDim(0))
    return slice.emitOpError() << "expected a slice of columns of a matrix of rows";
  return offsets[1];
}
