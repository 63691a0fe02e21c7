//===- Registration.cpp - what the developer tools know -------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/Registration.h"

#include "dialect/Samba.h"
#include "dialect/interpreter/InterpretPass.h"
#include "lowering/Passes.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"
#include "tools/StageFile.h"

void samba::registerDialects(mlir::DialectRegistry &registry) {
  registry.insert<SambaDialect>();
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
}

void samba::registerPasses() {
  registerSambaPasses();
  registerSambaPipelines();
  registerSambaLoweringPasses();
  registerSambaInterpretPass();
  registerStagePipeline();
  mlir::registerAllPasses();
}
