//===- Cost.h - what executing an operation costs ----------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef DIALECT_COST_H
#define DIALECT_COST_H

#include "mlir/IR/OpDefinition.h"
#include <cstdint>

namespace samba {

/// The step that costs are predicted for. `tokens` are spread evenly over `segments`.
struct Workload {
  int64_t tokens = 1;     // T
  int64_t segments = 1;   // S
  int64_t context = 1024; // tokens that each sequence has seen before the step
  int64_t rows = 1;       // R, the rows whose logits are wanted
};

/// Arithmetic as the formulas of SambaOps.td write it: an addition, multiplication, division or comparison is one
/// flop, a fused multiply-add two.
struct OpCost {
  int64_t flops = 0;
  int64_t exps = 0;          // exponentials, logarithms, sines and cosines
  int64_t stateBytes = 0;    // of carried state, read and written
  int64_t gatheredBytes = 0; // read of operands of which the operation does not read everything
};

/// Of an operation with the interface, or an elementwise operation of another dialect; zero for any other.
OpCost getCost(mlir::Operation *op, const Workload &workload);

/// Whether `op` reads the whole operand; true for operations without the interface.
bool readsWhole(mlir::OpOperand &operand);

} // namespace samba

#include "dialect/CostInterface.h.inc"

#endif // DIALECT_COST_H
