//===- Pipeline.h - from planned samba IR to the LLVM dialect ----*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_CPU_PIPELINE_H
#define LOWERING_CPU_PIPELINE_H

#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringRef.h"

namespace samba {

/// samba IR after `samba-plan-memory` -> parallel loops of vector code. `target` is a name for CpuTarget::get.
void buildCpuKernelPipeline(mlir::OpPassManager &pm, llvm::StringRef target);

/// Parallel loops of vector code -> the LLVM dialect. Also a registered pipeline, `samba-cpu-to-llvm`.
void buildCpuToLlvmPipeline(mlir::OpPassManager &pm);

/// Both.
void buildCpuLoweringPipeline(mlir::OpPassManager &pm, llvm::StringRef target);

/// Registers the pipelines with the pass registry, for samba-opt.
void registerCpuPipelines();

} // namespace samba

#endif // LOWERING_CPU_PIPELINE_H
