//===- LanesHalf.cpp - f16 and bf16 operations on lanes, alone and in pairs -===//
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

// To f32 with the last bit telling whether something was cut off: rounding that to 16 bits rounds once.
inline float toOdd(double x) {
  float f = float(x);
  if (double(f) == x || x != x || std::isinf(f))
    return f;
  uint32_t bits = bitsAs<uint32_t>(f);
  if (std::fabs(double(f)) > std::fabs(x))
    --bits;
  return bitsAs<float>(bits | 1);
}

struct HalfFormat {
  static float load(uint16_t bits) { return fromHalf(bits); }
  static uint16_t store(float value) { return toHalf(value); }
  static bool subnormal(uint16_t bits) { return !(bits & 0x7c00); }
  static bool isNan(uint16_t bits) { return (bits & 0x7fff) > 0x7c00; }
  static constexpr uint16_t one = 0x3c00;
};
struct BfloatFormat {
  static float load(uint16_t bits) { return fromBfloat(bits); }
  static uint16_t store(float value) { return toBfloat(value); }
  static bool subnormal(uint16_t bits) { return !(bits & 0x7f80); }
  static bool isNan(uint16_t bits) { return (bits & 0x7fff) > 0x7f80; }
  static constexpr uint16_t one = 0x3f80;
};

template <typename F> inline uint16_t flush(uint16_t x, uint32_t flags) {
  return flags & FlushSubnormals && F::subnormal(x) ? x & 0x8000 : x;
}
template <typename F> inline uint16_t finish(float value, uint32_t flags) {
  uint16_t bits = flush<F>(F::store(value), flags);
  if (F::isNan(bits))
    return flags & Saturate ? 0 : 0x7fff;
  if (flags & (Saturate | Relu) && bits & 0x8000)
    return 0;
  return flags & Saturate && bits > F::one ? F::one : bits;
}
template <typename F> inline uint16_t extreme(uint16_t x, uint16_t y, bool greater, uint32_t flags) {
  uint16_t sign = flags & XorSign ? (x ^ y) & 0x8000 : 0;
  if (flags & XorSign)
    x &= 0x7fff, y &= 0x7fff;
  uint16_t r;
  if (F::isNan(x) || F::isNan(y)) {
    bool both = F::isNan(x) && F::isNan(y);
    r = both || flags & PropagateNan ? 0x7fff : F::isNan(x) ? y : x;
    if (r == 0x7fff)
      return r;
  } else {
    float a = F::load(x), b = F::load(y);
    bool first = greater ? a > b || (a == b && !(x & 0x8000)) : a < b || (a == b && x & 0x8000);
    r = first ? x : y;
  }
  return flags & XorSign ? (r & 0x7fff) | sign : r;
}

template <typename F, Op op> inline uint16_t apply(uint16_t x, uint16_t y, uint16_t z, uint32_t flags) {
  x = flush<F>(x, flags), y = flush<F>(y, flags), z = flush<F>(z, flags);
  switch (op) {
  case Op::Add:
    return finish<F>(F::load(x) + F::load(y), flags);
  case Op::Sub:
    return finish<F>(F::load(x) - F::load(y), flags);
  case Op::MulLow:
    return finish<F>(F::load(x) * F::load(y), flags);
  case Op::Fma:
    return finish<F>(toOdd(double(F::load(x)) * F::load(y) + F::load(z)), flags);
  case Op::Neg:
    return x ^ 0x8000;
  case Op::Abs:
    return x & 0x7fff;
  case Op::Min:
    return extreme<F>(x, y, false, flags);
  case Op::Max:
    return extreme<F>(x, y, true, flags);
  case Op::Ex2:
    return finish<F>(toOdd(std::exp2(double(F::load(x)))), flags);
  default:
    return finish<F>(toOdd(std::tanh(double(F::load(x)))), flags);
  }
}

template <typename F, Op op, bool pair> void run(Warp &w, const Instruction &i) {
  int32_t second = i.b >= 0 ? i.b : i.a, third = i.c >= 0 ? i.c : i.a;
  uint32_t flags = i.flags;
  if constexpr (pair) {
    const uint32_t *a = w.at<uint32_t>(i.a), *b = w.at<uint32_t>(second), *c = w.at<uint32_t>(third);
    eachLane<uint32_t>(w, i.d, [=](unsigned l) {
      uint32_t low = apply<F, op>(uint16_t(a[l]), uint16_t(b[l]), uint16_t(c[l]), flags);
      uint32_t high = apply<F, op>(uint16_t(a[l] >> 16), uint16_t(b[l] >> 16), uint16_t(c[l] >> 16), flags);
      return low | high << 16;
    });
  } else {
    const uint16_t *a = w.at<uint16_t>(i.a), *b = w.at<uint16_t>(second), *c = w.at<uint16_t>(third);
    eachLane<uint16_t>(w, i.d, [=](unsigned l) { return apply<F, op>(a[l], b[l], c[l], flags); });
  }
}

bool compareOne(float a, float b, unsigned mode) {
  switch (mode) {
  case Eq:
    return a == b;
  case Ne:
    return a < b || a > b;
  case Lt:
    return a < b;
  case Le:
    return a <= b;
  case Gt:
    return a > b;
  case Ge:
    return a >= b;
  case Equ:
    return !(a < b || a > b);
  case Neu:
    return !(a == b);
  case Ltu:
    return !(a >= b);
  case Leu:
    return !(a > b);
  case Gtu:
    return !(a <= b);
  case Geu:
    return !(a < b);
  case Num:
    return a == a && b == b;
  default:
    return a != a || b != b;
  }
}

// Of a pair, d has the result of the low halves and the predicate after it that of the high ones.
template <typename F, bool pair> void compare(Warp &w, const Instruction &i) {
  if constexpr (pair) {
    const uint32_t *a = w.at<uint32_t>(i.a), *b = w.at<uint32_t>(i.b);
    auto half = [&](unsigned shift) {
      return maskOf([&](unsigned l) {
        return compareOne(F::load(flush<F>(uint16_t(a[l] >> shift), i.flags)),
                          F::load(flush<F>(uint16_t(b[l] >> shift), i.flags)), i.mode);
      });
    };
    uint32_t low = half(0), high = half(16);
    Instruction one = i;
    one.e = -1;
    setPredicates(w, one, low);
    one.d = i.e;
    setPredicates(w, one, high);
  } else {
    const uint16_t *a = w.at<uint16_t>(i.a), *b = w.at<uint16_t>(i.b);
    setPredicates(w, i, maskOf([&](unsigned l) {
                    return compareOne(F::load(flush<F>(a[l], i.flags)), F::load(flush<F>(b[l], i.flags)), i.mode);
                  }));
  }
}

// cvt.rn.f16x2.f32 d, a, b: a goes to the upper half.
template <typename F> void convertPair(Warp &w, const Instruction &i) {
  const float *a = w.at<float>(i.a), *b = w.at<float>(i.b);
  bool relu = i.flags & Relu, zero = i.mode == ToZero;
  eachLane<uint32_t>(w, i.d, [=](unsigned l) {
    auto one = [=](float value) -> uint32_t {
      uint16_t bits = F::store(value);
      // Towards zero: one step back if rounding went away from it.
      if (zero && value == value && std::fabs(F::load(bits)) > std::fabs(value))
        --bits;
      return relu && bits & 0x8000 && !F::isNan(bits) ? 0 : bits;
    };
    return one(a[l]) << 16 | one(b[l]);
  });
}

template <typename F, bool pair> Handler ofFormat(Op op) {
  switch (op) {
  case Op::Add:
    return run<F, Op::Add, pair>;
  case Op::Sub:
    return run<F, Op::Sub, pair>;
  case Op::MulLow:
    return run<F, Op::MulLow, pair>;
  case Op::Fma:
    return run<F, Op::Fma, pair>;
  case Op::Neg:
    return run<F, Op::Neg, pair>;
  case Op::Abs:
    return run<F, Op::Abs, pair>;
  case Op::Min:
    return run<F, Op::Min, pair>;
  case Op::Max:
    return run<F, Op::Max, pair>;
  case Op::Ex2:
    return run<F, Op::Ex2, pair>;
  case Op::Tanh:
    return run<F, Op::Tanh, pair>;
  case Op::Compare:
    return compare<F, pair>;
  case Op::ConvertPair:
    return convertPair<F>;
  default:
    return nullptr;
  }
}

} // namespace

Handler halfHandler(Op op, LaneType type, uint32_t flags) {
  if (type.type.kind == ptx::Type::Bfloat)
    return type.pair ? ofFormat<BfloatFormat, true>(op) : ofFormat<BfloatFormat, false>(op);
  return type.pair ? ofFormat<HalfFormat, true>(op) : ofFormat<HalfFormat, false>(op);
}

} // namespace samba::vgpu::VGPU_LANES
