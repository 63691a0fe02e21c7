//===- CudaCode.h - the GPU's part of a compiled model ----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_COMPILE_CUDACODE_H
#define TOOLS_SAMBA_COMPILE_CUDACODE_H

#include "lowering/emit/GpuSection.h"
#include "lowering/emit/PtxEmitter.h"
#include "tools/samba-compile/Report.h"

namespace samba {

/// PTX, machine code and programs of a module that phase Lower has made for GPUs; the weights are left to the caller.
/// Without an assembler there is PTX only, unless architectures were asked for.
llvm::Expected<GpuContents> emitCudaCode(mlir::ModuleOp module, const CudaTarget &target, Report &report);

} // namespace samba

#endif // TOOLS_SAMBA_COMPILE_CUDACODE_H
