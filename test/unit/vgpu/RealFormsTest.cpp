//===- RealFormsTest.cpp - floating-point forms and conversions against scalar functions -===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/unit/vgpu/Forms.h"

using namespace samba::vgpu::test;

namespace {

float ftz(float x) { return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }
float clampToOne(float x) { return x > 0 ? (x < 1 ? x : 1) : 0; }

template <typename T> T least(T a, T b) {
  if (a != a || b != b)
    return a != a ? b : a;
  return a < b || (a == b && std::signbit(a)) ? a : b;
}
template <typename T> T greatest(T a, T b) {
  if (a != a || b != b)
    return a != a ? b : a;
  return a > b || (a == b && !std::signbit(a)) ? a : b;
}

// Halves by a table of all their values: rounding to one is a search.
struct Format {
  unsigned mantissa, bias;
  double value(uint16_t bits) const {
    unsigned exponent = (bits & 0x7fff) >> mantissa, fraction = bits & ((1u << mantissa) - 1);
    unsigned top = 0x7fff >> mantissa;
    double size = exponent == top ? (fraction ? NAN : INFINITY)
                  : exponent      ? std::ldexp(double(fraction | 1u << mantissa), int(exponent - bias - mantissa))
                                  : std::ldexp(double(fraction), int(1 - bias - mantissa));
    return bits & 0x8000 ? -size : size;
  }
  uint16_t infinity() const { return uint16_t(0x7fff >> mantissa << mantissa); }
  /// The nearest value to an exact one, ties to even, 0x7fff for NaN.
  uint16_t nearest(double exact) const {
    if (exact != exact)
      return 0x7fff;
    uint16_t sign = std::signbit(exact) ? 0x8000 : 0, low = 0, high = infinity();
    double size = std::fabs(exact);
    while (high - low > 1) {
      uint16_t middle = uint16_t((low + high) / 2);
      (value(middle) <= size ? low : high) = middle;
    }
    // Beyond the largest number, as if there were one more.
    double above = high == infinity() ? value(low) + (value(low) - value(uint16_t(low - 1))) : value(high);
    double down = size - value(low), up = above - size;
    bool rounds = std::isinf(size) || up < down || (up == down && low & 1);
    return sign | (rounds ? high : low);
  }
};
constexpr Format f16{10, 15}, bf16{7, 127};

template <const Format &F> bool nan(uint16_t bits) { return F.value(bits) != F.value(bits); }

template <const Format &F> void halfArithmetic(const std::string &t) {
  form<Half, Half, Half>("add." + t, [](Half a, Half b) { return Half{F.nearest(F.value(a.bits) + F.value(b.bits))}; });
  form<Half, Half, Half>("sub." + t, [](Half a, Half b) { return Half{F.nearest(F.value(a.bits) - F.value(b.bits))}; });
  form<Half, Half, Half>("mul." + t, [](Half a, Half b) { return Half{F.nearest(F.value(a.bits) * F.value(b.bits))}; });
  form<Half, Half, Half>("min." + t, [](Half a, Half b) {
    if (nan<F>(a.bits) && nan<F>(b.bits))
      return Half{0x7fff};
    double r = least(F.value(a.bits), F.value(b.bits));
    return nan<F>(a.bits) ? b : nan<F>(b.bits) ? a : Half{F.nearest(r)};
  });
  form<Half, Half, Half>("max.NaN." + t, [](Half a, Half b) {
    return Half{F.nearest(nan<F>(a.bits) || nan<F>(b.bits) ? NAN : greatest(F.value(a.bits), F.value(b.bits)))};
  });
  form<Half, Half>("neg." + t, [](Half a) { return Half{uint16_t(a.bits ^ 0x8000)}; });
  form<Half, Half>("abs." + t, [](Half a) { return Half{uint16_t(a.bits & 0x7fff)}; });
  // The sum of a product and a number is exact in long double but for the widest spread of exponents.
  form<Half, Half, Half, Half>(
      "fma.rn." + t,
      [](Half a, Half b, Half c) { return Half{F.nearest(F.value(a.bits) * F.value(b.bits) + F.value(c.bits))}; }, "",
      0,
      [](Half a, Half b, Half c) {
        double p = std::fabs(F.value(a.bits) * F.value(b.bits)), z = std::fabs(F.value(c.bits));
        return !(p > 0 && z > 0) || (p / z < 0x1p24 && z / p < 0x1p24);
      });
  form<float, Half>("cvt.f32." + t, [](Half a) { return float(F.value(a.bits)); });
  form<Half, float>("cvt.rn." + t + ".f32", [](float a) { return Half{F.nearest(a)}; });
  form<uint32_t, float, float>("cvt.rn." + t + "x2.f32",
                               [](float a, float b) { return uint32_t(F.nearest(a)) << 16 | F.nearest(b); });
  form<uint32_t, uint32_t, uint32_t>("add." + t + "x2", [](uint32_t a, uint32_t b) {
    uint32_t low = F.nearest(F.value(uint16_t(a)) + F.value(uint16_t(b)));
    uint32_t high = F.nearest(F.value(uint16_t(a >> 16)) + F.value(uint16_t(b >> 16)));
    return high << 16 | low;
  });
  form<uint32_t, uint32_t, uint32_t>("mul." + t + "x2", [](uint32_t a, uint32_t b) {
    uint32_t low = F.nearest(F.value(uint16_t(a)) * F.value(uint16_t(b)));
    uint32_t high = F.nearest(F.value(uint16_t(a >> 16)) * F.value(uint16_t(b >> 16)));
    return high << 16 | low;
  });
}

template <typename T> void reals(const std::string &t) {
  form<T, T, T>("add.rn." + t, [](T a, T b) { return a + b; });
  form<T, T, T>("sub.rn." + t, [](T a, T b) { return a - b; });
  form<T, T, T>("mul.rn." + t, [](T a, T b) { return a * b; });
  form<T, T, T>("div.rn." + t, [](T a, T b) { return a / b; });
  form<T, T, T, T>("fma.rn." + t, [](T a, T b, T c) { return std::fma(a, b, c); });
  form<T, T, T>("min." + t, least<T>);
  form<T, T, T>("max." + t, greatest<T>);
  form<T, T>("abs." + t, [](T a) { return std::fabs(a); });
  form<T, T>("neg." + t, [](T a) { return -a; });
  form<T, T>("sqrt.rn." + t, [](T a) { return std::sqrt(a); });
  form<T, T>("rcp.rn." + t, [](T a) { return 1 / a; });
  form<T, T, T>("copysign." + t, [](T a, T b) { return std::copysign(b, a); });
}

template <typename T> void toInteger(const std::string &t) {
  const std::string real = std::is_same_v<T, float> ? ".f32" : ".f64";
  auto all = [&](auto zero, const std::string &name) {
    using I = decltype(zero);
    form<I, T>("cvt.rzi." + name + real, [](T a) {
      if (a != a)
        return sizeof(I) == 8 ? I(uint64_t(1) << 63) : I(0);
      long double x = std::trunc((long double)a);
      return x <= (long double)std::numeric_limits<I>::min()   ? std::numeric_limits<I>::min()
             : x >= (long double)std::numeric_limits<I>::max() ? std::numeric_limits<I>::max()
                                                               : I(x);
    });
    form<T, I>("cvt.rn" + real + "." + name, [](I a) { return T(a); });
  };
  all(int32_t(), "s32");
  all(uint32_t(), "u32");
  all(int64_t(), "s64");
  all(uint64_t(), "u64");
  all(int16_t(), "s16");
}

} // namespace

TEST(VgpuForms, Single) {
  reals<float>("f32");
  form<float, float, float>("add.ftz.f32", [](float a, float b) { return ftz(ftz(a) + ftz(b)); });
  form<float, float, float>("mul.ftz.f32", [](float a, float b) { return ftz(ftz(a) * ftz(b)); });
  form<float, float, float, float>("fma.rn.ftz.f32",
                                   [](float a, float b, float c) { return ftz(std::fma(ftz(a), ftz(b), ftz(c))); });
  form<float, float, float>("add.sat.f32", [](float a, float b) { return clampToOne(a + b); });
  form<float, float, float, float>("fma.rn.sat.f32",
                                   [](float a, float b, float c) { return clampToOne(std::fma(a, b, c)); });
  form<float, float, float>("max.NaN.f32", [](float a, float b) { return a != a || b != b ? NAN : greatest(a, b); });
  form<float, float, float>("div.full.f32", [](float a, float b) { return a / b; }, "", 2);
}

TEST(VgpuForms, Double) { reals<double>("f64"); }

// Sums and products of numbers of moderate size are exact in f64, so the other roundings can be told from those.
TEST(VgpuForms, Roundings) {
  auto moderate = [](float a, float b) {
    auto fits = [](float x) { return x == 0 || (std::fabs(x) > 0x1p-12f && std::fabs(x) < 0x1p12f); };
    return fits(a) && fits(b);
  };
  form<float, float, float>(
      "mul.rm.f32",
      [](float a, float b) {
        double x = double(a) * b;
        float f = float(x);
        return double(f) > x ? std::nextafter(f, -INFINITY) : f;
      },
      "", 0, moderate);
  form<float, float, float>(
      "mul.rz.f32",
      [](float a, float b) {
        double x = double(a) * b;
        float f = float(x);
        return std::fabs(double(f)) > std::fabs(x) ? std::nextafter(f, 0.0f) : f;
      },
      "", 0, moderate);
  form<float, float, float>(
      "add.rp.f32",
      [](float a, float b) {
        double x = double(a) + b;
        float f = float(x);
        return double(f) < x ? std::nextafter(f, INFINITY) : f;
      },
      "", 0, moderate);
}

TEST(VgpuForms, Approximations) {
  // The bounds are those of the PTX manual, in units of the last place; the absolute ones of sin and cos hold in their
  // range.
  form<float, float>("ex2.approx.ftz.f32", [](float a) { return ftz(float(std::exp2((long double)ftz(a)))); }, "", 2);
  form<float, float>("ex2.approx.f32", [](float a) { return float(std::exp2((long double)a)); }, "", 2);
  form<float, float>("lg2.approx.f32", [](float a) { return float(std::log2((long double)a)); }, "", 1);
  form<float, float>("rcp.approx.f32", [](float a) { return 1 / a; }, "", 1);
  form<float, float>("rcp.approx.ftz.f32", [](float a) { return ftz(1 / ftz(a)); }, "", 1);
  form<float, float>("rsqrt.approx.f32", [](float a) { return float(1 / std::sqrt((long double)a)); }, "", 2);
  form<float, float>("sqrt.approx.f32", [](float a) { return std::sqrt(a); }, "", 1);
  form<float, float>("tanh.approx.f32", [](float a) { return float(std::tanh((long double)a)); }, "", 4096);
  auto turns = [](float a) { return std::fabs(a) <= 3.1415927f; };
  form<float, float>("sin.approx.f32", [](float a) { return float(std::sin((long double)a)); }, "", 1, turns);
  form<float, float>("cos.approx.f32", [](float a) { return float(std::cos((long double)a)); }, "", 1, turns);
}

TEST(VgpuForms, Halves) {
  halfArithmetic<f16>("f16");
  halfArithmetic<bf16>("bf16");
}

TEST(VgpuForms, Conversions) {
  toInteger<float>("f32");
  toInteger<double>("f64");
  form<float, double>("cvt.rn.f32.f64", [](double a) { return float(a); });
  form<double, float>("cvt.f64.f32", [](float a) { return double(a); });
  form<float, float>("cvt.rni.f32.f32", [](float a) { return std::nearbyint(a); });
  form<float, float>("cvt.rmi.f32.f32", [](float a) { return std::floor(a); });
  form<float, float>("cvt.rpi.f32.f32", [](float a) { return std::ceil(a); });
  form<float, float>("cvt.rzi.f32.f32", [](float a) { return std::trunc(a); });
  form<float, float>("cvt.sat.f32.f32", [](float a) { return clampToOne(a); });
  form<int64_t, int32_t>("cvt.s64.s32", [](int32_t a) { return int64_t(a); });
  form<uint64_t, uint32_t>("cvt.u64.u32", [](uint32_t a) { return uint64_t(a); });
  form<uint32_t, uint64_t>("cvt.u32.u64", [](uint64_t a) { return uint32_t(a); });
  form<int32_t, int32_t>("cvt.s32.s8", [](int32_t a) { return int32_t(int8_t(a)); });
  form<uint32_t, uint32_t>("cvt.u32.u8", [](uint32_t a) { return uint32_t(uint8_t(a)); });
  form<int32_t, int32_t>("cvt.s8.s32", [](int32_t a) { return int32_t(int8_t(a)); });
  form<int32_t, int16_t>("cvt.s32.s16", [](int16_t a) { return int32_t(a); });
  form<int32_t, int64_t>("cvt.sat.s32.s64", [](int64_t a) {
    return int32_t(a < INT32_MIN ? INT32_MIN : a > INT32_MAX ? INT32_MAX : a);
  });
  form<uint32_t, int32_t>("cvt.sat.u8.s32", [](int32_t a) { return uint32_t(a < 0 ? 0 : a > 255 ? 255 : a); });
  form<uint32_t, float>("cvt.rna.tf32.f32", [](float a) {
    uint32_t bits;
    if (a != a)
      return 0x7fffffffu;
    memcpy(&bits, &a, 4);
    return std::isinf(a) ? bits : (bits + 0x1000) & ~0x1fffu;
  });
}
