//===- WeightSource.cpp - element types of checkpoint tensors -------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/WeightSource.h"

#include "llvm/Support/ErrorHandling.h"
#include <cstring>

using namespace samba;

llvm::StringRef samba::dtypeName(DType dtype) {
  switch (dtype) {
  case DType::F32:
    return "F32";
  case DType::BF16:
    return "BF16";
  case DType::F16:
    return "F16";
  }
  llvm_unreachable("unknown element type");
}

int64_t samba::dtypeSize(DType dtype) { return dtype == DType::F32 ? 4 : 2; }

float samba::loadElement(const uint8_t *data, DType dtype, int64_t index) {
  if (dtype == DType::F32) {
    float value;
    std::memcpy(&value, data + 4 * index, 4);
    return value;
  }
  uint16_t half;
  std::memcpy(&half, data + 2 * index, 2);
  if (dtype == DType::BF16) {
    uint32_t bits = uint32_t(half) << 16;
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
  }
  // F16: every half is a float. Subnormals are multiples of 2^-24.
  uint32_t sign = uint32_t(half & 0x8000) << 16, exponent = (half >> 10) & 31, mantissa = half & 1023;
  if (exponent == 0) {
    float value = float(mantissa) * 0x1p-24f;
    return sign ? -value : value;
  }
  uint32_t bits = sign | (exponent == 31 ? 255u << 23 : (exponent + 112) << 23) | mantissa << 13;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}
