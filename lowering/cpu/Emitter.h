//===- Emitter.h - building vector code over memory --------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The vocabulary in which the kernels of this folder are written: beside that of Arithmetic, strips of lanes, loads and
// stores that widen and narrow, parallel loops.
//
// Widths are static and rarely a multiple of the vector length. The tail of a row is therefore handled by a shorter
// vector of exactly the lanes that are left, chosen at compile time: no masks and no padding.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_CPU_EMITTER_H
#define LOWERING_CPU_EMITTER_H

#include "lowering/Arithmetic.h"
#include "lowering/cpu/Target.h"

namespace samba {

class Emitter : public Arithmetic {
public:
  Emitter(mlir::OpBuilder &builder, mlir::Location loc, const CpuTarget &target)
      : Arithmetic(builder, loc), target(target) {}

  const CpuTarget &target;
  /// What the parallel loops emitted from now on compute, for profiles: becomes their attribute `samba.loop`.
  mlir::DictionaryAttr loopInfo;

  /// An integer element of a memref, as an index.
  Value loadIndex(Value memref, ValueRange indices);
  /// The dynamic first size of a memref.
  Value rows(Value memref);

  /// A parallel loop over all index tuples below `sizes`. A barrier follows it.
  void parallel(mlir::ArrayRef<Value> sizes, llvm::function_ref<void(ValueRange)> body);

  // ---- Strips. `lanes` is always a compile-time count.
  using StripBody = llvm::function_ref<void(Value column, int64_t lanes)>;
  /// Covers the columns [0, width) with strips of `lanes` and a shorter tail: a loop.
  void strips(int64_t width, int64_t lanes, StripBody body);
  /// The strip number `block` of [0, width): the body is emitted once, or twice if the last strip is shorter.
  void strip(Value block, int64_t width, int64_t lanes, StripBody body);
  /// The strips of [0, width) as (first column, lanes), for full unrolling.
  static mlir::SmallVector<std::pair<int64_t, int64_t>> stripList(int64_t width, int64_t lanes);

  // ---- Values: f32 scalars and vectors of f32.
  mlir::VectorType vectorType(int64_t lanes);
  Value splat(double value, int64_t lanes);
  Value broadcast(Value scalar, int64_t lanes);
  /// Loads; elements narrower than f32, signed integers too, are widened exactly.
  Value load(Value memref, ValueRange indices, int64_t lanes);
  Value loadScalar(Value memref, ValueRange indices);
  /// Stores; where the memref's elements are narrower than f32 the values are rounded.
  void store(Value vector, Value memref, ValueRange indices);
  void storeScalar(Value scalar, Value memref, ValueRange indices);
  /// The first `lanes` lanes.
  Value head(Value vector, int64_t lanes);
  Value extract(Value vector, int64_t lane);
  /// The same bits as elements of another type.
  Value bitcast(Value vector, mlir::Type element);
  /// Asks for the line of an element; `level` of the cache, 1 or 2.
  void prefetch(Value memref, ValueRange indices, bool write = false, int level = 1);
  /// Elements as they lie in memory, not widened.
  Value loadRaw(Value memref, ValueRange indices, int64_t lanes);
  Value insert(Value scalar, Value vector, int64_t lane);
  Value sum(Value vector);
  Value largest(Value vector);

  // ---- Powers of two (Powers.cpp).
  /// Whole vectors with a table in registers, if the target has such tables.
  Value exp2(Value x) override;
  /// 2^x y + z, for x below 128.
  Value scaleAdd(Value x, Value y, Value z);

  /// Rounds an f32 scalar or vector to bf16.
  Value narrowToBf16(Value x);
  /// The same and back.
  Value roundToBf16(Value x);

  // ---- Memory.
  /// Memory of the thread, on its stack for as long as the function runs: allocated at its start, not in a loop.
  Value threadMemory(mlir::MemRefType type);
  /// A dense memref over a bare pointer. Only the first size may be dynamic; it is `rows` then.
  Value memrefAt(Value pointer, mlir::MemRefType type, Value rows = {});
  /// A field of a struct of the C contract: `offset` bytes from `pointer`.
  Value loadField(Value pointer, size_t offset, mlir::Type type);
  Value pointerAdd(Value pointer, Value bytes);
};

} // namespace samba

#endif // LOWERING_CPU_EMITTER_H
