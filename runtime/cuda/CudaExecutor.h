//===- CudaExecutor.h - steps on a GPU -------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_CUDA_CUDAEXECUTOR_H
#define RUNTIME_CUDA_CUDAEXECUTOR_H

#include "runtime/Device.h"

namespace samba::runtime::cuda {

/// Opens the GPU and brings the artefact's kernels and weights there. With `check`, steps wait for each kernel and name
/// the one that fails, and a virtual device checks what kernels do.
std::unique_ptr<Executor> createCudaExecutor(const Artefact &artefact, const DeviceChoice &choice, bool check);

} // namespace samba::runtime::cuda

#endif // RUNTIME_CUDA_CUDAEXECUTOR_H
