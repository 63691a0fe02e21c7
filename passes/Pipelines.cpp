//===- Pipelines.cpp - the target-independent phases ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Pipelines.h"

#include "passes/Passes.h"

using namespace mlir;
using namespace samba;

void samba::buildOptimisePipeline(OpPassManager &pm, llvm::StringRef precision) {
  pm.addPass(createSambaSetPrecision({precision.str()}));
}

void samba::buildFusePipeline(OpPassManager &pm) { pm.addNestedPass<func::FuncOp>(createSambaFormKernels()); }

void samba::buildSchedulePipeline(OpPassManager &pm, int64_t panelWidth) {
  pm.addPass(createSambaPackWeights({panelWidth}));
  pm.addPass(createSambaPlanMemory());
}
