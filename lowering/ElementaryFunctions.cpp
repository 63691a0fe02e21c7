//===- ElementaryFunctions.cpp - exp2, silu, softplus, cos and sin -------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Own polynomials rather than calls into a math library: a library call would be scalar, and the artefact would need
// the library. Each works on a scalar or on a vector of any length.
//
//===----------------------------------------------------------------------===//

#include "lowering/Arithmetic.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace samba;

namespace {

/// The type of `like` with its elements replaced.
Type withElement(Value like, Type element) {
  if (auto vector = dyn_cast<VectorType>(like.getType()))
    return vector.clone(element);
  return element;
}

Value integerLike(Arithmetic &e, Type type, int64_t value) {
  IntegerAttr element = e.b.getIntegerAttr(getElementTypeOrSelf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    return arith::ConstantOp::create(e.b, e.loc, DenseElementsAttr::get(vector, Attribute(element)));
  return arith::ConstantOp::create(e.b, e.loc, element);
}

/// c[0] + x (c[1] + x (...)).
Value polynomial(Arithmetic &e, Value x, ArrayRef<double> coefficients) {
  Value result = e.constantLike(x, coefficients.back());
  for (double coefficient : llvm::reverse(coefficients.drop_back()))
    result = e.fma(result, x, e.constantLike(x, coefficient));
  return result;
}

Value select(Arithmetic &e, Value condition, Value x, Value y) {
  return arith::SelectOp::create(e.b, e.loc, condition, x, y);
}

} // namespace

// 2^x = 2^n 2^f with n the nearest integer: 2^f is a degree-5 minimax polynomial on [-1/2, 1/2], 2^n the exponent
// bits. The clamp keeps those bits in range.
Value Arithmetic::exp2(Value x) {
  Value low = constantLike(x, -126), high = constantLike(x, 127);
  x = maxf(x, low);
  x = select(*this, arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OLT, x, high), x, high);
  Value n = roundEven(x);
  Value fraction = polynomial(*this, subf(x, n),
                              {1.0, 6.931471880e-1, 2.402210749e-1, 5.550357114e-2, 9.676031918e-3, 1.339086336e-3});
  Type integers = withElement(x, b.getI32Type());
  Value exponent = arith::FPToSIOp::create(b, loc, integers, n);
  exponent = arith::AddIOp::create(b, loc, exponent, integerLike(*this, integers, 127));
  exponent = arith::ShLIOp::create(b, loc, exponent, integerLike(*this, integers, 23));
  return mulf(fraction, arith::BitcastOp::create(b, loc, x.getType(), exponent));
}

Value Arithmetic::ratio(Value x, Value y) { return divf(x, y); }

Value Arithmetic::sqrt(Value x) { return math::SqrtOp::create(b, loc, x); }

Value Arithmetic::exp(Value x) { return exp2(mulf(x, constantLike(x, kLog2E))); }

Value Arithmetic::silu(Value x) { return ratio(x, addf(constantLike(x, 1), exp(negf(x)))); }

// log1p(e) = 2 atanh(s) with s = e / (2 + e), and e = exp(-|x|) is in (0, 1], so s is in (0, 1/3]: seven terms of the
// series leave a relative error of 1.4e-8, also where e is tiny.
Value Arithmetic::softplus(Value x, bool plainLog) {
  Value e = exp(negf(absf(x)));
  if (plainLog)
    e = subf(addf(e, constantLike(x, 1)), constantLike(x, 1));
  Value s = ratio(e, addf(constantLike(x, 2), e));
  Value series = polynomial(*this, mulf(s, s), {2.0, 2.0 / 3, 2.0 / 5, 2.0 / 7, 2.0 / 9, 2.0 / 11, 2.0 / 13});
  return fma(s, series, maxf(x, constantLike(x, 0)));
}

// The angle is reduced by the nearest multiple of pi/2, with pi/2 in two parts so that the product is exact enough for
// quotients up to 2^30. The Taylor series on [-pi/4, pi/4] have relative errors below 1e-12.
std::pair<Value, Value> Arithmetic::cosSin(Value angle) {
  Value quotient = roundEven(mulf(angle, constantLike(angle, 0.63661977236758134308)));
  Value r = fma(quotient, constantLike(angle, -1.57079632679489655800), angle);
  r = fma(quotient, constantLike(angle, -6.12323399573676603587e-17), r);
  Value square = mulf(r, r);
  Value sine =
      mulf(r, polynomial(*this, square,
                         {1.0, -1.0 / 6, 1.0 / 120, -1.0 / 5040, 1.0 / 362880, -1.0 / 39916800, 1.0 / 6227020800.0}));
  Value cosine = polynomial(
      *this, square,
      {1.0, -1.0 / 2, 1.0 / 24, -1.0 / 720, 1.0 / 40320, -1.0 / 3628800, 1.0 / 479001600, -1.0 / 87178291200.0});
  // Quadrant: odd ones swap the two; the sine is negative in 2 and 3, the cosine in 1 and 2.
  Type integers = withElement(angle, b.getI64Type());
  Value quadrant = arith::FPToSIOp::create(b, loc, integers, quotient);
  auto bit = [&](Value value, int64_t mask) -> Value {
    Value masked = arith::AndIOp::create(b, loc, value, integerLike(*this, integers, mask));
    return arith::CmpIOp::create(b, loc, arith::CmpIPredicate::ne, masked, integerLike(*this, integers, 0));
  };
  Value odd = bit(quadrant, 1);
  Value next = arith::AddIOp::create(b, loc, quadrant, integerLike(*this, integers, 1));
  Value sinResult = select(*this, odd, cosine, sine), cosResult = select(*this, odd, sine, cosine);
  sinResult = select(*this, bit(quadrant, 2), negf(sinResult), sinResult);
  cosResult = select(*this, bit(next, 2), negf(cosResult), cosResult);
  Type narrow = withElement(angle, b.getF32Type());
  return {arith::TruncFOp::create(b, loc, narrow, cosResult), arith::TruncFOp::create(b, loc, narrow, sinResult)};
}
