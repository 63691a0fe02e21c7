//===- Prediction.cpp - what a compiled model should cost -----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-compile/Prediction.h"

using namespace samba;

KernelCost samba::predictStep(mlir::ModuleOp module, const Workload &step) {
  KernelCost sum;
  for (auto &[function, count, rows, costs] : CostModel(step).callsOf(module))
    sum.add(costs.costOf(function), count);
  return sum;
}
