//===- LinearInput.h - rows that a product of few rows reads -----*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_GPU_LINEARINPUT_H
#define LOWERING_GPU_LINEARINPUT_H

#include "lowering/gpu/LinearEpilogue.h"

namespace samba {

/// Rows of x where the lanes read them: in global memory, or normalised in shared memory.
struct RowSource {
  mlir::Value pointer;
  mlir::Type element;
  mlir::SmallVector<mlir::Value> starts; // of the rows

  /// Of `count` rows from `firstRow` on; those beyond the last are that one. All threads of the block take part.
  RowSource(GpuEmitter &e, const LinearOperands &linear, const LinearArguments &places, mlir::ValueRange arguments,
            mlir::Value firstRow, mlir::Value rows, int64_t count);
  /// Bytes of shared memory that it takes for a linear with a norm.
  static int64_t bytes(const LinearOperands &linear, int64_t count);
};

} // namespace samba

#endif // LOWERING_GPU_LINEARINPUT_H
