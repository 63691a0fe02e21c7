//===- AttentionTile.h - attention by tiles ------------------- -*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What kernels of attention on tensor cores share: a warp has 16 tokens of one
// sequence and one query head, and goes through keys in tiles of 64 with an
// online softmax. A thread has the places of mma.sync: of results two
// neighbouring columns of a row and of the row eight below, for each eight
// columns.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_GPU_ATTENTIONTILE_H
#define LOWERING_GPU_ATTENTIONTILE_H

#include "lowering/gpu/AttentionKeys.h"

namespace samba {

class AttentionTile {
public:
  using Value = mlir::Value;

  AttentionTile(GpuEmitter &e, const AttentionOperands &a, const AttentionArguments &places, mlir::ValueRange arguments)
      : e(e), a(a), places(places), arguments(arguments), headDim(a.headDim()), valueDim(a.valueDim()),
        slots(a.keys.type.getShape()[1]), f32(e.b.getF32Type()) {}

  static constexpr int64_t kKeys = 64,
                           kChunk = 8; // keys of a tile, elements in 16 bytes

protected:
  struct State {
    mlir::SmallVector<Value> sums;           // of values, [valueDim / 8][4]
    mlir::SmallVector<Value> largest, total; // of the two rows of a thread
  };
  State start();
  mlir::SmallVector<Value> flatten(const State &state);
  State unflatten(mlir::ValueRange values);

  /// The block's tokens are those from `first` to `last`, its keys those from
  /// `begin` on, which is in `slot` of the ring if it is older. All count from
  /// the first token of the step.
  struct Range {
    Value first, last, begin, slot;
  };
  Range rangeOf(Sequence &sequence, Value first, Value length, int64_t tokens);
  Value keyHead();
  Value valueHead();

  /// This thread's rows of the warp's 16: one of the first eight, and the one
  /// eight below.
  Value ownToken(Value first, int64_t half);
  /// As the first operand of products, scaled for scores to the base 2: four
  /// words for each 16 lanes of the head.
  mlir::SmallVector<mlir::SmallVector<Value>> loadQueries(Sequence &sequence, const Range &range);
  /// Copies keys or values of a tile to shared memory as bf16. Of `threads`
  /// threads this is number `thread`; `placeOf` says where a chunk of a row of
  /// `lanes` lies.
  using PlaceOf = llvm::function_ref<Value(Value row, Value chunk, int64_t lanes)>;
  void copyTile(Sequence &sequence, const Range &range, Value tile, Value thread, int64_t threads, Value keysInShared,
                Value valuesInShared, PlaceOf placeOf);
  /// A token sees the keys up to its own, and of those the last `slots`.
  mlir::SmallVector<Value> maskEdges(mlir::ArrayRef<Value> scores, const Range &range, Value tile);
  /// The weights of the scores; what was summed before is scaled to them.
  mlir::SmallVector<Value> softmax(State &state, mlir::ArrayRef<Value> scores);
  /// Weights of 16 keys as the first operand of a product.
  mlir::SmallVector<Value> operandOf(mlir::ArrayRef<Value> weights, int64_t step);
  void store(const State &state, Sequence &sequence, Value first, Value length);

  GpuEmitter &e;
  const AttentionOperands &a;
  const AttentionArguments &places;
  mlir::ValueRange arguments;
  int64_t headDim, valueDim, slots;
  mlir::Type f32;
};

} // namespace samba

#endif // LOWERING_GPU_ATTENTIONTILE_H
