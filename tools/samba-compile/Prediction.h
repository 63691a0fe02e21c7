//===- Prediction.h - what a compiled model should cost ----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_COMPILE_PREDICTION_H
#define TOOLS_SAMBA_COMPILE_PREDICTION_H

#include "mlir/IR/BuiltinOps.h"
#include "passes/CostModel.h"

namespace samba {

/// The two steps that predictions are made for: a token of one sequence that has seen some, and a prompt.
constexpr Workload kDecodeStep{1, 1, 1024, 1}, kPrefillStep{256, 1, 0, 1};

/// The cost of a step: that of each function times its calls.
KernelCost predictStep(mlir::ModuleOp module, const Workload &step);

struct Prediction {
  KernelCost decode, prefill;
};

} // namespace samba

#endif // TOOLS_SAMBA_COMPILE_PREDICTION_H
