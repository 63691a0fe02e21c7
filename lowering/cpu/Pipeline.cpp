//===- Pipeline.cpp - from planned samba IR to the LLVM dialect -----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/Pipeline.h"

#include "lowering/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace samba;

void samba::buildCpuKernelPipeline(OpPassManager &pm, llvm::StringRef target) {
  pm.addPass(createSambaLowerToCpu({target.str()}));
  pm.addPass(createCSEPass());
  pm.addNestedPass<func::FuncOp>(createSambaRollLayers());
}

void samba::buildCpuToLlvmPipeline(OpPassManager &pm) {
  pm.addPass(createSambaTeamLoops());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(createConvertVectorToLLVMPass());
  pm.addPass(createConvertMathToLLVMPass());
  pm.addPass(createFinalizeMemRefToLLVMConversionPass());
  pm.addPass(createConvertFuncToLLVMPass());
  pm.addPass(createArithToLLVMConversionPass());
  pm.addPass(createConvertIndexToLLVMPass());
  pm.addPass(createConvertControlFlowToLLVMPass());
  pm.addPass(createUBToLLVMConversionPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void samba::buildCpuLoweringPipeline(OpPassManager &pm, llvm::StringRef target) {
  buildCpuKernelPipeline(pm, target);
  buildCpuToLlvmPipeline(pm);
}

void samba::registerCpuPipelines() {
  PassPipelineRegistration<>("samba-cpu-to-llvm", "Parallel loops of vector code to the LLVM dialect.",
                             buildCpuToLlvmPipeline);
}
