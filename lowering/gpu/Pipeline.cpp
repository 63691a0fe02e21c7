//===- Pipeline.cpp - from planned samba IR to NVVM -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/Pipeline.h"

#include "lowering/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace samba;

void samba::buildGpuKernelPipeline(OpPassManager &pm, bool hopper) {
  SambaLowerToGpuOptions options;
  options.hopper = hopper;
  pm.addPass(createSambaLowerToGpu(options));
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
}

void samba::buildGpuToNvvmPipeline(OpPassManager &pm) {
  OpPassManager &kernels = pm.nest<gpu::GPUModuleOp>();
  kernels.addPass(createSCFToControlFlowPass());
  // Before the conversion of the rest, which would call a library for each of them.
  kernels.addPass(createConvertMathToLLVMPass());
  ConvertGpuOpsToNVVMOpsOptions options;
  options.indexBitwidth = 32; // of index: 64-bit arithmetic is slow, and no matrix is that large
  options.useBarePtrCallConv = true;
  kernels.addPass(createConvertGpuOpsToNVVMOps(options));
  kernels.addPass(createReconcileUnrealizedCastsPass());
  kernels.addPass(createConvertNVVMToLLVMPass()); // of what is inline PTX
  kernels.addPass(createSambaMapsByValue());
  kernels.addPass(createCanonicalizerPass());
  kernels.addPass(createCSEPass());
}

void samba::registerGpuPipelines() {
  PassPipelineRegistration<>("samba-gpu-to-nvvm", "Kernels of the gpu dialect to the NVVM dialect.",
                             buildGpuToNvvmPipeline);
}
