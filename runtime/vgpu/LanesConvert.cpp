//===- LanesConvert.cpp - conversions of lanes ---------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Lanes.h"

#include <cmath>

using namespace samba::vgpu;

namespace samba::vgpu::VGPU_LANES {
namespace {

// What stands for f16 and bf16: 16 bits with a meaning.
struct HalfBits {
  uint16_t bits;
};
struct BfloatBits {
  uint16_t bits;
};

inline double toDouble(float x) { return x; }
inline double toDouble(double x) { return x; }
inline double toDouble(HalfBits x) { return fromHalf(x.bits); }
inline double toDouble(BfloatBits x) { return fromBfloat(x.bits); }

inline float flushed(float x) { return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }

// Rounds |x| to `bits` bits of mantissa, with `lowest` the exponent of the last bit of subnormals.
double roundTo(double x, int bits, int lowest, Rounding rounding) {
  if (x == 0 || x != x || std::isinf(x))
    return x;
  int exponent = std::ilogb(x) - (bits - 1);
  double unit = std::ldexp(1.0, exponent < lowest ? lowest : exponent), scaled = x / unit, whole;
  switch (rounding) {
  case ToZero:
    whole = std::trunc(scaled);
    break;
  case Down:
    whole = std::floor(scaled);
    break;
  case Up:
    whole = std::ceil(scaled);
    break;
  case AwayFromZero:
    whole = std::round(scaled);
    break;
  default:
    whole = std::nearbyint(scaled);
    break;
  }
  return std::copysign(whole * unit, x);
}

// The largest finite number instead of infinity, where the rounding demands it.
double overflowed(double x, double largest, Rounding rounding, double source) {
  if (std::isinf(source) || std::fabs(x) <= largest)
    return x;
  bool finite = rounding == ToZero || (rounding == Down && x > 0) || (rounding == Up && x < 0);
  return std::copysign(finite ? largest : INFINITY, x);
}

template <typename D> D fromDouble(double x, Rounding rounding);
template <> double fromDouble<double>(double x, Rounding) { return x; }
template <> float fromDouble<float>(double x, Rounding rounding) {
  if (rounding == ToNearest)
    return float(x);
  return float(overflowed(roundTo(x, 24, -149, rounding), 0x1.fffffep127, rounding, x));
}
template <> HalfBits fromDouble<HalfBits>(double x, Rounding rounding) {
  // Rounded to 11 bits first, so that rounding to f32 on the way changes nothing.
  return {toHalf(float(overflowed(roundTo(x, 11, -24, rounding), 65504, rounding, x)))};
}
template <> BfloatBits fromDouble<BfloatBits>(double x, Rounding rounding) {
  return {toBfloat(float(overflowed(roundTo(x, 8, -133, rounding), 0x1.fep127, rounding, x)))};
}

template <typename T> constexpr bool isReal = false;
template <> constexpr bool isReal<float> = true;
template <> constexpr bool isReal<double> = true;
template <> constexpr bool isReal<HalfBits> = true;
template <> constexpr bool isReal<BfloatBits> = true;

template <typename T> constexpr __int128 lowest() { return T(-1) < T(0) ? -(__int128(1) << (sizeof(T) * 8 - 1)) : 0; }
template <typename T> constexpr __int128 highest() {
  return T(-1) < T(0) ? (__int128(1) << (sizeof(T) * 8 - 1)) - 1 : (__int128(1) << sizeof(T) * 8) - 1;
}

double integral(double x, Rounding rounding) {
  switch (rounding) {
  case ToZero:
    return std::trunc(x);
  case Down:
    return std::floor(x);
  case Up:
    return std::ceil(x);
  default:
    return std::nearbyint(x);
  }
}

template <typename D, typename S> D convertOne(S x, uint32_t flags, Rounding rounding, bool toIntegral) {
  bool sat = flags & Saturate;
  if constexpr (isReal<S>) {
    double value = toDouble(x);
    if (flags & FlushSubnormals && sizeof(S) == 4)
      value = std::fabs(value) < 0x1p-126 ? std::copysign(0.0, value) : value;
    if constexpr (!isReal<D>) {
      // A NaN becomes 0 in 8, 16 and 32 bits, and the sign bit alone in 64, as on devices.
      if (value != value)
        return sizeof(D) == 8 ? D(uint64_t(1) << 63) : D(0);
      double whole = integral(value, rounding);
      double low = double(lowest<D>()), high = double(highest<D>());
      if (whole <= low)
        return D(lowest<D>());
      return whole >= high ? D(highest<D>()) : D(whole);
    } else {
      if (toIntegral)
        value = integral(value, rounding);
      if (sat)
        value = value > 0 ? (value < 1 ? value : 1) : 0;
      if (value != value) {
        if constexpr (sizeof(D) == 4)
          return bitsAs<float>(0x7fffffffu);
        else if constexpr (sizeof(D) == 8)
          return bitsAs<double>(0x7fffffffffffffffull);
        else
          return {0x7fff};
      }
      D result = fromDouble<D>(value, toIntegral ? ToNearest : rounding);
      if constexpr (sizeof(D) == 4)
        if (flags & FlushSubnormals)
          result = flushed(result);
      if constexpr (sizeof(D) == 2)
        if (flags & Relu && result.bits & 0x8000 && value == value)
          result.bits = 0;
      return result;
    }
  } else if constexpr (isReal<D>) {
    // 64-bit integers have more bits than a double: round those once, from the integer.
    if constexpr (sizeof(S) == 8) {
      if (rounding == ToNearest) {
        if constexpr (sizeof(D) == 4)
          return float(x);
        if constexpr (sizeof(D) == 8)
          return double(x);
      }
      // Otherwise cut it to 53 bits, with the last one telling of what was cut off.
      bool minus = x < S(0);
      uint64_t magnitude = minus ? -uint64_t(x) : uint64_t(x);
      int cut = magnitude >> 53 ? 64 - __builtin_clzll(magnitude) - 53 : 0;
      uint64_t kept = magnitude >> cut;
      bool inexact = kept << cut != magnitude;
      if (sizeof(D) == 8)
        kept += inexact && rounding == (minus ? Down : Up);
      else
        kept |= inexact;
      double value = std::ldexp(double(kept), cut);
      return fromDouble<D>(minus ? -value : value, rounding);
    } else {
      double value = double(x);
      if (sat)
        value = value > 0 ? (value < 1 ? value : 1) : 0;
      return fromDouble<D>(value, rounding);
    }
  } else {
    if (sat) {
      __int128 value = x;
      return D(value < lowest<D>() ? lowest<D>() : value > highest<D>() ? highest<D>() : value);
    }
    return D(x);
  }
}

template <typename D, typename S> void convert(Warp &w, const Instruction &i) {
  const S *a = w.at<S>(i.a);
  Rounding rounding = static_cast<Rounding>(i.mode & 7);
  bool toIntegral = i.mode & 8;
  eachActiveLane<D>(w, i.d, [=](unsigned l) { return convertOne<D, S>(a[l], i.flags, rounding, toIntegral); });
}

// The frequent ones, in loops that become vectors.
template <typename D, typename S> void plain(Warp &w, const Instruction &i) {
  const S *a = w.at<S>(i.a);
  eachLane<D>(w, i.d, [=](unsigned l) { return D(a[l]); });
}
void bfloatOfFloat(Warp &w, const Instruction &i) {
  const float *a = w.at<float>(i.a);
  eachLane<uint16_t>(w, i.d, [=](unsigned l) { return toBfloat(a[l]); });
}
void floatOfBfloat(Warp &w, const Instruction &i) {
  const uint16_t *a = w.at<uint16_t>(i.a);
  eachLane<float>(w, i.d, [=](unsigned l) {
    float value = fromBfloat(a[l]);
    return value != value ? bitsAs<float>(0x7fffffffu) : value;
  });
}
void halfOfFloat(Warp &w, const Instruction &i) {
  const float *a = w.at<float>(i.a);
  eachLane<uint16_t>(w, i.d, [=](unsigned l) { return toHalf(a[l]); });
}
void floatOfHalf(Warp &w, const Instruction &i) {
  const uint16_t *a = w.at<uint16_t>(i.a);
  eachLane<float>(w, i.d, [=](unsigned l) {
    float value = fromHalf(a[l]);
    return value != value ? bitsAs<float>(0x7fffffffu) : value;
  });
}

template <typename D, typename S> Handler chosen(uint32_t flags, bool integral) {
  if constexpr (!isReal<D> && !isReal<S>)
    return flags & Saturate ? convert<D, S> : plain<D, S>;
  return convert<D, S>;
}

template <typename D> Handler fromType(ptx::Type from, uint32_t flags, bool integral) {
  using ptx::Type;
  if (from.kind == Type::Float)
    return from.bits == 16   ? chosen<D, HalfBits>(flags, integral)
           : from.bits == 32 ? chosen<D, float>(flags, integral)
                             : chosen<D, double>(flags, integral);
  if (from.kind == Type::Bfloat)
    return chosen<D, BfloatBits>(flags, integral);
  bool isSigned = from.kind == Type::Signed;
  switch (from.bits) {
  case 8:
    return isSigned ? chosen<D, int8_t>(flags, integral) : chosen<D, uint8_t>(flags, integral);
  case 16:
    return isSigned ? chosen<D, int16_t>(flags, integral) : chosen<D, uint16_t>(flags, integral);
  case 32:
    return isSigned ? chosen<D, int32_t>(flags, integral) : chosen<D, uint32_t>(flags, integral);
  case 64:
    return isSigned ? chosen<D, int64_t>(flags, integral) : chosen<D, uint64_t>(flags, integral);
  default:
    return nullptr;
  }
}

} // namespace

Handler convertHandler(ptx::Type to, ptx::Type from, uint32_t flags, bool integral) {
  using ptx::Type;
  // With no flags: rounding to nearest.
  if (!flags && !integral) {
    if (to.kind == Type::Bfloat && from.kind == Type::Float && from.bits == 32)
      return bfloatOfFloat;
    if (to.kind == Type::Float && to.bits == 32 && from.kind == Type::Bfloat)
      return floatOfBfloat;
    if (to.kind == Type::Float && to.bits == 16 && from.kind == Type::Float && from.bits == 32)
      return halfOfFloat;
    if (to.kind == Type::Float && to.bits == 32 && from.kind == Type::Float && from.bits == 16)
      return floatOfHalf;
  }
  if (to.kind == Type::Float)
    return to.bits == 16   ? fromType<HalfBits>(from, flags, integral)
           : to.bits == 32 ? fromType<float>(from, flags, integral)
                           : fromType<double>(from, flags, integral);
  if (to.kind == Type::Bfloat)
    return fromType<BfloatBits>(from, flags, integral);
  bool isSigned = to.kind == Type::Signed;
  switch (to.bits) {
  case 8:
    return isSigned ? fromType<int8_t>(from, flags, integral) : fromType<uint8_t>(from, flags, integral);
  case 16:
    return isSigned ? fromType<int16_t>(from, flags, integral) : fromType<uint16_t>(from, flags, integral);
  case 32:
    return isSigned ? fromType<int32_t>(from, flags, integral) : fromType<uint32_t>(from, flags, integral);
  case 64:
    return isSigned ? fromType<int64_t>(from, flags, integral) : fromType<uint64_t>(from, flags, integral);
  default:
    return nullptr;
  }
}

} // namespace samba::vgpu::VGPU_LANES
