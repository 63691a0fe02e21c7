//===- LanesInteger.cpp - integer operations on lanes --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Lanes.h"

using namespace samba::vgpu;

namespace samba::vgpu::VGPU_LANES {
namespace {

template <typename T> struct Traits;
template <> struct Traits<uint8_t> {
  using Wide = uint16_t;
  using Unsigned = uint8_t;
};
template <> struct Traits<int8_t> {
  using Wide = int16_t;
  using Unsigned = uint8_t;
};
template <> struct Traits<uint16_t> {
  using Wide = uint32_t;
  using Unsigned = uint16_t;
};
template <> struct Traits<int16_t> {
  using Wide = int32_t;
  using Unsigned = uint16_t;
};
template <> struct Traits<uint32_t> {
  using Wide = uint64_t;
  using Unsigned = uint32_t;
};
template <> struct Traits<int32_t> {
  using Wide = int64_t;
  using Unsigned = uint32_t;
};
template <> struct Traits<uint64_t> {
  using Wide = unsigned __int128;
  using Unsigned = uint64_t;
};
template <> struct Traits<int64_t> {
  using Wide = __int128;
  using Unsigned = uint64_t;
};

template <typename T> constexpr unsigned bitsOf = sizeof(T) * 8;
template <typename T> constexpr bool isSigned = T(-1) < T(0);

// Two's complement: the sums are those of the unsigned type.
template <typename T> T plus(T a, T b) {
  using U = typename Traits<T>::Unsigned;
  return T(U(U(a) + U(b)));
}
template <typename T> T minus(T a, T b) {
  using U = typename Traits<T>::Unsigned;
  return T(U(U(a) - U(b)));
}
template <typename T> T times(T a, T b) {
  // 16 bits would be promoted to int and overflow.
  return T(uint64_t(a) * uint64_t(b));
}
template <typename T> T timesHigh(T a, T b) {
  using W = typename Traits<T>::Wide;
  return T(W(a) * W(b) >> bitsOf<T>);
}
template <typename T> T saturated(__int128 value) {
  __int128 low = isSigned<T> ? -(__int128(1) << (bitsOf<T> - 1)) : 0;
  __int128 high = isSigned<T> ? (__int128(1) << (bitsOf<T> - 1)) - 1 : (__int128(1) << bitsOf<T>)-1;
  return T(value < low ? low : value > high ? high : value);
}

#define UNARY(NAME, EXPRESSION)                                                                                        \
  template <typename T> void NAME(Warp &w, const Instruction &i) {                                                     \
    const T *a = w.at<T>(i.a);                                                                                         \
    eachLane<T>(w, i.d, [=](unsigned l) -> T {                                                                         \
      T x = a[l];                                                                                                      \
      return EXPRESSION;                                                                                               \
    });                                                                                                                \
  }
#define BINARY(NAME, EXPRESSION)                                                                                       \
  template <typename T> void NAME(Warp &w, const Instruction &i) {                                                     \
    const T *a = w.at<T>(i.a), *b = w.at<T>(i.b);                                                                      \
    eachLane<T>(w, i.d, [=](unsigned l) -> T {                                                                         \
      T x = a[l], y = b[l];                                                                                            \
      return EXPRESSION;                                                                                               \
    });                                                                                                                \
  }
#define TERNARY(NAME, EXPRESSION)                                                                                      \
  template <typename T> void NAME(Warp &w, const Instruction &i) {                                                     \
    const T *a = w.at<T>(i.a), *b = w.at<T>(i.b), *c = w.at<T>(i.c);                                                   \
    eachLane<T>(w, i.d, [=](unsigned l) -> T {                                                                         \
      T x = a[l], y = b[l], z = c[l];                                                                                  \
      return EXPRESSION;                                                                                               \
    });                                                                                                                \
  }

BINARY(add, plus(x, y))
BINARY(sub, minus(x, y))
BINARY(addSaturated, saturated<T>(__int128(x) + y))
BINARY(subSaturated, saturated<T>(__int128(x) - y))
BINARY(mulLow, times(x, y))
BINARY(mulHigh, timesHigh(x, y))
TERNARY(madLow, plus(times(x, y), z))
TERNARY(madHigh, plus(timesHigh(x, y), z))
TERNARY(madHighSaturated, saturated<T>(__int128(timesHigh(x, y)) + z))
UNARY(absolute, x < 0 ? minus(T(0), x) : x)
UNARY(negate, minus(T(0), x))
BINARY(minimum, x < y ? x : y)
BINARY(maximum, x < y ? y : x)
BINARY(minimumRelu, (x < y ? x : y) < 0 ? T(0) : (x < y ? x : y))
BINARY(maximumRelu, (x < y ? y : x) < 0 ? T(0) : (x < y ? y : x))
TERNARY(sumOfDifference, plus(z, x < y ? minus(y, x) : minus(x, y)))
BINARY(bitAnd, T(x &y))
BINARY(bitOr, T(x | y))
BINARY(bitXor, T(x ^ y))
UNARY(bitNot, T(~x))
UNARY(logicalNot, T(x == 0))
UNARY(move, x)

template <typename T> void mulWide(Warp &w, const Instruction &i) {
  using W = typename Traits<T>::Wide;
  const T *a = w.at<T>(i.a), *b = w.at<T>(i.b);
  eachLane<W>(w, i.d, [=](unsigned l) { return W(W(a[l]) * W(b[l])); });
}
template <typename T> void madWide(Warp &w, const Instruction &i) {
  using W = typename Traits<T>::Wide;
  const T *a = w.at<T>(i.a), *b = w.at<T>(i.b);
  const W *c = w.at<W>(i.c);
  eachLane<W>(w, i.d, [=](unsigned l) { return plus<W>(W(W(a[l]) * W(b[l])), c[l]); });
}

// The caller has checked that no divisor is zero. The quotient of the lowest number and -1 is that number, as on
// devices.
template <typename T> void divide(Warp &w, const Instruction &i) {
  const T *a = w.at<T>(i.a), *b = w.at<T>(i.b);
  eachActiveLane<T>(w, i.d, [=](unsigned l) -> T {
    if (isSigned<T> && b[l] == T(-1))
      return minus(T(0), a[l]);
    return T(a[l] / b[l]);
  });
}
template <typename T> void remainder(Warp &w, const Instruction &i) {
  const T *a = w.at<T>(i.a), *b = w.at<T>(i.b);
  eachActiveLane<T>(w, i.d, [=](unsigned l) -> T {
    if (isSigned<T> && b[l] == T(-1))
      return 0;
    return T(a[l] % b[l]);
  });
}

template <typename T> void shiftLeft(Warp &w, const Instruction &i) {
  const T *a = w.at<T>(i.a);
  const uint32_t *b = w.at<uint32_t>(i.b);
  eachLane<T>(w, i.d, [=](unsigned l) -> T {
    T shifted = T(a[l] << (b[l] & (bitsOf<T> - 1)));
    return b[l] >= bitsOf<T> ? T(0) : shifted;
  });
}
template <typename T> void shiftRight(Warp &w, const Instruction &i) {
  const T *a = w.at<T>(i.a);
  const uint32_t *b = w.at<uint32_t>(i.b);
  eachLane<T>(w, i.d, [=](unsigned l) -> T {
    T shifted = T(a[l] >> (b[l] & (bitsOf<T> - 1)));
    T all = isSigned<T> && a[l] < 0 ? T(-1) : T(0);
    return b[l] >= bitsOf<T> ? all : shifted;
  });
}

template <bool left> void funnel(Warp &w, const Instruction &i) {
  const uint32_t *a = w.at<uint32_t>(i.a), *b = w.at<uint32_t>(i.b), *c = w.at<uint32_t>(i.c);
  bool clamp = i.flags & Clamp;
  eachLane<uint32_t>(w, i.d, [=](unsigned l) -> uint32_t {
    uint32_t amount = clamp ? (c[l] < 32 ? c[l] : 32) : c[l] & 31;
    uint64_t both = uint64_t(b[l]) << 32 | a[l];
    return left ? uint32_t(both << amount >> 32) : uint32_t(both >> amount);
  });
}

void lop3(Warp &w, const Instruction &i) {
  const uint32_t *a = w.at<uint32_t>(i.a), *b = w.at<uint32_t>(i.b), *c = w.at<uint32_t>(i.c);
  uint32_t m[8];
  for (unsigned k = 0; k < 8; ++k)
    m[k] = i.immediate >> k & 1 ? allLanes : 0;
  eachLane<uint32_t>(w, i.d, [=](unsigned l) {
    uint32_t x = a[l], y = b[l], z = c[l];
    return (m[0] & ~x & ~y & ~z) | (m[1] & ~x & ~y & z) | (m[2] & ~x & y & ~z) | (m[3] & ~x & y & z) |
           (m[4] & x & ~y & ~z) | (m[5] & x & ~y & z) | (m[6] & x & y & ~z) | (m[7] & x & y & z);
  });
}

template <typename T> void popc(Warp &w, const Instruction &i) {
  const T *a = w.at<T>(i.a);
  eachLane<uint32_t>(w, i.d, [=](unsigned l) { return uint32_t(__builtin_popcountll(a[l])); });
}
template <typename T> void clz(Warp &w, const Instruction &i) {
  const T *a = w.at<T>(i.a);
  eachLane<uint32_t>(w, i.d,
                     [=](unsigned l) { return a[l] ? uint32_t(__builtin_clzll(a[l])) - (64 - bitsOf<T>) : bitsOf<T>; });
}
template <typename T> void find(Warp &w, const Instruction &i) {
  const T *a = w.at<T>(i.a);
  bool shift = i.flags & ShiftAmount;
  eachLane<uint32_t>(w, i.d, [=](unsigned l) -> uint32_t {
    using U = typename Traits<T>::Unsigned;
    U value = isSigned<T> && a[l] < 0 ? U(~a[l]) : U(a[l]);
    if (!value)
      return 0xffffffffu;
    uint32_t zeros = uint32_t(__builtin_clzll(value)) - (64 - bitsOf<T>);
    return shift ? zeros : bitsOf<T> - 1 - zeros;
  });
}
template <typename T> void reverse(Warp &w, const Instruction &i) {
  const T *a = w.at<T>(i.a);
  eachLane<T>(w, i.d, [=](unsigned l) { return T(__builtin_bitreverse64(a[l]) >> (64 - bitsOf<T>)); });
}

template <typename T> void extract(Warp &w, const Instruction &i) {
  const T *a = w.at<T>(i.a);
  const uint32_t *b = w.at<uint32_t>(i.b), *c = w.at<uint32_t>(i.c);
  eachLane<T>(w, i.d, [=](unsigned l) -> T {
    using U = typename Traits<T>::Unsigned;
    unsigned position = b[l] & 255, length = c[l] & 255;
    if (!length)
      return 0;
    unsigned last = position + length - 1 < bitsOf<T> ? position + length - 1 : bitsOf<T> - 1;
    bool sign = isSigned<T> && U(a[l]) >> last & 1;
    U field = position < bitsOf<T> ? U(U(a[l]) >> position) : U(0);
    U mask = length < bitsOf<T> ? U((U(1) << length) - 1) : U(-1);
    unsigned available = position < bitsOf<T> ? bitsOf<T> - position : 0;
    U have = available < bitsOf<T> ? U((U(1) << available) - 1) : U(-1);
    return T(sign ? U((field & mask) | ~(mask & have)) : U(field & mask));
  });
}
template <typename T> void insert(Warp &w, const Instruction &i) {
  const T *a = w.at<T>(i.a), *b = w.at<T>(i.b);
  const uint32_t *c = w.at<uint32_t>(i.c), *e = w.at<uint32_t>(i.e);
  eachLane<T>(w, i.d, [=](unsigned l) -> T {
    unsigned position = c[l] & 255, length = e[l] & 255;
    if (position >= bitsOf<T> || !length)
      return b[l];
    T mask = T((length < bitsOf<T> ? T((T(1) << length) - 1) : T(-1)) << position);
    return T((b[l] & ~mask) | (T(a[l] << position) & mask));
  });
}

void permute(Warp &w, const Instruction &i) {
  const uint32_t *a = w.at<uint32_t>(i.a), *b = w.at<uint32_t>(i.b), *c = w.at<uint32_t>(i.c);
  unsigned mode = i.mode; // 0: default, then f4e, b4e, rc8, ecl, ecr, rc16
  eachLane<uint32_t>(w, i.d, [=](unsigned l) {
    uint64_t both = uint64_t(b[l]) << 32 | a[l];
    uint32_t result = 0;
    for (unsigned k = 0; k < 4; ++k) {
      unsigned s = c[l] & 3, selector = 0;
      switch (mode) {
      case 0:
        selector = c[l] >> 4 * k & 15;
        break;
      case 1:
        selector = (s + k) & 7;
        break;
      case 2:
        selector = (s - k) & 7;
        break;
      case 3:
        selector = s;
        break;
      case 4:
        selector = k > s ? k : s;
        break;
      case 5:
        selector = k < s ? k : s;
        break;
      default:
        selector = 2 * (s & 1) + (k & 1);
        break;
      }
      uint32_t byte = both >> 8 * (selector & 7) & 255;
      if (selector & 8)
        byte = byte & 128 ? 255 : 0;
      result |= byte << 8 * k;
    }
    return result;
  });
}

void maskBits(Warp &w, const Instruction &i) {
  const uint32_t *a = w.at<uint32_t>(i.a), *b = w.at<uint32_t>(i.b);
  bool clamp = i.flags & Clamp;
  eachLane<uint32_t>(w, i.d, [=](unsigned l) -> uint32_t {
    uint32_t position = clamp ? a[l] : a[l] & 31, length = clamp ? b[l] : b[l] & 31;
    if (position >= 32)
      return 0;
    uint32_t ones = length >= 32 ? allLanes : (1u << length) - 1;
    return ones << position;
  });
}

// dp4a and dp2a: T is the type of a, the flag tells that of b.
template <typename T> void dot(Warp &w, const Instruction &i, unsigned parts) {
  const uint32_t *a = w.at<uint32_t>(i.a), *b = w.at<uint32_t>(i.b), *c = w.at<uint32_t>(i.c);
  bool aSigned = isSigned<T>, bSigned = !(i.flags & UnsignedB);
  unsigned high = i.flags & HighHalf ? 16 : 0;
  eachLane<uint32_t>(w, i.d, [=](unsigned l) {
    int64_t sum = 0;
    for (unsigned k = 0; k < parts; ++k) {
      unsigned bits = 32 / parts;
      uint32_t x = a[l] >> bits * k & ((1u << bits) - 1), y = b[l] >> (8 * k + (parts == 2 ? high : 0)) & 255;
      int64_t p = aSigned && x >> (bits - 1) ? int64_t(x) - (int64_t(1) << bits) : x;
      int64_t q = bSigned && y >> 7 ? int64_t(y) - 256 : y;
      sum += p * q;
    }
    return uint32_t(uint64_t(sum) + c[l]);
  });
}
template <typename T> void dot4(Warp &w, const Instruction &i) { dot<T>(w, i, 4); }
template <typename T> void dot2(Warp &w, const Instruction &i) { dot<T>(w, i, 2); }

// add.cc, addc, sub.cc, subc, mad.cc, madc.
template <typename T, Op op> void withCarry(Warp &w, const Instruction &i) {
  const T *a = w.at<T>(i.a), *b = w.at<T>(i.b);
  const T *c = op == Op::MadLowCarry || op == Op::MadHighCarry ? w.at<T>(i.c) : nullptr;
  T *d = w.at<T>(i.d);
  using W = unsigned __int128;
  for (unsigned l = 0; l < lanes; ++l) {
    if (!(w.active >> l & 1))
      continue;
    W in = i.flags & CarryIn ? w.carry >> l & 1 : 0, sum;
    if (op == Op::AddCarry)
      sum = W(a[l]) + b[l] + in;
    else if (op == Op::SubCarry)
      sum = W(a[l]) - b[l] - in;
    else if (op == Op::MadLowCarry)
      sum = W(T(a[l] * b[l])) + c[l] + in;
    else
      sum = W(T(W(a[l]) * b[l] >> bitsOf<T>)) + c[l] + in;
    d[l] = T(sum);
    if (i.flags & CarryOut)
      w.carry = (w.carry & ~(1u << l)) | uint32_t(sum >> bitsOf<T> & 1) << l;
  }
}

template <typename T> void compare(Warp &w, const Instruction &i) {
  const T *a = w.at<T>(i.a), *b = w.at<T>(i.b);
  uint32_t mask = 0;
  switch (i.mode) {
  case Eq:
    mask = maskOf([=](unsigned l) { return a[l] == b[l]; });
    break;
  case Ne:
    mask = maskOf([=](unsigned l) { return a[l] != b[l]; });
    break;
  case Lt:
    mask = maskOf([=](unsigned l) { return a[l] < b[l]; });
    break;
  case Le:
    mask = maskOf([=](unsigned l) { return a[l] <= b[l]; });
    break;
  case Gt:
    mask = maskOf([=](unsigned l) { return a[l] > b[l]; });
    break;
  default:
    mask = maskOf([=](unsigned l) { return a[l] >= b[l]; });
    break;
  }
  setPredicates(w, i, mask);
}

template <typename T> void select(Warp &w, const Instruction &i) {
  const T *a = w.at<T>(i.a), *b = w.at<T>(i.b);
  uint32_t mask = w.predicate(i.c) ^ (i.flags & CombineNegated ? allLanes : 0);
  eachLane<T>(w, i.d, [=](unsigned l) { return mask >> l & 1 ? a[l] : b[l]; });
}
// slct on the sign of an s32; the decoder has turned that of an f32 into it.
template <typename T> void selectSign(Warp &w, const Instruction &i) {
  const T *a = w.at<T>(i.a), *b = w.at<T>(i.b);
  const int32_t *c = w.at<int32_t>(i.c);
  eachLane<T>(w, i.d, [=](unsigned l) { return c[l] >= 0 ? a[l] : b[l]; });
}

template <typename T> Handler ofType(Op op, uint32_t flags) {
  using U = typename Traits<T>::Unsigned;
  bool saturate = flags & Saturate;
  switch (op) {
  case Op::Add:
    return saturate ? addSaturated<T> : add<T>;
  case Op::Sub:
    return saturate ? subSaturated<T> : sub<T>;
  case Op::MulLow:
    return mulLow<T>;
  case Op::MulHigh:
    return mulHigh<T>;
  case Op::MulWide:
    return sizeof(T) < 8 ? mulWide<T> : nullptr;
  case Op::MadLow:
    return madLow<T>;
  case Op::MadHigh:
    return saturate ? madHighSaturated<T> : madHigh<T>;
  case Op::MadWide:
    return nullptr; // below
  case Op::Div:
    return divide<T>;
  case Op::Rem:
    return remainder<T>;
  case Op::Abs:
    return absolute<T>;
  case Op::Neg:
    return negate<T>;
  case Op::Min:
    return flags & Relu ? minimumRelu<T> : minimum<T>;
  case Op::Max:
    return flags & Relu ? maximumRelu<T> : maximum<T>;
  case Op::Sad:
    return sumOfDifference<T>;
  case Op::AddCarry:
    return withCarry<U, Op::AddCarry>;
  case Op::SubCarry:
    return withCarry<U, Op::SubCarry>;
  case Op::MadLowCarry:
    return withCarry<U, Op::MadLowCarry>;
  case Op::MadHighCarry:
    return isSigned<T> ? nullptr : withCarry<U, Op::MadHighCarry>;
  case Op::And:
    return bitAnd<U>;
  case Op::Or:
    return bitOr<U>;
  case Op::Xor:
    return bitXor<U>;
  case Op::Not:
    return bitNot<U>;
  case Op::Cnot:
    return logicalNot<U>;
  case Op::ShiftLeft:
    return shiftLeft<U>;
  case Op::ShiftRight:
    return shiftRight<T>;
  case Op::Popc:
    return popc<U>;
  case Op::Clz:
    return clz<U>;
  case Op::Find:
    return find<T>;
  case Op::Reverse:
    return reverse<U>;
  case Op::Extract:
    return extract<T>;
  case Op::Insert:
    return insert<U>;
  case Op::Compare:
    return compare<T>;
  case Op::Select:
    return select<U>;
  case Op::SelectSign:
    return selectSign<U>;
  case Op::Move:
    return move<U>;
  default:
    return nullptr;
  }
}

template <typename T> Handler narrow(Op op, uint32_t flags) {
  return op == Op::MadWide ? madWide<T> : ofType<T>(op, flags);
}

} // namespace

Handler integerHandler(Op op, ptx::Type type, uint32_t flags) {
  switch (op) {
  case Op::FunnelLeft:
    return funnel<true>;
  case Op::FunnelRight:
    return funnel<false>;
  case Op::Lop3:
    return lop3;
  case Op::Permute:
    return permute;
  case Op::Mask:
    return maskBits;
  case Op::Dot4:
    return type.kind == ptx::Type::Signed ? dot4<int32_t> : dot4<uint32_t>;
  case Op::Dot2:
    return type.kind == ptx::Type::Signed ? dot2<int32_t> : dot2<uint32_t>;
  default:
    break;
  }
  bool isSignedType = type.kind == ptx::Type::Signed;
  switch (type.bits) {
  case 8:
    return isSignedType ? ofType<int8_t>(op, flags) : ofType<uint8_t>(op, flags);
  case 16:
    return isSignedType ? narrow<int16_t>(op, flags) : narrow<uint16_t>(op, flags);
  case 32:
    return isSignedType ? narrow<int32_t>(op, flags) : narrow<uint32_t>(op, flags);
  case 64:
    return isSignedType ? ofType<int64_t>(op, flags) : ofType<uint64_t>(op, flags);
  default:
    return nullptr;
  }
}

} // namespace samba::vgpu::VGPU_LANES
