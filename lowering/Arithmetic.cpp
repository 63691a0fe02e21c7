//===- Arithmetic.cpp - building scalar and loop code ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/Arithmetic.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace samba;

//===----------------------------------------------------------------------===//
// Integers
//===----------------------------------------------------------------------===//

Value Arithmetic::index(int64_t value) { return arith::ConstantIndexOp::create(b, loc, value); }
Value Arithmetic::add(Value x, Value y) { return b.createOrFold<arith::AddIOp>(loc, x, y); }
Value Arithmetic::sub(Value x, Value y) { return b.createOrFold<arith::SubIOp>(loc, x, y); }
Value Arithmetic::mul(Value x, Value y) { return b.createOrFold<arith::MulIOp>(loc, x, y); }
Value Arithmetic::divFloor(Value x, int64_t y) { return b.createOrFold<arith::DivUIOp>(loc, x, index(y)); }
Value Arithmetic::remainder(Value x, int64_t y) { return b.createOrFold<arith::RemUIOp>(loc, x, index(y)); }
Value Arithmetic::minimum(Value x, Value y) { return b.createOrFold<arith::MinSIOp>(loc, x, y); }
Value Arithmetic::maximum(Value x, Value y) { return b.createOrFold<arith::MaxSIOp>(loc, x, y); }

Value Arithmetic::less(Value x, Value y) { return b.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::slt, x, y); }

Value Arithmetic::equal(Value x, Value y) { return b.createOrFold<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, x, y); }

//===----------------------------------------------------------------------===//
// Control
//===----------------------------------------------------------------------===//

void Arithmetic::loop(Value lower, Value upper, int64_t step, Body body) {
  scf::ForOp::create(b, loc, lower, upper, index(step), ValueRange{}, [&](OpBuilder &, Location, Value iv, ValueRange) {
    body(iv);
    scf::YieldOp::create(b, loc);
  });
}

SmallVector<Value> Arithmetic::loop(Value lower, Value upper, int64_t step, ValueRange initial, CarriedBody body) {
  auto op = scf::ForOp::create(
      b, loc, lower, upper, index(step), initial,
      [&](OpBuilder &, Location, Value iv, ValueRange carried) { scf::YieldOp::create(b, loc, body(iv, carried)); });
  return llvm::to_vector_of<Value>(op.getResults());
}

void Arithmetic::when(Value condition, llvm::function_ref<void()> then) {
  if (!condition)
    return then();
  scf::IfOp::create(b, loc, condition, [&](OpBuilder &, Location) {
    then();
    scf::YieldOp::create(b, loc);
  });
}

void Arithmetic::whenElse(Value condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise) {
  scf::IfOp::create(
      b, loc, condition,
      [&](OpBuilder &, Location) {
        then();
        scf::YieldOp::create(b, loc);
      },
      [&](OpBuilder &, Location) {
        otherwise();
        scf::YieldOp::create(b, loc);
      });
}

//===----------------------------------------------------------------------===//
// Floating point
//===----------------------------------------------------------------------===//

Value Arithmetic::scalar(double value) { return arith::ConstantOp::create(b, loc, b.getF32FloatAttr(value)); }

Value Arithmetic::addf(Value x, Value y) { return arith::AddFOp::create(b, loc, x, y); }
Value Arithmetic::subf(Value x, Value y) { return arith::SubFOp::create(b, loc, x, y); }
Value Arithmetic::mulf(Value x, Value y) { return arith::MulFOp::create(b, loc, x, y); }
Value Arithmetic::divf(Value x, Value y) { return arith::DivFOp::create(b, loc, x, y); }
Value Arithmetic::negf(Value x) { return arith::NegFOp::create(b, loc, x); }
Value Arithmetic::fma(Value x, Value y, Value z) { return math::FmaOp::create(b, loc, x, y, z); }

Value Arithmetic::absf(Value x) { return math::AbsFOp::create(b, loc, x); }
Value Arithmetic::roundEven(Value x) { return math::RoundEvenOp::create(b, loc, x); }

// Compare and select, because this form is one instruction on every target, unlike the IEEE maximum operations.
Value Arithmetic::maxf(Value x, Value y) {
  Value greater = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::OGT, x, y);
  return arith::SelectOp::create(b, loc, greater, x, y);
}

Value Arithmetic::constantLike(Value like, double value) {
  Type type = like.getType();
  FloatAttr element = b.getFloatAttr(getElementTypeOrSelf(type), value);
  if (auto vector = dyn_cast<VectorType>(type))
    return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(vector, Attribute(element)));
  return arith::ConstantOp::create(b, loc, element);
}
