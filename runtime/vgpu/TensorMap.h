//===- TensorMap.h - descriptors of tensors for bulk copies ----*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What cuTensorMapEncodeTiled makes, for this device: 128 bytes that kernels take as they are.
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_VGPU_TENSORMAP_H
#define RUNTIME_VGPU_TENSORMAP_H

#include <cstdint>

namespace samba::vgpu {

struct TensorMap {
  static constexpr uint32_t magicNumber = 0x70616d74;
  uint32_t magic = magicNumber;
  uint8_t elementBytes = 0; // 1, 2, 4 or 8
  uint8_t rank = 0;         // 1 to 5
  uint8_t swizzle = 0;      // 0, 32, 64 or 128 bytes
  uint8_t fillsNan = 0;     // out of bounds; must be 0
  uint64_t address = 0;     // a multiple of 16
  uint64_t sizes[5] = {};   // in elements, the contiguous dimension first
  uint64_t strides[4] = {}; // in bytes, of all dimensions but the first; multiples of 16
  uint16_t box[5] = {};     // in elements, at most 256
  uint8_t unused[30] = {};
};
static_assert(sizeof(TensorMap) == 128);

/// Null if a copy can use it, or what is wrong.
const char *problemOf(const TensorMap &map);

/// Where a byte lies under a swizzle of this many bytes: 16-byte chunks of a row change places, by the row.
inline uint32_t swizzled(uint32_t address, unsigned swizzle) {
  uint32_t rows = swizzle == 128 ? 7 : swizzle == 64 ? 3 : swizzle == 32 ? 1 : 0;
  return address ^ ((address >> 7 & rows) << 4);
}

} // namespace samba::vgpu

#endif // RUNTIME_VGPU_TENSORMAP_H
