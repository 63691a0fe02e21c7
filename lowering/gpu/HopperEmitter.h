//===- HopperEmitter.h - instructions of sm_90a ------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What kernels for sm_90a add to the vocabulary of GpuEmitter: barriers in shared memory that count arrivals and bytes,
// the copy engine, and products of whole warpgroups (four warps), whose operands lie in shared memory.
//
// Tiles of bf16 in shared memory have rows of 128 bytes; the 16-byte chunk c of row r lies at place c xor (r mod 8).
// They begin at multiples of 1024 bytes. That is what the copy engine writes and the products read.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_GPU_HOPPEREMITTER_H
#define LOWERING_GPU_HOPPEREMITTER_H

#include "lowering/gpu/GpuEmitter.h"

namespace samba {

constexpr int64_t kWarpgroup = 128;                           // threads
constexpr int64_t kTileRowBytes = 128, kTileAlignment = 1024; // of tiles in shared memory
constexpr int64_t kTileColumns = kTileRowBytes / 2;           // bf16
constexpr int64_t kBarrierBytes = 8, kProductRows = 64, kProductDepth = 16;

class HopperEmitter {
public:
  using Value = mlir::Value;

  explicit HopperEmitter(GpuEmitter &e) : e(e) {}

  // ---- Barriers: a phase ends when all arrivals and all expected bytes are there. Phases alternate in parity; the one
  // before the first has parity 1 and has ended.
  void initialise(Value barrier, int64_t arrivals);
  /// After the initialisation: all threads and the copy engine may use the barriers.
  void publishBarriers();
  void arrive(Value barrier);
  void arriveExpecting(Value barrier, int64_t bytes);
  /// Until the phase of that parity (an index) has ended.
  void wait(Value barrier, Value parity);
  /// Of a ring of stages with a barrier each: the one after this, and the parity of its phase.
  std::pair<Value, Value> nextStage(Value stage, Value parity, int64_t stages);

  // ---- The copy engine: a box of a matrix, from this column and row on. The barrier gets its bytes.
  void copyBox(Value to, Value map, Value column, Value row, Value barrier);
  /// Bytes as they lie in global memory; their number and both addresses are multiples of 16.
  void copyBytes(Value to, Value from, int64_t bytes, Value barrier);
  /// What this thread has written to shared memory may be read by products, once a barrier says that it is there.
  void publishShared();

  // ---- Products of a warpgroup: sums += a b, of 64 rows and 2 * sums.size() columns; both matrices have their inputs
  // side by side. They go on while the thread does, in the order of issue. A thread holds the same places of the
  // sums as of mma.sync: [columns / 8][4].
  /// The matrix that begins in this tile. With `transposed` the columns lie side by side, and the next 64 of them are
  /// in the tile `next` bytes further on.
  Value describe(Value tile, int64_t next = 0);
  Value advance(Value descriptor, int64_t bytes);
  Value advance(Value descriptor, Value bytes);
  /// The compiler writes these registers before what follows.
  void settle(mlir::MutableArrayRef<Value> values);
  /// These have been written, and products take them.
  void publishRegisters(mlir::MutableArrayRef<Value> values);
  void multiply(mlir::MutableArrayRef<Value> sums, Value a, Value b);
  /// The first operand from registers, as that of mma.sync.
  void multiply(mlir::MutableArrayRef<Value> sums, mlir::ArrayRef<Value> a, Value b) { multiply(sums, a, b, false); }
  /// The same with the second transposed.
  void multiplyTransposed(mlir::MutableArrayRef<Value> sums, mlir::ArrayRef<Value> a, Value b);
  void commit();
  /// Until all but the last groups are done.
  void waitForProducts(int64_t groupsLeft);
  /// Until all are done; only then the sums may be read, and the registers of first operands be used for something else.
  void waitForProducts(mlir::MutableArrayRef<Value> sums, mlir::MutableArrayRef<Value> operands = {});

private:
  void multiply(mlir::MutableArrayRef<Value> sums, mlir::ArrayRef<Value> a, Value b, bool transposed);

  GpuEmitter &e;
};

} // namespace samba

#endif // LOWERING_GPU_HOPPEREMITTER_H
