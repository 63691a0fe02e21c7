//===- AttentionKeys.h - where the keys of a query lie -----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_GPU_ATTENTIONKEYS_H
#define LOWERING_GPU_ATTENTIONKEYS_H

#include "lowering/gpu/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

namespace samba {

/// All that the code of an attention depends on.
std::string describe(const AttentionOperands &attention);

/// The arguments of an attention's kernels.
struct AttentionArguments {
  explicit AttentionArguments(const AttentionOperands &attention);
  std::vector<LaunchArgument> list;
  // Those that are absent have no place.
  size_t q = 0, k = 0, v = 0, result = 0, segments = 0, positions = 0, states = 0, keys = 0, values = 0, table = 0,
         rows = 0;
};

/// One sequence of the step, as a kernel sees it. Tokens are counted from the first of the step.
struct Sequence {
  using Value = mlir::Value;

  Sequence(GpuEmitter &e, const AttentionArguments &places, mlir::ValueRange arguments, Value sequence);

  /// The slot of the ring for a token.
  Value slotOf(Value token, int64_t slots);
  /// How many keys of earlier steps a token sees.
  Value olderKeys(Value token, int64_t slots, bool windowed);
  /// The slot of the oldest of them.
  Value firstSlot(Value older, int64_t slots);

  Value start, end;   // rows of the step
  Value position;     // i64: tokens of earlier steps
  Value keys, values; // the rings, [G, W, P] and [Gv, W, V]

private:
  GpuEmitter &e;
};

/// AttentionTensor.cpp: on tensor cores, in bf16, for steps of many tokens.
bool fitsAttentionTensor(const StepBuilder &s, const AttentionOperands &attention);
void launchAttentionTensor(StepBuilder &s, const AttentionOperands &attention);

/// AttentionHopper.cpp: the same on sm_90a.
bool fitsAttentionHopper(const StepBuilder &s, const AttentionOperands &attention);
void launchAttentionHopper(StepBuilder &s, const AttentionOperands &attention);

/// AttentionRows.cpp: a block for each token and key head; all that an attention can be.
void launchAttentionRows(StepBuilder &s, const AttentionOperands &attention);
/// How many blocks share a ring. If there are several, AttentionMerge.cpp takes the norm of differences over.
int64_t splitsOfAttention(const StepBuilder &s, const AttentionOperands &attention);

/// AttentionMerge.cpp: what the blocks that share a ring leave of a sequence, in f32. First the weighted values,
/// `[query head, split, lane]`, then pairs of the largest score and the sum of the weights, `[query head, split]`.
struct SplitAttention {
  SplitAttention(const AttentionOperands &a, int64_t splits)
      : splits(splits), valueDim(a.valueDim()), heads(a.q.width / a.headDim()) {}
  int64_t splits, valueDim, heads;
  int64_t scalars() const { return heads * splits * valueDim; } // where the pairs begin
  int64_t width() const { return llvm::alignTo(scalars() + heads * splits * 2, 4); }
};
void launchAttentionMerge(StepBuilder &s, const AttentionOperands &attention, int64_t splits, const Matrix &parts);

} // namespace samba

#endif // LOWERING_GPU_ATTENTIONKEYS_H
