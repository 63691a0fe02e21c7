//===- Emitter.cpp - building vector code over memory ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/Emitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace samba;

Value Emitter::loadIndex(Value memref, ValueRange indices) {
  Value value = memref::LoadOp::create(b, loc, memref, indices);
  return arith::IndexCastOp::create(b, loc, b.getIndexType(), value);
}

Value Emitter::rows(Value memref) { return b.createOrFold<memref::DimOp>(loc, memref, 0); }

//===----------------------------------------------------------------------===//
// Loops and sizes
//===----------------------------------------------------------------------===//

void Emitter::parallel(ArrayRef<Value> sizes, llvm::function_ref<void(ValueRange)> body) {
  SmallVector<OpFoldResult> bounds(sizes.begin(), sizes.end());
  auto loop = scf::ForallOp::create(b, loc, bounds, ValueRange{}, std::nullopt,
                                    [&](OpBuilder &, Location, ValueRange arguments) {
                                      body(arguments);
                                      scf::InParallelOp::create(b, loc);
                                    });
  if (loopInfo)
    loop->setAttr("samba.loop", loopInfo);
}

//===----------------------------------------------------------------------===//
// Strips
//===----------------------------------------------------------------------===//

void Emitter::strips(int64_t width, int64_t lanes, StripBody body) {
  int64_t whole = width - width % lanes;
  if (whole == lanes)
    body(index(0), lanes);
  else if (whole > 0)
    loop(index(0), index(whole), lanes, [&](Value column) { body(column, lanes); });
  if (whole < width)
    body(index(whole), width - whole);
}

void Emitter::strip(Value block, int64_t width, int64_t lanes, StripBody body) {
  int64_t count = width / lanes, tail = width % lanes;
  if (count == 0)
    return body(index(0), tail);
  if (tail == 0)
    return body(mul(block, lanes), lanes);
  whenElse(
      less(block, index(count)), [&] { body(mul(block, lanes), lanes); }, [&] { body(index(count * lanes), tail); });
}

SmallVector<std::pair<int64_t, int64_t>> Emitter::stripList(int64_t width, int64_t lanes) {
  SmallVector<std::pair<int64_t, int64_t>> list;
  for (int64_t column = 0; column < width; column += lanes)
    list.emplace_back(column, std::min(lanes, width - column));
  return list;
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

VectorType Emitter::vectorType(int64_t lanes) { return VectorType::get({lanes}, b.getF32Type()); }

Value Emitter::splat(double value, int64_t lanes) {
  return arith::ConstantOp::create(b, loc, DenseElementsAttr::get(vectorType(lanes), float(value)));
}

Value Emitter::broadcast(Value scalar, int64_t lanes) {
  return vector::BroadcastOp::create(b, loc, VectorType::get({lanes}, scalar.getType()), scalar);
}

Value Emitter::loadRaw(Value memref, ValueRange indices, int64_t lanes) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  return vector::LoadOp::create(b, loc, VectorType::get({lanes}, element), memref, indices);
}

Value Emitter::load(Value memref, ValueRange indices, int64_t lanes) {
  Value value = loadRaw(memref, indices, lanes);
  Type element = cast<VectorType>(value.getType()).getElementType();
  if (element.isInteger())
    return arith::SIToFPOp::create(b, loc, vectorType(lanes), value);
  return element.isF32() ? value : arith::ExtFOp::create(b, loc, vectorType(lanes), value);
}

Value Emitter::bitcast(Value vector, Type element) {
  auto type = cast<VectorType>(vector.getType());
  int64_t bits = type.getNumElements() * type.getElementTypeBitWidth();
  return vector::BitCastOp::create(b, loc, VectorType::get({bits / element.getIntOrFloatBitWidth()}, element), vector);
}

Value Emitter::loadScalar(Value memref, ValueRange indices) {
  Value value = memref::LoadOp::create(b, loc, memref, indices);
  return value.getType().isF32() ? value : arith::ExtFOp::create(b, loc, b.getF32Type(), value);
}

void Emitter::store(Value vector, Value memref, ValueRange indices) {
  auto type = cast<VectorType>(vector.getType());
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  if (type.getElementType() != element)
    vector = narrowToBf16(vector);
  vector::StoreOp::create(b, loc, vector, memref, indices);
}

void Emitter::storeScalar(Value scalar, Value memref, ValueRange indices) {
  memref::StoreOp::create(b, loc, scalar, memref, indices);
}

void Emitter::prefetch(Value memref, ValueRange indices, bool write, int level) {
  memref::PrefetchOp::create(b, loc, memref, indices, write, /*localityHint=*/4 - level, /*isDataCache=*/true);
}

Value Emitter::head(Value vector, int64_t lanes) {
  if (cast<VectorType>(vector.getType()).getNumElements() == lanes)
    return vector;
  return vector::ExtractStridedSliceOp::create(b, loc, vector, ArrayRef<int64_t>{0}, ArrayRef<int64_t>{lanes},
                                               ArrayRef<int64_t>{1});
}

Value Emitter::extract(Value vector, int64_t lane) { return vector::ExtractOp::create(b, loc, vector, lane); }

Value Emitter::insert(Value scalar, Value vector, int64_t lane) {
  return vector::InsertOp::create(b, loc, scalar, vector, lane);
}

// Lanes are summed pairwise ("reassoc"), as a vector unit does it; the order is fixed by the number of lanes.
Value Emitter::sum(Value vector) {
  auto reduction =
      vector::ReductionOp::create(b, loc, vector::CombiningKind::ADD, vector, arith::FastMathFlags::reassoc);
  return reduction;
}

Value Emitter::largest(Value vector) {
  auto reduction = vector::ReductionOp::create(b, loc, vector::CombiningKind::MAXNUMF, vector,
                                               arith::FastMathFlags::nnan | arith::FastMathFlags::nsz);
  return reduction;
}

// Machines that multiply bf16 also round to it. On others a truncf becomes a call of a library for each element, which
// code in an artefact does not have, so it is done in integers: the upper half of the bits, rounded by adding just less
// than half of its last place, or half if that makes it even. A NaN keeps its upper bits and stays one.
Value Emitter::narrowToBf16(Value x) {
  auto typeOf = [&](Type element) -> Type {
    auto vector = dyn_cast<VectorType>(x.getType());
    return vector ? Type(vector.clone(element)) : element;
  };
  if (!target.bf16Dot.empty())
    return arith::TruncFOp::create(b, loc, typeOf(b.getBF16Type()), x);
  Type words = typeOf(b.getI32Type());
  auto constant = [&](int64_t value) -> Value {
    TypedAttr attribute = b.getI32IntegerAttr(value);
    if (auto vector = dyn_cast<VectorType>(words))
      attribute = DenseElementsAttr::get(vector, attribute);
    return arith::ConstantOp::create(b, loc, attribute);
  };
  Value bits = arith::BitcastOp::create(b, loc, words, x), half = constant(16);
  Value upper = arith::ShRUIOp::create(b, loc, bits, half);
  Value odd = arith::AndIOp::create(b, loc, upper, constant(1));
  Value sum = arith::AddIOp::create(b, loc, arith::AddIOp::create(b, loc, bits, constant(0x7fff)), odd);
  Value rounded = arith::ShRUIOp::create(b, loc, sum, half);
  Value isNaN = arith::CmpFOp::create(b, loc, arith::CmpFPredicate::UNO, x, x);
  Value quiet = arith::OrIOp::create(b, loc, upper, constant(0x40));
  rounded = arith::SelectOp::create(b, loc, isNaN, quiet, rounded);
  rounded = arith::TruncIOp::create(b, loc, typeOf(b.getI16Type()), rounded);
  return arith::BitcastOp::create(b, loc, typeOf(b.getBF16Type()), rounded);
}

Value Emitter::roundToBf16(Value x) { return arith::ExtFOp::create(b, loc, x.getType(), narrowToBf16(x)); }

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Value Emitter::threadMemory(MemRefType type) {
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPointToStart(&b.getInsertionBlock()->getParent()->getParentOfType<func::FuncOp>().front());
  return memref::AllocaOp::create(b, loc, type, b.getI64IntegerAttr(target.lineBytes));
}

Value Emitter::pointerAdd(Value pointer, Value bytes) {
  Value offset = arith::IndexCastOp::create(b, loc, b.getI64Type(), bytes);
  return LLVM::GEPOp::create(b, loc, pointer.getType(), b.getI8Type(), pointer, ValueRange{offset});
}

Value Emitter::loadField(Value pointer, size_t offset, Type type) {
  Value field = offset ? pointerAdd(pointer, index(offset)) : pointer;
  return LLVM::LoadOp::create(b, loc, type, field);
}

// A memref is its descriptor: two pointers, offset, sizes, strides. Building it by hand and casting is how a bare
// pointer of the C contract enters the memref world; the cast disappears in the conversion to LLVM.
Value Emitter::memrefAt(Value pointer, MemRefType type, Value rows) {
  Type word = b.getI64Type();
  auto words = LLVM::LLVMArrayType::get(word, type.getRank());
  auto descriptorType =
      LLVM::LLVMStructType::getLiteral(b.getContext(), {pointer.getType(), pointer.getType(), word, words, words});
  Value descriptor = LLVM::PoisonOp::create(b, loc, descriptorType);
  auto set = [&](Value value, ArrayRef<int64_t> position) {
    descriptor = LLVM::InsertValueOp::create(b, loc, descriptor, value, position);
  };
  auto constant = [&](int64_t value) -> Value {
    return LLVM::ConstantOp::create(b, loc, word, b.getI64IntegerAttr(value));
  };
  set(pointer, {0});
  set(pointer, {1});
  set(constant(0), {2});
  int64_t stride = 1;
  for (int64_t i = type.getRank() - 1; i >= 0; --i) {
    bool dynamic = type.isDynamicDim(i);
    set(dynamic ? Value(arith::IndexCastOp::create(b, loc, word, rows)) : constant(type.getDimSize(i)), {3, i});
    set(constant(stride), {4, i});
    stride *= dynamic ? 1 : type.getDimSize(i);
  }
  return UnrealizedConversionCastOp::create(b, loc, type, descriptor).getResult(0);
}
