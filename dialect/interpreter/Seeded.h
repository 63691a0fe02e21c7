//===- Seeded.h - inputs and weights made from a seed -----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// To run a function without a checkpoint or to compare two versions of it. The same seed gives the same bits
// everywhere: the generator is our own and uses no function of the mathematical library but the square root, which is
// exact to the last bit.
//
//===----------------------------------------------------------------------===//

#ifndef DIALECT_INTERPRETER_SEEDED_H
#define DIALECT_INTERPRETER_SEEDED_H

#include "dialect/Samba.h"
#include "dialect/WeightSource.h"
#include "dialect/interpreter/Tensor.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/StringMap.h"
#include <mutex>

namespace samba::reference {

/// The splitmix64 generator.
class Random {
public:
  explicit Random(uint64_t seed) : state(seed) {}
  uint64_t next();
  /// Uniform in 0 .. bound-1; `bound` is positive.
  int64_t below(int64_t bound);
  /// Close to normal, mean 0 and variance 1, within -6 .. 6: the sum of twelve uniform numbers.
  double normal();

private:
  uint64_t state;
};

/// What `rows` of operations are.
enum class SelectedRows {
  Last, // of each sequence that has tokens
  All,  // in their order
  Any   // some, in any order, perhaps none, perhaps one several times
};

/// One value for each argument of `function`, for sequences of the given numbers of tokens: what an argument is follows
/// from its type and from the operations that use it, through calls and kernels. Tokens lie in their table, positions
/// are at most 255 and respect the capacity of states, states are random. All numbers are exact in f32. A dynamic size
/// is the number of tokens (in `segments` and `positions` that of sequences).
template <class F>
llvm::Expected<std::vector<Value<F>>> seededInputs(mlir::func::FuncOp function, llvm::ArrayRef<int64_t> lengths,
                                                   uint64_t seed, SelectedRows selected = SelectedRows::Last);

/// Weights for every `samba.weight` of a module, in f32: normal numbers scaled by 1/sqrt(last size), those of a norm
/// near 1, A of a scan negative. A weight's values depend on the seed, its source and its use, not on other weights.
/// They are made when first looked up, and kept. The module must not change meanwhile.
class SeededWeights : public WeightSource {
public:
  SeededWeights(mlir::ModuleOp module, uint64_t seed);
  llvm::Expected<TensorView> lookup(llvm::StringRef name) const override;

private:
  struct Entry {
    Shape shape;
    int fill;
    std::vector<float> values;
  };

  uint64_t seed;
  mutable std::mutex mutex;
  mutable llvm::StringMap<Entry> entries;
};

} // namespace samba::reference

#endif // DIALECT_INTERPRETER_SEEDED_H
