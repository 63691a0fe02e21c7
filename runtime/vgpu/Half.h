//===- Half.h - f16 and bf16 -----------------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_VGPU_HALF_H
#define RUNTIME_VGPU_HALF_H

#include <cstdint>
#include <cstring>

namespace samba::vgpu {
// Internal linkage: code that is compiled for several instruction sets must not share functions.
namespace {

template <typename To, typename From> inline To bitsAs(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof(to));
  return to;
}

inline float fromBfloat(uint16_t bits) { return bitsAs<float>(uint32_t(bits) << 16); }

inline uint16_t toBfloat(float value) {
  uint32_t bits = bitsAs<uint32_t>(value);
  uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  return (bits & 0x7fffffff) > 0x7f800000 ? 0x7fff : uint16_t(rounded);
}

inline float fromHalf(uint16_t bits) {
  uint32_t sign = uint32_t(bits & 0x8000) << 16, rest = bits & 0x7fff;
  // Exponent and mantissa shifted into place, scaled by 2^112; exact for subnormals too.
  float magnitude = bitsAs<float>(rest << 13) * 0x1p112f;
  uint32_t special = 0x7f800000u | rest << 13;
  uint32_t result = rest >= 0x7c00 ? special : bitsAs<uint32_t>(magnitude);
  return bitsAs<float>(result | sign);
}

inline uint16_t toHalf(float value) {
  uint32_t bits = bitsAs<uint32_t>(value), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
  // Below 2^-14 the result is subnormal: adding 1/2 leaves the rounded mantissa in the low bits.
  uint32_t small = bitsAs<uint32_t>(bitsAs<float>(rest) + 0.5f) - 0x3f000000u;
  uint32_t normal = (rest - 0x38000000u + 0xfff + (rest >> 13 & 1)) >> 13;
  uint32_t result = rest < 0x38800000u ? small : normal;
  result = rest >= 0x477ff000u ? 0x7c00 : result;
  result = rest > 0x7f800000u ? 0x7fff : result;
  return uint16_t(rest > 0x7f800000u ? 0x7fff : (result | sign));
}

} // namespace
} // namespace samba::vgpu

#endif // RUNTIME_VGPU_HALF_H
