//===- Norm.h - a row is normalised ------------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_GPU_NORM_H
#define LOWERING_GPU_NORM_H

#include "lowering/gpu/Kernels.h"

namespace samba {

/// Where a norm reads; those that are absent are null.
struct NormPointers {
  mlir::Value x, weight, bias;
};

/// The block normalises a row of x; `store` gets `lanes` neighbouring columns at a time. Between the sums and the
/// results the row stays in registers.
void emitNorm(GpuEmitter &e, const Matrix &x, const NormOperands &norm, const NormPointers &pointers, mlir::Value row,
              int64_t lanes, llvm::function_ref<void(mlir::ValueRange values, mlir::Value column)> store);

/// How many neighbouring columns may be read at once.
int64_t lanesOfNorm(const Matrix &x, const NormOperands &norm);

std::string describe(const NormOperands &norm);

} // namespace samba

#endif // LOWERING_GPU_NORM_H
