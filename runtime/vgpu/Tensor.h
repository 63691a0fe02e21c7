//===- Tensor.h - types of tensor cores ------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_VGPU_TENSOR_H
#define RUNTIME_VGPU_TENSOR_H

#include "runtime/vgpu/Decoder.h"

namespace samba::vgpu {

enum class TensorType : uint8_t { F16, Bf16, Tf32, F32, S8, U8, S32, F64 };

/// An element of a register.
float elementOf(TensorType type, uint32_t word, unsigned index);
/// Elements of a 32-bit register.
unsigned perWord(TensorType type);
/// Takes the next modifier.
bool takeTensorType(Decoder &decoder, TensorType &type);

void decodeWmma(Decoder &decoder);

} // namespace samba::vgpu

#endif // RUNTIME_VGPU_TENSOR_H
