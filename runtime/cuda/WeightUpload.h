//===- WeightUpload.h - weights on their way to a GPU ----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_CUDA_WEIGHTUPLOAD_H
#define RUNTIME_CUDA_WEIGHTUPLOAD_H

#include "runtime/cuda/Context.h"

namespace samba::runtime::cuda {

/// Copies mapped weights to the GPU through a little pinned memory, while the next ones are read from the file.
void uploadWeights(const std::shared_ptr<const Context> &context, const char *from, uint64_t bytes, DevicePointer to);

} // namespace samba::runtime::cuda

#endif // RUNTIME_CUDA_WEIGHTUPLOAD_H
