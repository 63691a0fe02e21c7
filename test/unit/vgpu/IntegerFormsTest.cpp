//===- IntegerFormsTest.cpp - integer forms against scalar functions -----===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/unit/vgpu/Forms.h"

using namespace samba::vgpu::test;

namespace {

using i128 = __int128;

template <typename T> std::string name() { return (T(-1) < T(0) ? "s" : "u") + std::to_string(sizeof(T) * 8); }
template <typename T> T clamp(i128 value) {
  i128 low = std::numeric_limits<T>::min(), high = std::numeric_limits<T>::max();
  return T(value < low ? low : value > high ? high : value);
}

template <typename T> void arithmetic() {
  const std::string t = "." + name<T>();
  form<T, T, T>("add" + t, [](T a, T b) { return T(i128(a) + b); });
  form<T, T, T>("sub" + t, [](T a, T b) { return T(i128(a) - b); });
  form<T, T, T>("mul.lo" + t, [](T a, T b) { return T((unsigned __int128)(a) * (unsigned __int128)(b)); });
  form<T, T, T>("mul.hi" + t, [](T a, T b) {
    if constexpr (sizeof(T) == 8 && T(-1) > T(0))
      return T((unsigned __int128)(a)*b >> 64);
    else
      return T(i128(a) * b >> sizeof(T) * 8);
  });
  form<T, T, T, T>("mad.lo" + t, [](T a, T b, T c) { return T((unsigned __int128)(a) * (unsigned __int128)(b) + c); });
  form<T, T, T>("min" + t, [](T a, T b) { return a < b ? a : b; });
  form<T, T, T>("max" + t, [](T a, T b) { return a > b ? a : b; });
  auto divides = [](T, T b) { return b != 0; };
  form<T, T, T>("div" + t, [](T a, T b) { return T(i128(a) / b); }, "", 0, divides);
  form<T, T, T>("rem" + t, [](T a, T b) { return T(i128(a) % b); }, "", 0, divides);
  form<T, T, uint32_t>("shr" + t, [](T a, uint32_t b) {
    for (uint32_t k = 0; k < (b > 200 ? 200 : b); ++k)
      a = T(a >> 1);
    return a;
  });
  form<T, T, T, T>("sad" + t, [](T a, T b, T c) { return T(c + (a < b ? i128(b) - a : i128(a) - b)); });
}

template <typename T> void wide() {
  using W = std::conditional_t<(T(-1) < T(0)), std::conditional_t<sizeof(T) == 4, int64_t, int32_t>,
                               std::conditional_t<sizeof(T) == 4, uint64_t, uint32_t>>;
  form<W, T, T>("mul.wide." + name<T>(), [](T a, T b) { return W(i128(a) * b); });
  form<W, T, T, W>("mad.wide." + name<T>(), [](T a, T b, W c) { return W(i128(a) * b + c); });
}

template <typename T> void bits() {
  const std::string b = ".b" + std::to_string(sizeof(T) * 8);
  form<T, T, T>("and" + b, [](T x, T y) { return T(x & y); });
  form<T, T, T>("or" + b, [](T x, T y) { return T(x | y); });
  form<T, T, T>("xor" + b, [](T x, T y) { return T(x ^ y); });
  form<T, T>("not" + b, [](T x) { return T(~x); });
  form<T, T>("cnot" + b, [](T x) { return T(x == 0); });
  form<T, T, uint32_t>("shl" + b, [](T x, uint32_t n) { return n >= sizeof(T) * 8 ? T(0) : T(uint64_t(x) << n); });
  form<T, T>("mov" + b, [](T x) { return x; });
}

template <typename T> void counts() {
  constexpr unsigned n = sizeof(T) * 8;
  const std::string b = ".b" + std::to_string(n);
  form<uint32_t, T>("popc" + b, [](T x) {
    uint32_t count = 0;
    for (unsigned k = 0; k < n; ++k)
      count += x >> k & 1;
    return count;
  });
  form<uint32_t, T>("clz" + b, [](T x) {
    uint32_t k = 0;
    while (k < n && !(x >> (n - 1 - k) & 1))
      ++k;
    return k;
  });
  form<T, T>("brev" + b, [](T x) {
    T r = 0;
    for (unsigned k = 0; k < n; ++k)
      r |= T(x >> k & 1) << (n - 1 - k);
    return r;
  });
  form<T, T, T, uint32_t>(
      "bfi" + b,
      [](T a, T f, uint32_t c) {
        for (unsigned k = 0; k < 5; ++k)
          if (k + (c & 255) < n)
            f = T((f & ~(T(1) << (k + (c & 255)))) | ((a >> k & 1) << (k + (c & 255))));
        return f;
      },
      ", 5");
}

// As the manual defines it, bit by bit.
template <typename T> T extract(T a, uint32_t b, uint32_t c) {
  unsigned msb = sizeof(T) * 8 - 1, position = b & 255, length = c & 255;
  using U = std::make_unsigned_t<T>;
  bool sign = T(-1) < T(0) && length && (U(a) >> std::min(position + length - 1, msb) & 1);
  U d = 0;
  for (unsigned k = 0; k <= msb; ++k)
    d |= U(k < length && position + k <= msb ? U(a) >> (position + k) & 1 : sign) << k;
  return T(d);
}
template <typename T> uint32_t highest(T a) {
  using U = std::make_unsigned_t<T>;
  U x = a < T(0) ? U(~a) : U(a);
  for (int k = sizeof(T) * 8 - 1; k >= 0; --k)
    if (x >> k & 1)
      return uint32_t(k);
  return ~0u;
}

template <typename T> void fields() {
  form<T, T, uint32_t, uint32_t>("bfe." + name<T>(), extract<T>);
  form<uint32_t, T>("bfind." + name<T>(), highest<T>);
  form<uint32_t, T>("bfind.shiftamt." + name<T>(), [](T a) {
    uint32_t bit = highest(a);
    return bit == ~0u ? bit : uint32_t(sizeof(T) * 8 - 1 - bit);
  });
}

template <typename T> void comparisons() {
  // The result as 0 or 1 of a 32-bit register.
  auto compare = [](const std::string &condition, uint32_t (*expected)(T, T)) {
    form<uint32_t, T, T>("{ .reg .pred q; .reg .b32 r; mov.b32 r, 7; setp." + condition + "." + name<T>() + " q, " +
                             Register<T>::prefix() + "20, " + Register<T>::prefix() +
                             "21; selp.u32 r, 1, 0, q; mov.b32 %r10, r; } \n//",
                         expected, "\n");
  };
  compare("eq", [](T a, T b) { return uint32_t(a == b); });
  compare("ne", [](T a, T b) { return uint32_t(a != b); });
  compare("lt", [](T a, T b) { return uint32_t(a < b); });
  compare("le", [](T a, T b) { return uint32_t(a <= b); });
  compare("gt", [](T a, T b) { return uint32_t(a > b); });
  compare("ge", [](T a, T b) { return uint32_t(a >= b); });
}

} // namespace

TEST(VgpuForms, IntegerArithmetic) {
  arithmetic<int16_t>();
  arithmetic<uint16_t>();
  arithmetic<int32_t>();
  arithmetic<uint32_t>();
  arithmetic<int64_t>();
  arithmetic<uint64_t>();
  wide<int16_t>();
  wide<uint16_t>();
  wide<int32_t>();
  wide<uint32_t>();
}

TEST(VgpuForms, IntegerSigns) {
  form<int32_t, int32_t>("abs.s32", [](int32_t a) { return int32_t(a < 0 ? -int64_t(a) : a); });
  form<int64_t, int64_t>("abs.s64", [](int64_t a) { return int64_t(a < 0 ? -i128(a) : i128(a)); });
  form<int32_t, int32_t>("neg.s32", [](int32_t a) { return int32_t(-int64_t(a)); });
  form<int16_t, int16_t>("neg.s16", [](int16_t a) { return int16_t(-a); });
  form<int32_t, int32_t, int32_t>("add.sat.s32", [](int32_t a, int32_t b) { return clamp<int32_t>(i128(a) + b); });
  form<int32_t, int32_t, int32_t>("sub.sat.s32", [](int32_t a, int32_t b) { return clamp<int32_t>(i128(a) - b); });
  form<int32_t, int32_t, int32_t, int32_t>(
      "mad.hi.sat.s32", [](int32_t a, int32_t b, int32_t c) { return clamp<int32_t>((i128(a) * b >> 32) + c); });
}

TEST(VgpuForms, Bits) {
  bits<uint16_t>();
  bits<uint32_t>();
  bits<uint64_t>();
  counts<uint32_t>();
  counts<uint64_t>();
  fields<int32_t>();
  fields<uint32_t>();
  fields<int64_t>();
  fields<uint64_t>();
}

TEST(VgpuForms, Shuffling) {
  using u = uint32_t;
  form<u, u, u, u>("shf.l.wrap.b32", [](u a, u b, u c) { return u((uint64_t(b) << 32 | a) << (c & 31) >> 32); });
  form<u, u, u, u>("shf.r.wrap.b32", [](u a, u b, u c) { return u((uint64_t(b) << 32 | a) >> (c & 31)); });
  form<u, u, u, u>("shf.l.clamp.b32",
                   [](u a, u b, u c) { return c >= 32 ? a : u((uint64_t(b) << 32 | a) << c >> 32); });
  form<u, u, u, u>("shf.r.clamp.b32", [](u a, u b, u c) { return c >= 32 ? b : u((uint64_t(b) << 32 | a) >> c); });
  form<u, u, u, u>("lop3.b32", [](u a, u b, u c) { return (a & b) ^ c; }, ", 0x6a");
  form<u, u, u, u>("lop3.b32", [](u a, u b, u c) { return a ^ b ^ c; }, ", 0x96");
  form<u, u, u, u>("lop3.b32", [](u a, u b, u c) { return (a & b) | (~a & c); }, ", 0xca");
  form<u, u, u, u>("prmt.b32", [](u a, u b, u c) {
    u r = 0;
    for (unsigned k = 0; k < 4; ++k) {
      unsigned s = c >> 4 * k & 15;
      u byte = u((uint64_t(b) << 32 | a) >> 8 * (s & 7)) & 255;
      r |= (s & 8 ? (byte & 128 ? 255u : 0u) : byte) << 8 * k;
    }
    return r;
  });
  form<u, u, u, u>("prmt.b32.f4e", [](u a, u b, u c) {
    unsigned s = c & 3;
    return s ? u(a >> 8 * s | b << (32 - 8 * s)) : a;
  });
  form<u, u, u>("bmsk.clamp.b32", [](u a, u b) {
    u r = 0;
    for (uint64_t k = a; k < 32 && k < uint64_t(a) + b; ++k)
      r |= 1u << k;
    return r;
  });
  form<u, u, u, u>("dp4a.u32.u32", [](u a, u b, u c) {
    for (unsigned k = 0; k < 32; k += 8)
      c += (a >> k & 255) * (b >> k & 255);
    return c;
  });
  form<u, u, u, u>("dp4a.s32.s32", [](u a, u b, u c) {
    for (unsigned k = 0; k < 32; k += 8)
      c += u(int(int8_t(a >> k)) * int(int8_t(b >> k)));
    return c;
  });
  form<u, u, u, u>("dp4a.s32.u32", [](u a, u b, u c) {
    for (unsigned k = 0; k < 32; k += 8)
      c += u(int(int8_t(a >> k)) * int(b >> k & 255));
    return c;
  });
  form<u, u, u, u>("dp2a.hi.s32.s32", [](u a, u b, u c) {
    for (unsigned k = 0; k < 2; ++k)
      c += u(int(int16_t(a >> 16 * k)) * int(int8_t(b >> (16 + 8 * k))));
    return c;
  });
  form<u, u, u, int32_t>("slct.b32.s32", [](u a, u b, int32_t c) { return c >= 0 ? a : b; });
}

TEST(VgpuForms, IntegerComparisons) {
  comparisons<int16_t>();
  comparisons<uint16_t>();
  comparisons<int32_t>();
  comparisons<uint32_t>();
  comparisons<int64_t>();
  comparisons<uint64_t>();
}

TEST(VgpuForms, Carries) {
  using u = uint32_t;
  form<u, u, u, u>(
      "{ .reg .b32 low; add.cc.u32 low, %r20, %r21; addc.u32 %r10, %r22, 5; }\n//",
      [](u a, u b, u c) { return u(c + 5 + ((uint64_t(a) + b) >> 32)); }, "\n");
  form<u, u, u, u>(
      "{ .reg .b32 low; sub.cc.u32 low, %r20, %r21; subc.u32 %r10, %r22, 5; }\n//",
      [](u a, u b, u c) { return u(c - 5 - (a < b)); }, "\n");
  form<u, u, u, u>(
      "{ .reg .b32 low; mad.lo.cc.u32 low, %r20, %r21, %r22; madc.hi.u32 %r10, %r20, %r21, %r22; }\n//",
      [](u a, u b, u c) {
        uint64_t carry = (uint64_t(u(a * b)) + c) >> 32;
        return u((uint64_t(a) * b >> 32) + c + carry);
      },
      "\n");
}
