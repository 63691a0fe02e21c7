//===- Powers.cpp - powers of two with a table in registers ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// 2^x = 2^n 2^(j/32) 2^f with n and j integers, 0 <= j < 32 and |f| <= 1/64, for machines that look 32 numbers up in
// one instruction. What is left for the polynomial is so little that degree 2 does, and what would be the lanes' shared
// bottleneck, multiplications, is half of what a polynomial on [-1/2, 1/2] takes.
//
// Adding 1.5 2^18 rounds x to multiples of 1/32, whose number 32 n + j is then in the low bits of the sum. Shifted by
// 18 these bits add n to the exponent of the number from the table and j to the upper bits of its mantissa, so the
// table holds 2^(j/32) less those bits. The polynomial is 1 at 0 with the slope of 2^f: scans depend on how far from 1
// a power near 1 is.
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include <cmath>

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kSteps = 32; // of the table, for each power of two
constexpr int64_t kMantissaBits = 23;
constexpr int64_t kShift = 18; // of the number of steps: to the exponent, 23 - log2(kSteps)
constexpr double kRound = 1.5 * (1 << kShift);

/// 2^x as a product.
struct Power {
  Value scale;    // 2^n 2^(j/32)
  Value fraction; // 2^f
};

class PowerEmitter {
public:
  PowerEmitter(Emitter &e, Value like)
      : e(e), floats(cast<VectorType>(like.getType())), words(floats.clone(e.b.getI32Type())) {}

  static bool canEmit(const CpuTarget &target, Value x) {
    auto type = dyn_cast<VectorType>(x.getType());
    return !target.lookUp.empty() && type && type.getElementType().isF32() && type.getNumElements() == target.lanes() &&
           2 * target.lanes() == kSteps;
  }

  /// Of x in [-126, 128).
  Power power(Value x) {
    Value sum = e.addf(x, e.constantLike(x, kRound));
    Value f = e.subf(x, e.subf(sum, e.constantLike(x, kRound)));
    Value slope = e.fma(f, e.constantLike(x, kLn2 * kLn2 / 2), e.constantLike(x, kLn2));
    Value number = bits(sum);
    Value exponent = arith::ShLIOp::create(e.b, e.loc, number, constant(kShift));
    Value scale = arith::AddIOp::create(e.b, e.loc, bits(lookUp(number)), exponent);
    return {arith::BitcastOp::create(e.b, e.loc, floats, scale), e.fma(f, slope, e.constantLike(x, 1))};
  }

  /// At least -126. As unsigned integers negative numbers are greater than positive ones, the more so the less they
  /// are.
  Value atLeastMinimum(Value x) {
    uint32_t minimum = llvm::bit_cast<uint32_t>(-126.0f);
    Value clamped = arith::MinUIOp::create(e.b, e.loc, bits(x), constant(minimum));
    return arith::BitcastOp::create(e.b, e.loc, floats, clamped);
  }

private:
  static constexpr double kLn2 = 0.69314718055994530942;

  Value bits(Value x) { return arith::BitcastOp::create(e.b, e.loc, words, x); }
  Value constant(uint32_t value) {
    return arith::ConstantOp::create(e.b, e.loc, DenseElementsAttr::get(words, APInt(32, value)));
  }

  /// The number from the table that the low bits say.
  Value lookUp(Value number) {
    auto half = [&](int64_t first) -> Value {
      SmallVector<APFloat> values;
      for (int64_t j = first; j < first + kSteps / 2; ++j) {
        uint32_t word = llvm::bit_cast<uint32_t>(float(std::exp2(double(j) / kSteps))) - (uint32_t(j) << kShift);
        values.push_back(APFloat(llvm::bit_cast<float>(word)));
      }
      return arith::ConstantOp::create(e.b, e.loc, DenseElementsAttr::get(floats, values));
    };
    auto call = LLVM::CallIntrinsicOp::create(e.b, e.loc, floats, e.b.getStringAttr(e.target.lookUp),
                                              ValueRange{half(0), number, half(kSteps / 2)});
    return call.getResults();
  }

  Emitter &e;
  VectorType floats, words;
};

static_assert(kSteps << kShift == 1 << kMantissaBits);

} // namespace

Value Emitter::exp2(Value x) {
  if (!PowerEmitter::canEmit(target, x))
    return Arithmetic::exp2(x);
  PowerEmitter emitter(*this, x);
  Value high = constantLike(x, 127);
  x = arith::SelectOp::create(b, loc, arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x, high), high, x);
  Power power = emitter.power(emitter.atLeastMinimum(x));
  return mulf(power.scale, power.fraction);
}

Value Emitter::scaleAdd(Value x, Value y, Value z) {
  if (!PowerEmitter::canEmit(target, x))
    return fma(exp2(x), y, z);
  PowerEmitter emitter(*this, x);
  Power power = emitter.power(emitter.atLeastMinimum(x));
  return fma(mulf(power.scale, y), power.fraction, z);
}
