//===- AttentionRow.h - attention of one query ------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_CPU_ATTENTIONROW_H
#define LOWERING_CPU_ATTENTIONROW_H

#include "lowering/cpu/Kernels.h"
#include <functional>

namespace samba {

/// A score that stands for minus infinity, without its arithmetic.
constexpr double kLowest = -1e30;

/// Where the keys or values of one head lie: number `j` is at `place(j)` of `memory`, from `column` on. Of integers the
/// scale is in the four bytes at `scaleColumn`.
struct KeySource {
  std::function<llvm::SmallVector<mlir::Value>(mlir::Value j)> place;
  mlir::Value memory, column, scaleColumn = {};

  bool isQuantised() const;
  bool isNarrow() const;
  /// Elements of number `j` as f32, without the scale.
  mlir::Value load(Emitter &e, mlir::Value j, mlir::Value offset, int64_t lanes) const;
  /// The scale of number `j`: a scalar.
  mlir::Value loadScale(Emitter &e, mlir::Value j) const;
};

struct KeyRange {
  KeySource keys, values;
};

/// One head of queries: where it and its result begin in a row, and their lanes.
struct QueryHead {
  mlir::Value column, resultColumn;
  int64_t headDim = 0, valueDim = 0;
};

/// Rows of one sequence, and one of their heads.
struct QueryBlock {
  mlir::Value firstRow, count; // `count` rows from `firstRow` on
  mlir::Value segmentBegin;    // the first row of the sequence's segment
  mlir::Value carried;         // tokens of the sequence before this step
  QueryHead head;
  int64_t window = 0; // 0: all tokens
};

/// The keys that some query of the rows `firstRow .. lastRow` sees: positions `ringBegin .. ringEnd-1` in the ring
/// (none if begin >= end), then rows `rowBegin .. rowEnd-1`.
struct KeyBounds {
  mlir::Value ringBegin, ringEnd, rowBegin, rowEnd;
};
KeyBounds keysOf(Emitter &e, const QueryBlock &block, mlir::Value firstRow, mlir::Value lastRow);

/// The keys numbered `begin .. end-1` of a range; none if begin >= end.
struct SeenKeys {
  mlir::Value begin, end;
  KeyRange range;
};

/// Attention of the query in `row`, to keys in the order given: vectors run along the head. With `roundWeights` the
/// keys are gone through twice, because a weight can only be rounded once the sum of all is known.
void emitAttentionRow(Emitter &e, mlir::Value q, mlir::Value result, const QueryHead &head, mlir::Value row,
                      mlir::ArrayRef<SeenKeys> seen, bool roundWeights);

} // namespace samba

#endif // LOWERING_CPU_ATTENTIONROW_H
