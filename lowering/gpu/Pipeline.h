//===- Pipeline.h - from planned samba IR to NVVM ----------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_GPU_PIPELINE_H
#define LOWERING_GPU_PIPELINE_H

#include "mlir/Pass/PassManager.h"

namespace samba {

/// From samba IR after samba-plan-memory to kernels of the gpu dialect and the module attribute `samba.programs`; with
/// `hopper` also for sm_90a, if a model has a use for them.
void buildGpuKernelPipeline(mlir::OpPassManager &pm, bool hopper = false);

/// From there to the NVVM dialect.
void buildGpuToNvvmPipeline(mlir::OpPassManager &pm);

/// Makes `samba-gpu-to-nvvm` known by name.
void registerGpuPipelines();

} // namespace samba

#endif // LOWERING_GPU_PIPELINE_H
