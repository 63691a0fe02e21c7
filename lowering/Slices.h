//===- Slices.h - slices that are views ------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_SLICES_H
#define LOWERING_SLICES_H

#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace samba {

/// Where a slice of columns of a matrix of rows begins. Any other slice is an error, which is reported.
mlir::FailureOr<int64_t> firstColumnOf(mlir::tensor::ExtractSliceOp slice);

} // namespace samba

#endif // LOWERING_SLICES_H
