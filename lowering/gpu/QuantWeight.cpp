//===- QuantWeight.cpp - weights of integers with a scale per group -------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/QuantWeight.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

QuantWeight::QuantWeight(const Matrix &weight) {
  QuantAttr quant = weight.quant;
  bits = quant.getBits();
  groups = quant.groupsOf(weight.width);
  halves = 8 / bits;
  words = kGroup / 4 / halves;
  blockBytes = quant.getBlockBytes();
}

Value QuantWeight::block(GpuEmitter &e, Value panel, Value group) const {
  return e.mul(e.add(e.mul(panel, groups), group), blockBytes);
}

/// Bytes of two words, chosen by the digits of the selector: 0 to 3 of the first, 4 to 7 of the second.
static Value permuteBytes(GpuEmitter &e, Value first, uint32_t second, Value selector) {
  return e.intrinsic("llvm.nvvm.prmt", e.b.getI32Type(), {first, e.integer(int32_t(second)), selector});
}

// All kernels carry integers with a bias that makes them unsigned.
Value QuantWeight::integersOf(GpuEmitter &e, Value word, int64_t half) const {
  if (halves == 1)
    return word;
  if (half)
    word = arith::ShRUIOp::create(e.b, e.loc, word, e.integer(4));
  return arith::AndIOp::create(e.b, e.loc, word, e.integer(0x0f0f0f0f));
}

// A byte as the last bits of 2^23 is that number and the byte.
SmallVector<Value> QuantWeight::widen(GpuEmitter &e, Value word, int64_t half) const {
  Value integers = integersOf(e, word, half), bias = e.scalar((1 << 23) + (1 << (bits - 1)));
  SmallVector<Value> values;
  for (int64_t i = 0; i < 4; ++i) {
    Value biased = permuteBytes(e, integers, 0x4b000000, e.integer(0x7440 + i));
    values.push_back(e.subf(arith::BitcastOp::create(e.b, e.loc, e.b.getF32Type(), biased), bias));
  }
  return values;
}

// bf16 has room for seven bits behind 128. The eighth says which of two numbers is to be taken off: 128 + (u mod 128)
// less 128 if it is set, and less 256 if it is not, is u - 128.
Value QuantWeight::widenTwo(GpuEmitter &e, Value integers, Value selector) const {
  constexpr int64_t kOne = 0x3f803f80, k128 = 0x43004300;
  constexpr uint32_t kMinus136 = 0xc308c308, kMinus256 = 0xc380c380;
  Type pair = VectorType::get({2}, e.b.getBF16Type()), i32 = e.b.getI32Type();
  auto asPair = [&](Value word) { return LLVM::BitcastOp::create(e.b, e.loc, pair, word); };
  Value bytes = permuteBytes(e, integers, 0, selector), low = bytes, less = e.integer(int32_t(kMinus136));
  if (bits == 8) {
    low = arith::AndIOp::create(e.b, e.loc, bytes, e.integer(0x007f007f));
    Value high = arith::AndIOp::create(e.b, e.loc, bytes, e.integer(0x00800080));
    less = arith::XOrIOp::create(e.b, e.loc, high, e.integer(int32_t(kMinus256)));
  }
  Value biased = arith::OrIOp::create(e.b, e.loc, low, e.integer(k128));
  Value exact = e.intrinsic("llvm.nvvm.fma.rn.bf16x2", pair, {asPair(biased), asPair(e.integer(kOne)), asPair(less)});
  return LLVM::BitcastOp::create(e.b, e.loc, i32, exact);
}

constexpr int64_t kFirstTwo = 0x4140, kSecondTwo = 0x4342; // bytes, each with a zero above it

std::pair<Value, Value> QuantWeight::widenPairs(GpuEmitter &e, Value word, int64_t half) const {
  Value integers = integersOf(e, word, half);
  return {widenTwo(e, integers, e.integer(kFirstTwo)), widenTwo(e, integers, e.integer(kSecondTwo))};
}

Value QuantWeight::widenPair(GpuEmitter &e, Value word, int64_t half, Value second) const {
  return widenTwo(e, integersOf(e, word, half), e.select(second, e.integer(kSecondTwo), e.integer(kFirstTwo)));
}
