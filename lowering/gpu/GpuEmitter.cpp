//===- GpuEmitter.cpp - building the code of a kernel ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/GpuEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

//===----------------------------------------------------------------------===//
// Where this thread is
//===----------------------------------------------------------------------===//

static gpu::Dimension dimensionOf(unsigned dimension) { return gpu::Dimension(dimension); }

Value GpuEmitter::thread() { return gpu::ThreadIdOp::create(b, loc, gpu::Dimension::x); }
Value GpuEmitter::lane() { return bitAnd(thread(), kWarp - 1); }
Value GpuEmitter::warp() { return divFloor(thread(), kWarp); }
Value GpuEmitter::block(unsigned dimension) { return gpu::BlockIdOp::create(b, loc, dimensionOf(dimension)); }
Value GpuEmitter::blocks(unsigned dimension) { return gpu::GridDimOp::create(b, loc, dimensionOf(dimension)); }
void GpuEmitter::barrier() { gpu::BarrierOp::create(b, loc); }

//===----------------------------------------------------------------------===//
// Integers
//===----------------------------------------------------------------------===//

Value GpuEmitter::integer(int64_t value, unsigned bits) {
  return arith::ConstantOp::create(b, loc, b.getIntegerAttr(b.getIntegerType(bits), value));
}

Value GpuEmitter::toInteger(Value index, unsigned bits) {
  return arith::IndexCastOp::create(b, loc, b.getIntegerType(bits), index);
}

Value GpuEmitter::toIndex(Value integer) { return arith::IndexCastOp::create(b, loc, b.getIndexType(), integer); }
Value GpuEmitter::bitXor(Value x, Value y) { return b.createOrFold<arith::XOrIOp>(loc, x, y); }
Value GpuEmitter::bitAnd(Value x, int64_t y) { return b.createOrFold<arith::AndIOp>(loc, x, index(y)); }
Value GpuEmitter::shiftRight(Value x, int64_t bits) { return b.createOrFold<arith::ShRUIOp>(loc, x, index(bits)); }
Value GpuEmitter::both(Value x, Value y) { return b.createOrFold<arith::AndIOp>(loc, x, y); }

Value GpuEmitter::select(Value condition, Value x, Value y) { return arith::SelectOp::create(b, loc, condition, x, y); }

Value GpuEmitter::choose(Value condition, llvm::function_ref<Value()> then, llvm::function_ref<Value()> otherwise) {
  auto op = scf::IfOp::create(
      b, loc, condition, [&](OpBuilder &, Location) { scf::YieldOp::create(b, loc, then()); },
      [&](OpBuilder &, Location) { scf::YieldOp::create(b, loc, otherwise()); });
  return op.getResult(0);
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

Value GpuEmitter::address(Value pointer, Type element, Value index) {
  APInt constant;
  if (matchPattern(index, m_ConstantInt(&constant)))
    return constant.isZero() ? pointer
                             : LLVM::GEPOp::create(b, loc, pointer.getType(), element, pointer,
                                                   ArrayRef<LLVM::GEPArg>{int32_t(constant.getSExtValue())});
  return LLVM::GEPOp::create(b, loc, pointer.getType(), element, pointer, ValueRange{toInteger(index)});
}

Value GpuEmitter::shared(int64_t bytes) {
  std::string name = (function.getName() + "_shared" + llvm::Twine(sharedBuffers++)).str();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(function);
  auto type = LLVM::LLVMArrayType::get(b.getI8Type(), bytes);
  constexpr unsigned kSharedSpace = 3;
  auto global = LLVM::GlobalOp::create(b, loc, type, /*isConstant=*/false, LLVM::Linkage::Internal, name, Attribute(),
                                       /*alignment=*/16, kSharedSpace);
  b.setInsertionPointToStart(&function.getBody().front());
  return LLVM::AddressOfOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext(), kSharedSpace),
                                   global.getSymName());
}

Value GpuEmitter::dynamicShared() {
  std::string name = (function.getName() + "_dynamic").str();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(function);
  constexpr unsigned kSharedSpace = 3;
  auto global = LLVM::GlobalOp::create(b, loc, LLVM::LLVMArrayType::get(b.getI8Type(), 0), /*isConstant=*/false,
                                       LLVM::Linkage::External, name, Attribute(), /*alignment=*/1024, kSharedSpace);
  b.setInsertionPointToStart(&function.getBody().front());
  return LLVM::AddressOfOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext(), kSharedSpace),
                                   global.getSymName());
}

Value GpuEmitter::constants(ArrayRef<double> values) {
  std::string name = (function.getName() + "_constants").str();
  OpBuilder::InsertionGuard guard(b);
  b.setInsertionPoint(function);
  auto type = RankedTensorType::get({int64_t(values.size())}, b.getF64Type());
  constexpr unsigned kGlobalSpace = 1;
  auto global = LLVM::GlobalOp::create(b, loc, LLVM::LLVMArrayType::get(b.getF64Type(), values.size()),
                                       /*isConstant=*/true, LLVM::Linkage::Internal, name,
                                       DenseElementsAttr::get(type, values), kSectorBytes, kGlobalSpace);
  b.setInsertionPointToStart(&function.getBody().front());
  return LLVM::AddressOfOp::create(b, loc, LLVM::LLVMPointerType::get(b.getContext(), kGlobalSpace),
                                   global.getSymName());
}

Value GpuEmitter::loadRaw(Value pointer, Type type, int64_t alignment) {
  return LLVM::LoadOp::create(b, loc, type, pointer, unsigned(alignment));
}

void GpuEmitter::storeRaw(Value value, Value pointer, int64_t alignment) {
  LLVM::StoreOp::create(b, loc, value, pointer, unsigned(alignment));
}

// Narrow elements are loaded as pairs in 32-bit words: widening one is a shift or a mask.
SmallVector<Value> GpuEmitter::load(Value pointer, Type element, Value index, int64_t lanes) {
  if (int64_t most = kWidestAccess / element.getIntOrFloatBitWidth(); lanes > most) {
    SmallVector<Value> values;
    for (int64_t i = 0; i < lanes; i += most)
      llvm::append_range(values, load(pointer, element, add(index, i), most));
    return values;
  }
  Value from = address(pointer, element, index);
  int64_t bytes = element.getIntOrFloatBitWidth() / 8 * lanes;
  SmallVector<Value> values;
  auto elementOf = [&](Value vector, int64_t i) -> Value {
    return LLVM::ExtractElementOp::create(b, loc, vector, integer(i));
  };
  if (element.isF32()) {
    if (lanes == 1)
      return {loadRaw(from, element, bytes)};
    Value vector = loadRaw(from, VectorType::get({lanes}, element), bytes);
    for (int64_t i = 0; i < lanes; ++i)
      values.push_back(elementOf(vector, i));
    return values;
  }
  if (lanes == 1)
    return {arith::ExtFOp::create(b, loc, b.getF32Type(), loadRaw(from, element, bytes))};
  int64_t words = lanes / 2;
  Type word = b.getI32Type();
  Value vector = loadRaw(from, words == 1 ? word : VectorType::get({words}, word), bytes);
  for (int64_t i = 0; i < words; ++i) {
    auto [low, high] = unpackPair(words == 1 ? vector : elementOf(vector, i));
    values.append({low, high});
  }
  return values;
}

void GpuEmitter::store(ValueRange values, Value pointer, Type element, Value index) {
  if (size_t most = kWidestAccess / element.getIntOrFloatBitWidth(); values.size() > most) {
    for (size_t i = 0; i < values.size(); i += most)
      store(values.slice(i, most), pointer, element, add(index, i));
    return;
  }
  Value to = address(pointer, element, index);
  int64_t bytes = element.getIntOrFloatBitWidth() / 8 * values.size();
  SmallVector<Value> parts;
  if (element.isF32()) {
    llvm::append_range(parts, values);
  } else if (values.size() == 1) {
    parts.push_back(arith::TruncFOp::create(b, loc, element, values[0]));
  } else {
    for (size_t i = 0; i < values.size(); i += 2)
      parts.push_back(packPair(values[i], values[i + 1]));
  }
  if (parts.size() == 1)
    return storeRaw(parts[0], to, bytes);
  auto type = VectorType::get({int64_t(parts.size())}, parts[0].getType());
  Value vector = LLVM::PoisonOp::create(b, loc, type);
  for (auto [i, part] : llvm::enumerate(parts))
    vector = LLVM::InsertElementOp::create(b, loc, vector, part, integer(i));
  storeRaw(vector, to, bytes);
}

Value GpuEmitter::loadIndex(Value pointer, unsigned bits, Value index) {
  Type type = b.getIntegerType(bits);
  return toIndex(loadRaw(address(pointer, type, index), type, bits / 8));
}

Value GpuEmitter::packPair(Value low, Value high) {
  Value pair = intrinsic("llvm.nvvm.ff2bf16x2.rn", VectorType::get({2}, b.getBF16Type()), {high, low});
  return LLVM::BitcastOp::create(b, loc, b.getI32Type(), pair);
}

std::pair<Value, Value> GpuEmitter::unpackPair(Value pair) {
  Value low = arith::ShLIOp::create(b, loc, pair, integer(16));
  Value high = arith::AndIOp::create(b, loc, pair, integer(int32_t(0xffff0000)));
  return {arith::BitcastOp::create(b, loc, b.getF32Type(), low),
          arith::BitcastOp::create(b, loc, b.getF32Type(), high)};
}

//===----------------------------------------------------------------------===//
// Among threads
//===----------------------------------------------------------------------===//

Value GpuEmitter::shuffleXor(Value value, int64_t mask) {
  return NVVM::ShflOp::create(b, loc, value.getType(), integer(-1), value, integer(mask), integer(kWarp - 1),
                              NVVM::ShflKind::bfly, UnitAttr());
}

Value GpuEmitter::shuffleUp(Value value, int64_t distance) {
  return NVVM::ShflOp::create(b, loc, value.getType(), integer(-1), value, integer(distance), integer(0),
                              NVVM::ShflKind::up, UnitAttr());
}

Value GpuEmitter::shuffleFrom(Value value, Value lane) {
  return NVVM::ShflOp::create(b, loc, value.getType(), integer(-1), value, toInteger(lane), integer(kWarp - 1),
                              NVVM::ShflKind::idx, UnitAttr());
}

Value GpuEmitter::warpSum(Value value, int64_t lanes) {
  for (int64_t mask = lanes / 2; mask > 0; mask /= 2)
    value = addf(value, shuffleXor(value, mask));
  return value;
}

Value GpuEmitter::warpMaximum(Value value, int64_t lanes) {
  for (int64_t mask = lanes / 2; mask > 0; mask /= 2)
    value = maxf(value, shuffleXor(value, mask));
  return value;
}

// Each warp leaves its sum; then every warp adds them all in the same way.
Value GpuEmitter::blockSum(Value value) {
  int64_t warps = threads / kWarp;
  value = warpSum(value);
  if (warps == 1)
    return value;
  Type f32 = b.getF32Type();
  Value sums = shared(warps * 4);
  when(equal(lane(), index(0)), [&] { store(value, sums, f32, warp()); });
  barrier();
  Value mine = load(sums, f32, bitAnd(lane(), warps - 1));
  return warpSum(mine, warps);
}

//===----------------------------------------------------------------------===//
// Asynchronous copies and tensor cores
//===----------------------------------------------------------------------===//

void GpuEmitter::copyAsync(Value sharedAddress, Value globalAddress) {
  NVVM::CpAsyncOp::create(b, loc, sharedAddress, globalAddress, 16, NVVM::LoadCacheModifierKind::CG, Value());
}

void GpuEmitter::copyAsyncIf(Value condition, Value sharedAddress, Value globalAddress) {
  Value bytes = select(condition, integer(16), integer(0));
  NVVM::CpAsyncOp::create(b, loc, sharedAddress, globalAddress, 16, NVVM::LoadCacheModifierKind::CG, bytes);
}

void GpuEmitter::commitCopies() { NVVM::CpAsyncCommitGroupOp::create(b, loc); }

void GpuEmitter::waitForCopies(int64_t groupsLeft) {
  NVVM::CpAsyncWaitGroupOp::create(b, loc, b.getI32IntegerAttr(groupsLeft));
}

SmallVector<Value> GpuEmitter::loadMatrices(Value sharedAddress, int64_t count, bool transposed) {
  Type word = b.getI32Type();
  Type result = count == 1 ? word : LLVM::LLVMStructType::getLiteral(b.getContext(), SmallVector<Type>(count, word));
  auto layout = transposed ? NVVM::MMALayout::col : NVVM::MMALayout::row;
  auto shape = NVVM::LdStMatrixShapeAttr::get(b.getContext(), 8, 8);
  auto element = NVVM::LdStMatrixEltTypeAttr::get(b.getContext(), NVVM::LdStMatrixEltType::B16);
  Value loaded = NVVM::LdMatrixOp::create(b, loc, result, sharedAddress, b.getI32IntegerAttr(count),
                                          NVVM::MMALayoutAttr::get(b.getContext(), layout), shape, element);
  if (count == 1)
    return {loaded};
  SmallVector<Value> words;
  for (int64_t i = 0; i < count; ++i)
    words.push_back(LLVM::ExtractValueOp::create(b, loc, loaded, i));
  return words;
}

void GpuEmitter::multiplyAccumulate(ArrayRef<Value> a, ArrayRef<Value> bMatrix, MutableArrayRef<Value> d) {
  Type f32 = b.getF32Type();
  Type result = LLVM::LLVMStructType::getLiteral(b.getContext(), {f32, f32, f32, f32});
  std::array<NVVM::MMATypes, 2> types{NVVM::MMATypes::bf16, NVVM::MMATypes::bf16};
  std::array<NVVM::MMALayout, 2> layouts{NVVM::MMALayout::row, NVVM::MMALayout::col};
  Value product = NVVM::MmaOp::create(b, loc, result, a, bMatrix, ValueRange(ArrayRef<Value>(d)),
                                      ArrayRef<int64_t>{16, 8, 16}, std::nullopt, std::nullopt, types, layouts);
  for (int64_t i = 0; i < 4; ++i)
    d[i] = LLVM::ExtractValueOp::create(b, loc, product, i);
}

//===----------------------------------------------------------------------===//
// Elementary functions
//===----------------------------------------------------------------------===//

Value GpuEmitter::intrinsic(llvm::StringRef name, Type result, ValueRange operands) {
  return LLVM::CallIntrinsicOp::create(b, loc, result, b.getStringAttr(name), operands).getResult(0);
}

static std::string overloaded(llvm::StringRef name, Value x) {
  return (name + (x.getType().isF64() ? ".f64" : ".f32")).str();
}

// The conversion to NVVM knows operations of the math dialect as calls of a library only.
Value GpuEmitter::absf(Value x) { return intrinsic(overloaded("llvm.fabs", x), x.getType(), x); }
Value GpuEmitter::roundEven(Value x) { return intrinsic(overloaded("llvm.roundeven", x), x.getType(), x); }
Value GpuEmitter::exp2(Value x) { return intrinsic("llvm.nvvm.ex2.approx.ftz.f", x.getType(), x); }
Value GpuEmitter::reciprocal(Value x) { return intrinsic("llvm.nvvm.rcp.approx.ftz.f", x.getType(), x); }
Value GpuEmitter::reciprocalSqrt(Value x) { return intrinsic("llvm.nvvm.rsqrt.approx.ftz.f", x.getType(), x); }
Value GpuEmitter::roundToBf16(Value x) {
  return arith::ExtFOp::create(b, loc, x.getType(), Value(arith::TruncFOp::create(b, loc, b.getBF16Type(), x)));
}
Value GpuEmitter::ratio(Value x, Value y) { return mulf(x, reciprocal(y)); }
