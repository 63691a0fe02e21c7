//===- HopperEmitter.cpp - instructions of sm_90a -------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/HopperEmitter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace samba;

//===----------------------------------------------------------------------===//
// Barriers
//===----------------------------------------------------------------------===//

void HopperEmitter::initialise(Value barrier, int64_t arrivals) {
  NVVM::MBarrierInitOp::create(e.b, e.loc, barrier, e.integer(arrivals), Value());
}

void HopperEmitter::publishBarriers() {
  NVVM::FenceMbarrierInitOp::create(e.b, e.loc);
  e.barrier();
}

void HopperEmitter::arrive(Value barrier) {
  NVVM::MBarrierArriveOp::create(e.b, e.loc, e.b.getI64Type(), barrier, Value());
}

void HopperEmitter::arriveExpecting(Value barrier, int64_t bytes) {
  NVVM::MBarrierArriveExpectTxOp::create(e.b, e.loc, Type(), barrier, e.integer(bytes), NVVM::MemScopeKind::CTA,
                                         /*relaxed=*/false, Value());
}

void HopperEmitter::wait(Value barrier, Value parity) {
  constexpr int64_t kNanoseconds = 10000; // of sleep before another look, at most
  NVVM::MBarrierTryWaitParityOp::create(e.b, e.loc, barrier, e.toInteger(parity), e.integer(kNanoseconds));
}

std::pair<Value, Value> HopperEmitter::nextStage(Value stage, Value parity, int64_t stages) {
  Value following = e.add(stage, 1), wraps = e.equal(following, e.index(stages));
  return {e.select(wraps, e.index(0), following), e.select(wraps, e.bitXor(parity, 1), parity)};
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

/// Shared memory as the copy engine wants it: that of a cluster, here of one block.
static Value inCluster(GpuEmitter &e, Value pointer) {
  constexpr unsigned kClusterSpace = 7;
  auto cluster = LLVM::LLVMPointerType::get(e.b.getContext(), kClusterSpace);
  return LLVM::AddrSpaceCastOp::create(e.b, e.loc, cluster, pointer);
}

void HopperEmitter::copyBox(Value to, Value map, Value column, Value row, Value barrier) {
  NVVM::CpAsyncBulkTensorGlobalToSharedClusterOp::create(
      e.b, e.loc, inCluster(e, to), map, ValueRange{e.toInteger(column), e.toInteger(row)}, barrier, ValueRange(),
      Value(), Value(), NVVM::TMALoadMode::TILE, /*isCTAOnly=*/false, NVVM::CTAGroupKindAttr(), Value());
}

void HopperEmitter::copyBytes(Value to, Value from, int64_t bytes, Value barrier) {
  NVVM::CpAsyncBulkGlobalToSharedClusterOp::create(e.b, e.loc, inCluster(e, to), from, barrier, e.integer(bytes),
                                                   Value(), Value());
}

void HopperEmitter::publishShared() {
  auto space = NVVM::SharedSpaceAttr::get(e.b.getContext(), NVVM::SharedSpace::shared_cta);
  NVVM::FenceProxyOp::create(e.b, e.loc, NVVM::ProxyKind::async_shared, space);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

// Bits 0 to 13: where it begins. 16 to 29: from tile to tile of a transposed matrix. 32 to 45: from eight rows to the
// next eight. 62 and 63: how chunks are permuted. All in units of 16 bytes.
Value HopperEmitter::describe(Value tile, int64_t next) {
  constexpr uint64_t kPermuted = uint64_t(1) << 62, kEightRows = 8 * kTileRowBytes / 16, kUnused = 1;
  uint64_t leading = next ? uint64_t(next) / 16 : kUnused;
  Type word = e.b.getI32Type(), wide = e.b.getI64Type();
  Value address = LLVM::PtrToIntOp::create(e.b, e.loc, word, tile);
  Value start = arith::ShRUIOp::create(e.b, e.loc, address, e.integer(4));
  Value low = arith::ExtUIOp::create(e.b, e.loc, wide, start);
  return arith::OrIOp::create(e.b, e.loc, low, e.integer(int64_t(kPermuted | kEightRows << 32 | leading << 16), 64));
}

Value HopperEmitter::advance(Value descriptor, int64_t bytes) {
  return bytes == 0 ? descriptor : arith::AddIOp::create(e.b, e.loc, descriptor, e.integer(bytes / 16, 64));
}

Value HopperEmitter::advance(Value descriptor, Value bytes) {
  Value units = e.toInteger(e.shiftRight(bytes, 4), 32);
  Value wide = arith::ExtUIOp::create(e.b, e.loc, e.b.getI64Type(), units);
  return arith::AddIOp::create(e.b, e.loc, descriptor, wide);
}

void HopperEmitter::commit() { NVVM::WgmmaGroupSyncAlignedOp::create(e.b, e.loc); }

void HopperEmitter::waitForProducts(int64_t groupsLeft) { NVVM::WgmmaWaitGroupSyncOp::create(e.b, e.loc, groupsLeft); }

/// Inline PTX that changes values in their registers.
static void changeInPlace(GpuEmitter &e, MutableArrayRef<Value> values, llvm::StringRef ptx,
                          ArrayRef<Value> operands = {}, llvm::StringRef kinds = "") {
  std::string results, same;
  SmallVector<Type> types;
  for (size_t i = 0; i < values.size(); ++i) {
    results += values[i].getType().isF32() ? "=f," : "=r,";
    same += std::to_string(i) + ",";
    types.push_back(values[i].getType());
  }
  SmallVector<Value> all(values);
  llvm::append_range(all, operands);
  std::string constraints = results + same + kinds.str();
  auto changed = LLVM::InlineAsmOp::create(e.b, e.loc, LLVM::LLVMStructType::getLiteral(e.b.getContext(), types), all,
                                           ptx, llvm::StringRef(constraints).rtrim(','), /*has_side_effects=*/true,
                                           /*is_align_stack=*/false, LLVM::tailcallkind::TailCallKind::None,
                                           LLVM::AsmDialectAttr(), ArrayAttr());
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = LLVM::ExtractValueOp::create(e.b, e.loc, changed.getResult(0), i);
}

// To the compiler they change once more here, so that it writes none of them later.
void HopperEmitter::settle(MutableArrayRef<Value> values) { changeInPlace(e, values, ""); }

void HopperEmitter::publishRegisters(MutableArrayRef<Value> values) {
  settle(values);
  NVVM::WgmmaFenceAlignedOp::create(e.b, e.loc);
}

// The compiler does not know that the sums change until the wait, nor that operands are read until then: to it, they
// change behind it.
void HopperEmitter::waitForProducts(MutableArrayRef<Value> sums, MutableArrayRef<Value> operands) {
  waitForProducts(0);
  changeInPlace(e, sums, "");
  if (!operands.empty())
    changeInPlace(e, operands, "");
}

void HopperEmitter::multiply(MutableArrayRef<Value> sums, Value a, Value b) { multiply(sums, ArrayRef(a), b, false); }

void HopperEmitter::multiplyTransposed(MutableArrayRef<Value> sums, ArrayRef<Value> a, Value b) {
  multiply(sums, a, b, true);
}

// nvvm.wgmma.mma_async takes the first operand from shared memory only.
void HopperEmitter::multiply(MutableArrayRef<Value> sums, ArrayRef<Value> a, Value b, bool transposed) {
  size_t next = 2 * sums.size();
  auto list = [&](size_t first, size_t count) {
    std::string text = "{";
    for (size_t i = 0; i < count; ++i)
      text += (i ? ", $" : "$") + std::to_string(first + i);
    return text + "}";
  };
  bool inRegisters = a.size() > 1;
  std::string first = inRegisters ? list(next, a.size()) : "$" + std::to_string(next);
  // Whether to add; signs; which operands are transposed, of those in shared memory.
  std::string ptx = llvm::formatv("{{ .reg .pred p; setp.ne.b32 p, 1, 0; "
                                  "wgmma.mma_async.sync.aligned.m64n{0}k16.f32.bf16.bf16 {1}, {2}, ${3}, p, 1, 1{4}, "
                                  "{5}; }",
                                  sums.size() * 2, list(0, sums.size()), first, next + a.size(),
                                  inRegisters ? "" : ", 0", int(transposed));
  SmallVector<Value> operands(a);
  operands.push_back(b);
  changeInPlace(e, sums, ptx, operands, inRegisters ? "r,r,r,r,l" : "l,l");
}
