//===- Arithmetic.h - building scalar and loop code ----------- -*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the kernels of all targets are written in: index arithmetic, loops and conditions, floating-point arithmetic and
// the elementary functions, on scalars or vectors alike. It emits scf, arith and math operations at the insertion point
// of `b`. What depends on the target (memory, parallelism, vectors) stands in the emitters that derive from it.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_ARITHMETIC_H
#define LOWERING_ARITHMETIC_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace samba {

/// exp(x) = 2^(x log2 e): what is exponentiated often is scaled by it once.
constexpr double kLog2E = 1.44269504088896340736;

class Arithmetic {
public:
  using Value = mlir::Value;
  using ValueRange = mlir::ValueRange;

  Arithmetic(mlir::OpBuilder &builder, mlir::Location loc) : b(builder), loc(loc) {}
  virtual ~Arithmetic() = default;

  mlir::OpBuilder &b;
  mlir::Location loc;

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

  // ---- Control.
  using Body = llvm::function_ref<void(Value)>;
  using CarriedBody = llvm::function_ref<mlir::SmallVector<Value>(Value, ValueRange)>;
  void loop(Value lower, Value upper, int64_t step, Body body);
  /// A loop with carried values; the body returns the next ones.
  mlir::SmallVector<Value> loop(Value lower, Value upper, int64_t step, ValueRange initial, CarriedBody body);
  /// A null condition holds always.
  void when(Value condition, llvm::function_ref<void()> then);
  void whenElse(Value condition, llvm::function_ref<void()> then, llvm::function_ref<void()> otherwise);

  // ---- Floating point.
  Value scalar(double value); // f32
  Value addf(Value x, Value y);
  Value subf(Value x, Value y);
  Value mulf(Value x, Value y);
  Value divf(Value x, Value y);
  Value fma(Value x, Value y, Value z); // x y + z
  Value negf(Value x);
  Value maxf(Value x, Value y); // x if x > y, else y: also where x is no number
  virtual Value absf(Value x);
  virtual Value roundEven(Value x); // to the nearest integer
  /// Constant of the type of `like` (scalar or vector, f32 or f64).
  Value constantLike(Value like, double value);

  // ---- Elementary functions on f32 scalars or vectors (ElementaryFunctions.cpp).
  Value sqrt(Value x);
  virtual Value exp2(Value x);                    // here: relative error 2.6e-7; clamped to [2^-126, 2^127]
  virtual Value ratio(Value x, Value y);          // x / y; a target may have a faster one than divf
  Value exp(Value x);                             // exp2(x log2 e)
  Value silu(Value x);                            // x / (1 + exp(-x))
  Value softplus(Value x, bool plainLog = false); // max(x, 0) + log1p(exp(-|x|)); `plainLog`: of what 1 + exp keeps
  /// Cosine and sine of f64 angles up to about 1e9, reduced and evaluated in f64 and rounded to f32.
  std::pair<Value, Value> cosSin(Value angle);
};

} // namespace samba

#endif // LOWERING_ARITHMETIC_H
