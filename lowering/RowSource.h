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
/// whatever the function is given.
mlir::BlockArgument rowSource(mlir::Value value);

/// The operand of a call that has as many rows as its result; null as above. The called function is samba IR.
mlir::Value rowOperand(mlir::func::CallOp call, mlir::Value result);

} // namespace samba

#endif // LOWERING_ROWSOURCE_H
