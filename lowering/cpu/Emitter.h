//===- Emitter.h - building vector code over memory --------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The vocabulary in which the kernels of this folder are written: index arithmetic, strips of lanes, loads and stores
// that widen and narrow, and the elementary functions. It emits scf, memref, vector, arith and math operations at
// the insertion point of `b`.
//
// Widths are static and rarely a multiple of the vector length. The tail of a row is therefore handled by a shorter
// vector of exactly the lanes that are left, chosen at compile time: no masks and no padding.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_CPU_EMITTER_H
#define LOWERING_CPU_EMITTER_H

#include "lowering/cpu/Target.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace samba {

/// exp(x) = 2^(x log2 e): what is exponentiated often is scaled by it once.
constexpr double kLog2E = 1.44269504088896340736;

class Emitter {
public:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;

  Emitter(mlir::OpBuilder &builder, mlir::Location loc, const CpuTarget &target)
      : b(builder), loc(loc), target(target) {}

  mlir::OpBuilder &b;
  mlir::Location loc;
  const CpuTarget &target;
  /// What the parallel loops emitted from now on compute, for profiles: becomes their attribute `samba.loop`.
  mlir::DictionaryAttr loopInfo;

  // ---- Integers: everything is `index`.
  Value index(int64_t value);
  Value add(Value x, Value y);
  Value add(Value x, int64_t y) { return y == 0 ? x : add(x, index(y)); }
  Value sub(Value x, Value y);
  Value mul(Value x, int64_t y) { return y == 1 ? x : mul(x, index(y)); }
  Value mul(Value x, Value y);
  Value divFloor(Value x, int64_t y);  // unsigned
  Value remainder(Value x, int64_t y); // unsigned
  Value minimum(Value x, Value y);     // signed
  Value maximum(Value x, Value y);     // signed
  Value less(Value x, Value y);        // signed
  Value equal(Value x, Value y);
  /// An integer element of a memref, as an index.
  Value loadIndex(Value memref, ValueRange indices);
  /// The dynamic first size of a memref.
  Value rows(Value memref);

  // ---- Control.
  using Body = llvm::function_ref<void(Value)>;
  using CarriedBody = llvm::function_ref<mlir::SmallVector<Value>(Value, ValueRange)>;
  void loop(Value lower, Value upper, int64_t step, Body body);
  /// A loop with carried values; the body returns the next ones.
  mlir::SmallVector<Value> loop(Value lower, Value upper, int64_t step, ValueRange initial, CarriedBody body);
  void when(Value condition, llvm::function_ref<void()> then);
  void whenElse(Value condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise);
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
  Value scalar(double value);
  Value splat(double value, int64_t lanes);
  Value broadcast(Value scalar, int64_t lanes);
  /// Loads; elements narrower than f32 are widened exactly.
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
  /// Elements as they lie in memory, not widened.
  Value loadRaw(Value memref, ValueRange indices, int64_t lanes);
  Value insert(Value scalar, Value vector, int64_t lane);
  Value sum(Value vector);
  Value largest(Value vector);

  Value addf(Value x, Value y);
  Value subf(Value x, Value y);
  Value mulf(Value x, Value y);
  Value divf(Value x, Value y);
  Value fma(Value x, Value y, Value z); // x y + z
  Value negf(Value x);
  Value maxf(Value x, Value y); // x if x > y, else y: also where x is no number

  // ---- Elementary functions on f32 scalars or vectors (VectorMath.cpp).
  Value sqrt(Value x);
  Value exp2(Value x);     // relative error 2.6e-7; clamped to [2^-126, 2^127]
  Value exp(Value x);      // exp2(x log2 e)
  Value silu(Value x);     // x / (1 + exp(-x))
  Value softplus(Value x); // max(x, 0) + log1p(exp(-|x|))
  /// Cosine and sine of f64 angles up to about 1e9, reduced and evaluated in f64 and rounded to f32.
  std::pair<Value, Value> cosSin(Value angle);

  /// Constant of the type of `like` (scalar or vector, f32 or f64).
  Value constantLike(Value like, double value);

  // ---- Memory.
  /// A dense memref over a bare pointer. Only the first size may be dynamic; it is `rows` then.
  Value memrefAt(Value pointer, mlir::MemRefType type, Value rows = {});
  /// A field of a struct of the C contract: `offset` bytes from `pointer`.
  Value loadField(Value pointer, size_t offset, mlir::Type type);
  Value pointerAdd(Value pointer, Value bytes);
};

} // namespace samba

#endif // LOWERING_CPU_EMITTER_H
