//===- GpuEmitter.h - building the code of a kernel --------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The vocabulary in which the kernels of this folder are written: beside that of Arithmetic, threads and warps, global
// and shared memory, reductions, and the instructions of tensor cores. It emits gpu, nvvm and llvm operations.
//
// Memory is reached through bare pointers and element indices, with the alignment said at each access: an access of
// 16 bytes that does not say so is taken apart. An `index` has 32 bits on the device.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_GPU_GPUEMITTER_H
#define LOWERING_GPU_GPUEMITTER_H

#include "lowering/Arithmetic.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

namespace samba {

constexpr int64_t kWarp = 32;
constexpr int64_t kWidestAccess = 128; // bits
constexpr int64_t kSectorBytes = 32;   // memory is moved in

class GpuEmitter : public Arithmetic {
public:
  GpuEmitter(mlir::OpBuilder &builder, mlir::Location loc, mlir::gpu::GPUFuncOp function, int64_t threads)
      : Arithmetic(builder, loc), threads(threads), function(function) {}

  const int64_t threads; // of a block

  // ---- Where this thread is.
  Value thread();
  Value lane();
  Value warp();
  Value block(unsigned dimension = 0);
  Value blocks(unsigned dimension);
  void barrier();

  // ---- More integers.
  Value integer(int64_t value, unsigned bits = 32);
  Value toInteger(Value index, unsigned bits = 32);
  Value toIndex(Value integer);
  Value bitXor(Value x, Value y);
  Value bitXor(Value x, int64_t y) { return bitXor(x, index(y)); }
  Value bitAnd(Value x, int64_t y);
  Value shiftRight(Value x, int64_t bits); // unsigned
  Value both(Value x, Value y);            // of conditions
  Value select(Value condition, Value x, Value y);
  /// What one of two pieces of code computes.
  Value choose(Value condition, llvm::function_ref<Value()> then, llvm::function_ref<Value()> otherwise);

  // ---- Memory. `pointer` is a !llvm.ptr in any address space.
  Value address(Value pointer, mlir::Type element, Value index);
  Value address(Value pointer, mlir::Type element, int64_t index) {
    return address(pointer, element, this->index(index));
  }
  /// Bytes of shared memory, 16-byte aligned.
  Value shared(int64_t bytes);
  /// The shared memory that the launch gives the kernel, aligned to 1024 bytes.
  Value dynamicShared();
  /// A table of f64 in global memory.
  Value constants(mlir::ArrayRef<double> values);
  /// Any type, as it lies in memory.
  Value loadRaw(Value pointer, mlir::Type type, int64_t alignment);
  void storeRaw(Value value, Value pointer, int64_t alignment);
  /// `lanes` neighbouring elements, widened to f32. They are aligned to their size together, or to 16
  /// bytes if they have more.
  mlir::SmallVector<Value> load(Value pointer, mlir::Type element, Value index, int64_t lanes);
  Value load(Value pointer, mlir::Type element, Value index) { return load(pointer, element, index, 1)[0]; }
  /// The reverse; narrower elements are rounded.
  void store(mlir::ValueRange values, Value pointer, mlir::Type element, Value index);
  /// An i32 or i64 element as an index.
  Value loadIndex(Value pointer, unsigned bits, Value index);
  /// Two f32 as a pair of bf16 in an i32, the first in the low half.
  Value packPair(Value low, Value high);
  /// The f32 pair of an i32.
  std::pair<Value, Value> unpackPair(Value pair);

  // ---- Among threads.
  Value shuffleXor(Value value, int64_t mask);
  /// Of the lane `distance` before; the first lanes get their own.
  Value shuffleUp(Value value, int64_t distance);
  Value shuffleFrom(Value value, Value lane);
  /// Sum or maximum over groups of `lanes` neighbouring threads; all of them get it. `lanes` is a power of two.
  Value warpSum(Value value, int64_t lanes = kWarp);
  Value warpMaximum(Value value, int64_t lanes = kWarp);
  /// Sum over all threads of the block, which all of them get.
  Value blockSum(Value value);

  // ---- Copies from global to shared memory that go on while the thread does; both sides aligned to 16 bytes.
  void copyAsync(Value sharedAddress, Value globalAddress);
  /// Zeros instead if the condition does not hold.
  void copyAsyncIf(Value condition, Value sharedAddress, Value globalAddress);
  void commitCopies();
  void waitForCopies(int64_t groupsLeft);

  // ---- Tensor cores: 8x8 pieces of bf16 matrices, and d = a b + d for a of 16x16, b of 16x8.
  mlir::SmallVector<Value> loadMatrices(Value sharedAddress, int64_t count, bool transposed = false);
  void multiplyAccumulate(mlir::ArrayRef<Value> a, mlir::ArrayRef<Value> b, mlir::MutableArrayRef<Value> d);

  // ---- Faster than those of Arithmetic, with the errors of the device's own instructions (docs/numerics.md).
  Value absf(Value x) override;
  Value roundEven(Value x) override;
  Value exp2(Value x) override;
  Value ratio(Value x, Value y) override;
  Value reciprocal(Value x);
  Value reciprocalSqrt(Value x);
  /// To the nearest bf16, as f32.
  Value roundToBf16(Value x);

  /// Calls an intrinsic of LLVM.
  Value intrinsic(llvm::StringRef name, mlir::Type result, mlir::ValueRange operands);

private:
  mlir::gpu::GPUFuncOp function;
  int64_t sharedBuffers = 0;
};

} // namespace samba

#endif // LOWERING_GPU_GPUEMITTER_H
