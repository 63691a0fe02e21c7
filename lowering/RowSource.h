//===- RowSource.h - what a value's number of rows follows ------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_ROWSOURCE_H
#define LOWERING_ROWSOURCE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace samba {

/// The argument of its function that has as many rows as the value: the first matrix that it is computed from, or the
/// vector that selects them, through kernels and calls. Null if the value has one row for each token of the step,
/// whatever the function is given. `calleeOf` finds the samba IR of a called function.
mlir::BlockArgument rowSource(mlir::Value value, llvm::function_ref<mlir::func::FuncOp(mlir::func::CallOp)> calleeOf);

} // namespace samba

#endif // LOWERING_ROWSOURCE_H
