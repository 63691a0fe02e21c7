//===- CopyReport.h - what a step moves without computing -------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Values are computed where they are read: there is no bufferisation that copies to be safe. What is left are loops
// whose purpose is to move something. They are in the table of loops, each with its reason.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_CPU_COPYREPORT_H
#define LOWERING_CPU_COPYREPORT_H

#include "mlir/IR/BuiltinOps.h"
#include <string>
#include <vector>

namespace samba {

struct CopyLoop {
  std::string kernel, why;
  bool perRow = false; // moves a row for each row of logits, not for each token
  int64_t bytes = 0;   // of a row
  int64_t count = 0;   // of such loops in a step
};

/// The copies of a step of a lowered module, in the order in which they first occur.
std::vector<CopyLoop> copiesOf(mlir::ModuleOp lowered);

/// A table, and the sum for each token.
std::string copyReport(mlir::ModuleOp lowered);

} // namespace samba

#endif // LOWERING_CPU_COPYREPORT_H
