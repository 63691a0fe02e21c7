//===- LanesReal.cpp - f32 and f64 operations on lanes -------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Lanes.h"

#include <cfenv>
#include <cmath>

using namespace samba::vgpu;

namespace samba::vgpu::VGPU_LANES {
namespace {

// A device gives one NaN, whatever those of the operands.
inline float canonical(float x) { return x != x ? bitsAs<float>(0x7fffffffu) : x; }
inline double canonical(double x) { return x != x ? bitsAs<double>(0x7fffffffffffffffull) : x; }

template <bool ftz, typename T> inline T flush(T x) { return x; }
template <> inline float flush<true, float>(float x) {
  uint32_t bits = bitsAs<uint32_t>(x);
  return bits & 0x7f800000 ? x : bitsAs<float>(bits & 0x80000000u);
}
template <> inline double flush<true, double>(double x) { return x; }

inline float saturate(float x) { return x > 0 ? (x < 1 ? x : 1.0f) : 0.0f; } // NaN gives 0
inline double saturate(double x) { return x > 0 ? (x < 1 ? x : 1.0) : 0.0; }

inline bool negative(float x) { return bitsAs<uint32_t>(x) >> 31; }
inline bool negative(double x) { return bitsAs<uint64_t>(x) >> 63; }

template <typename T> inline T least(T x, T y, bool nan) {
  T smaller = x < y || (x == y && negative(x)) ? x : y;
  if (nan)
    return x != x || y != y ? canonical(x != x ? x : y) : smaller;
  return x != x ? canonical(y) : y != y ? x : smaller;
}
template <typename T> inline T greatest(T x, T y, bool nan) {
  T larger = x > y || (x == y && !negative(x)) ? x : y;
  if (nan)
    return x != x || y != y ? canonical(x != x ? x : y) : larger;
  return x != x ? canonical(y) : y != y ? x : larger;
}

// 2^x with a relative error below 1e-12, in code that becomes vectors.
inline double exponential(float x) {
  double clamped = x < -200.0f ? -200.0 : x > 200.0f ? 200.0 : double(x);
  double whole = (clamped + 0x1.8p52) - 0x1.8p52;
  double f = (clamped - whole) * 0.693147180559945309417;
  double p = 1 / 3628800.0;
  p = p * f + 1 / 362880.0;
  p = p * f + 1 / 40320.0;
  p = p * f + 1 / 5040.0;
  p = p * f + 1 / 720.0;
  p = p * f + 1 / 120.0;
  p = p * f + 1 / 24.0;
  p = p * f + 1 / 6.0;
  p = p * f + 0.5;
  p = p * f + 1;
  p = p * f + 1;
  // The low bits of whole + 1.5 * 2^52 are the integer.
  uint64_t exponent = bitsAs<uint64_t>(clamped + 0x1.8p52) << 52;
  double scaled = bitsAs<double>(bitsAs<uint64_t>(p) + exponent);
  return x != x ? double(x) : scaled;
}

struct AddOf {
  template <typename T> static T of(T x, T y, T) { return x + y; }
};
struct SubOf {
  template <typename T> static T of(T x, T y, T) { return x - y; }
};
struct MulOf {
  template <typename T> static T of(T x, T y, T) { return x * y; }
};
struct DivOf {
  template <typename T> static T of(T x, T y, T) { return x / y; }
};
struct SqrtOf {
  template <typename T> static T of(T x, T, T) { return __builtin_elementwise_sqrt(x); }
};
struct RcpOf {
  template <typename T> static T of(T x, T, T) { return T(1) / x; }
};
struct FmaOf {
  template <typename T> static T of(T x, T y, T z) { return __builtin_elementwise_fma(x, y, z); }
};

template <typename T, typename F, bool ftz, bool sat> void arithmetic(Warp &w, const Instruction &i) {
  const T *a = w.at<T>(i.a), *b = w.at<T>(i.b >= 0 ? i.b : i.a), *c = w.at<T>(i.c >= 0 ? i.c : i.a);
  eachLane<T>(w, i.d, [=](unsigned l) -> T {
    T r = flush<ftz>(canonical(F::of(flush<ftz>(a[l]), flush<ftz>(b[l]), flush<ftz>(c[l]))));
    return sat ? saturate(r) : r;
  });
}

// The other roundings, through the host's rounding mode. The operands go through memory, so that nothing is moved out.
template <typename T, typename F, bool ftz, bool sat>
__attribute__((noinline)) void rounded(Warp &w, const Instruction &i) {
  static const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
  const T *a = w.at<T>(i.a), *b = w.at<T>(i.b >= 0 ? i.b : i.a), *c = w.at<T>(i.c >= 0 ? i.c : i.a);
  int before = fegetround();
  eachActiveLane<T>(w, i.d, [&](unsigned l) -> T {
    volatile T x = flush<ftz>(a[l]), y = flush<ftz>(b[l]), z = flush<ftz>(c[l]);
    fesetround(modes[i.mode & 3]);
    volatile T r = F::of(T(x), T(y), T(z));
    fesetround(before);
    T result = flush<ftz>(canonical(T(r)));
    return sat ? saturate(result) : result;
  });
}

template <typename T, typename F> Handler arithmeticOf(uint32_t flags, Rounding rounding) {
  bool ftz = flags & FlushSubnormals && sizeof(T) == 4, sat = flags & Saturate;
  if (rounding == ToNearest)
    return ftz ? (sat ? arithmetic<T, F, true, true> : arithmetic<T, F, true, false>)
               : (sat ? arithmetic<T, F, false, true> : arithmetic<T, F, false, false>);
  return ftz ? (sat ? rounded<T, F, true, true> : rounded<T, F, true, false>)
             : (sat ? rounded<T, F, false, true> : rounded<T, F, false, false>);
}

template <typename T, bool ftz> void absolute(Warp &w, const Instruction &i) {
  const T *a = w.at<T>(i.a);
  eachLane<T>(w, i.d, [=](unsigned l) { return flush<ftz>(__builtin_elementwise_abs(a[l])); });
}
template <typename T, bool ftz> void negate(Warp &w, const Instruction &i) {
  const T *a = w.at<T>(i.a);
  eachLane<T>(w, i.d, [=](unsigned l) { return flush<ftz>(-a[l]); });
}
template <typename T, bool ftz, bool nan, bool greater> void extreme(Warp &w, const Instruction &i) {
  const T *a = w.at<T>(i.a), *b = w.at<T>(i.b);
  bool sign = i.flags & XorSign;
  eachLane<T>(w, i.d, [=](unsigned l) -> T {
    T x = flush<ftz>(a[l]), y = flush<ftz>(b[l]);
    bool minus = negative(x) != negative(y);
    if (sign)
      x = __builtin_elementwise_abs(x), y = __builtin_elementwise_abs(y);
    T r = greater ? greatest(x, y, nan) : least(x, y, nan);
    return sign && minus ? -__builtin_elementwise_abs(r) : r;
  });
}
template <typename T, bool greater> Handler extremeOf(uint32_t flags) {
  bool ftz = flags & FlushSubnormals, nan = flags & PropagateNan;
  return ftz ? (nan ? extreme<T, true, true, greater> : extreme<T, true, false, greater>)
             : (nan ? extreme<T, false, true, greater> : extreme<T, false, false, greater>);
}

template <typename T> void copySign(Warp &w, const Instruction &i) {
  const T *a = w.at<T>(i.a), *b = w.at<T>(i.b);
  eachLane<T>(w, i.d, [=](unsigned l) { return __builtin_elementwise_copysign(b[l], a[l]); });
}

template <typename T, bool ftz> void compare(Warp &w, const Instruction &i) {
  const T *p = w.at<T>(i.a), *q = w.at<T>(i.b);
  alignas(64) T a[lanes], b[lanes];
  for (unsigned l = 0; l < lanes; ++l)
    a[l] = flush<ftz>(p[l]), b[l] = flush<ftz>(q[l]);
  uint32_t mask = 0;
  switch (i.mode) {
  case Eq:
    mask = maskOf([&](unsigned l) { return a[l] == b[l]; });
    break;
  case Ne:
    mask = maskOf([&](unsigned l) { return a[l] < b[l] || a[l] > b[l]; });
    break;
  case Lt:
    mask = maskOf([&](unsigned l) { return a[l] < b[l]; });
    break;
  case Le:
    mask = maskOf([&](unsigned l) { return a[l] <= b[l]; });
    break;
  case Gt:
    mask = maskOf([&](unsigned l) { return a[l] > b[l]; });
    break;
  case Ge:
    mask = maskOf([&](unsigned l) { return a[l] >= b[l]; });
    break;
  case Equ:
    mask = maskOf([&](unsigned l) { return !(a[l] < b[l] || a[l] > b[l]); });
    break;
  case Neu:
    mask = maskOf([&](unsigned l) { return !(a[l] == b[l]); });
    break;
  case Ltu:
    mask = maskOf([&](unsigned l) { return !(a[l] >= b[l]); });
    break;
  case Leu:
    mask = maskOf([&](unsigned l) { return !(a[l] > b[l]); });
    break;
  case Gtu:
    mask = maskOf([&](unsigned l) { return !(a[l] <= b[l]); });
    break;
  case Geu:
    mask = maskOf([&](unsigned l) { return !(a[l] < b[l]); });
    break;
  case Num:
    mask = maskOf([&](unsigned l) { return a[l] == a[l] && b[l] == b[l]; });
    break;
  default:
    mask = maskOf([&](unsigned l) { return a[l] != a[l] || b[l] != b[l]; });
    break;
  }
  setPredicates(w, i, mask);
}

// testp: the mode is finite, infinite, number, notanumber, normal, subnormal.
template <typename T> void test(Warp &w, const Instruction &i) {
  const T *a = w.at<T>(i.a);
  unsigned mode = i.mode;
  setPredicates(w, i, maskOf([=](unsigned l) -> bool {
                  T x = a[l], size = __builtin_elementwise_abs(x);
                  bool infinite = size == T(INFINITY);
                  T smallest = sizeof(T) == 4 ? T(0x1p-126) : T(0x1p-1022);
                  switch (mode) {
                  case 0:
                    return x == x && !infinite;
                  case 1:
                    return infinite;
                  case 2:
                    return x == x;
                  case 3:
                    return x != x;
                  case 4:
                    return x == x && !infinite && size >= smallest;
                  default:
                    return size < smallest;
                  }
                }));
}

// The approximate functions: the correct value, rounded once. What a device gives lies within the documented bound of
// it.
struct Ex2Of {
  static float of(float x) { return float(exponential(x)); }
};
struct Lg2Of {
  static float of(float x) { return float(std::log2(double(x))); }
};
struct RcpApprox {
  static float of(float x) { return float(1 / double(x)); }
};
struct RsqrtOf {
  static float of(float x) { return float(1 / std::sqrt(double(x))); }
};
struct SqrtApprox {
  static float of(float x) { return float(std::sqrt(double(x))); }
};
struct SinOf {
  static float of(float x) { return float(std::sin(double(x))); }
};
struct CosOf {
  static float of(float x) { return float(std::cos(double(x))); }
};
struct TanhOf {
  static float of(float x) { return float(std::tanh(double(x))); }
};

template <typename F, bool ftz> void approximate(Warp &w, const Instruction &i) {
  const float *a = w.at<float>(i.a);
  eachLane<float>(w, i.d, [=](unsigned l) { return flush<ftz>(canonical(F::of(flush<ftz>(a[l])))); });
}
template <typename F> Handler approximateOf(uint32_t flags) {
  return flags & FlushSubnormals ? approximate<F, true> : approximate<F, false>;
}

// div.approx gives zero for divisors from 2^126 on; div.full scales and does not.
template <bool ftz> void divideApprox(Warp &w, const Instruction &i) {
  const float *a = w.at<float>(i.a), *b = w.at<float>(i.b);
  eachLane<float>(w, i.d, [=](unsigned l) {
    float x = flush<ftz>(a[l]), y = flush<ftz>(b[l]);
    float magnitude = __builtin_elementwise_abs(y);
    float inverse = magnitude > 0x1p126f && magnitude < INFINITY ? __builtin_elementwise_copysign(0.0f, y) : 0.0f;
    float quotient = magnitude > 0x1p126f && magnitude < INFINITY ? x * inverse : float(double(x) / double(y));
    return flush<ftz>(canonical(quotient));
  });
}
void rcpDouble(Warp &w, const Instruction &i) { // rcp.approx.ftz.f64 keeps the upper 20 bits of the mantissa
  const double *a = w.at<double>(i.a);
  eachLane<double>(w, i.d, [=](unsigned l) {
    return bitsAs<double>(bitsAs<uint64_t>(canonical(1 / a[l])) & 0xffffffff00000000ull);
  });
}
void rsqrtDouble(Warp &w, const Instruction &i) {
  const double *a = w.at<double>(i.a);
  eachLane<double>(w, i.d, [=](unsigned l) { return canonical(1 / std::sqrt(a[l])); });
}

template <typename T> Handler ofType(Op op, uint32_t flags, Rounding rounding) {
  bool ftz = flags & FlushSubnormals;
  switch (op) {
  case Op::Add:
    return arithmeticOf<T, AddOf>(flags, rounding);
  case Op::Sub:
    return arithmeticOf<T, SubOf>(flags, rounding);
  case Op::MulLow:
    return arithmeticOf<T, MulOf>(flags, rounding);
  case Op::Fma:
    return arithmeticOf<T, FmaOf>(flags, rounding);
  case Op::Div:
    return arithmeticOf<T, DivOf>(flags, rounding);
  case Op::Rcp:
    return arithmeticOf<T, RcpOf>(flags, rounding);
  case Op::Sqrt:
    return arithmeticOf<T, SqrtOf>(flags, rounding);
  case Op::Abs:
    return ftz ? absolute<T, true> : absolute<T, false>;
  case Op::Neg:
    return ftz ? negate<T, true> : negate<T, false>;
  case Op::Min:
    return extremeOf<T, false>(flags);
  case Op::Max:
    return extremeOf<T, true>(flags);
  case Op::CopySign:
    return copySign<T>;
  case Op::Compare:
    return ftz ? compare<T, true> : compare<T, false>;
  case Op::Test:
    return test<T>;
  default:
    return nullptr;
  }
}

} // namespace

Handler realHandler(Op op, ptx::Type type, uint32_t flags, Rounding rounding) {
  bool ftz = flags & FlushSubnormals;
  if (type.bits == 64) {
    if (flags & Approximate)
      return op == Op::Rcp ? rcpDouble : op == Op::Rsqrt ? rsqrtDouble : nullptr;
    return ofType<double>(op, flags, rounding);
  }
  if (flags & Approximate)
    switch (op) {
    case Op::Ex2:
      return approximateOf<Ex2Of>(flags);
    case Op::Lg2:
      return approximateOf<Lg2Of>(flags);
    case Op::Rcp:
      return approximateOf<RcpApprox>(flags);
    case Op::Rsqrt:
      return approximateOf<RsqrtOf>(flags);
    case Op::Sqrt:
      return approximateOf<SqrtApprox>(flags);
    case Op::Sin:
      return approximateOf<SinOf>(flags);
    case Op::Cos:
      return approximateOf<CosOf>(flags);
    case Op::Tanh:
      return approximateOf<TanhOf>(flags);
    case Op::Div:
      return ftz ? divideApprox<true> : divideApprox<false>;
    default:
      return nullptr;
    }
  return ofType<float>(op, flags, rounding);
}

} // namespace samba::vgpu::VGPU_LANES
