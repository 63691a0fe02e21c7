//===- LinearTiles.h - the tiles of a matrix product -----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What products with weights of any encoding have in common. The parallel loop runs over panels, so each thread reads
// its part of the weights exactly once and in order, and a panel stays in cache for all rows. The last tile has the
// rows that are left, by code for one row or an even number of them: of an odd number the last row counts twice, which
// costs less than to read the panel once more for it.
//
// A tile's sums go through memory of the thread. Kept in registers, those of a gate would stay there while the other
// product of the tile is computed, and its accumulators would not; and what follows the product is emitted once, not
// for each height.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_CPU_LINEARTILES_H
#define LOWERING_CPU_LINEARTILES_H

#include "lowering/cpu/Kernels.h"

namespace samba {

class LinearTiles {
public:
  /// Tiles of at most `tileRows` rows by a panel of `width` outputs, in vectors of `lanes`.
  LinearTiles(Emitter &e, llvm::ArrayRef<LinearPart> products, const LinearEpilogue &epilogue, int64_t width,
              int64_t lanes, int64_t tileRows);

  /// Emits the products of one part's panel with rows: `width / lanes` sums of each row.
  using Multiply = llvm::function_ref<llvm::SmallVector<mlir::Value>(const LinearPart &part, mlir::Value panel,
                                                                     llvm::ArrayRef<mlir::Value> rows)>;
  void emit(mlir::Value rows, Multiply multiply);

  /// Asks for the lines of the panel's part of one row of the result, and of the residual: many rows of a result fit no
  /// cache, and a core waits for a few stores only. To be called while the tile is multiplied, the later the better.
  void prefetch(mlir::Value row);

  /// Asks for the lines that come `kBytesAhead` behind `count` elements of a weight, which may be those of the next
  /// panel or matrix, for a tile of so many rows. Tiles of few rows only lose by it and ask for nothing: others compute
  /// for longer than their weights take to arrive, so the core is too busy to look far ahead, and the machine does so
  /// only within a page of 4 KiB.
  void askAhead(size_t rows, mlir::Value weight, mlir::ArrayRef<mlir::Value> place, int64_t count);

private:
  static constexpr int64_t kBytesAhead = 16 << 10;

  void forHeights(mlir::Value height, llvm::function_ref<void(int64_t)> body);
  void emitTile(llvm::ArrayRef<mlir::Value> rows, Multiply multiply);
  void finishTile(mlir::Value firstRow, mlir::Value rows);

  Emitter &e;
  llvm::ArrayRef<LinearPart> products;
  LinearEpilogue epilogue;
  int64_t outputs, width, lanes, tileRows;
  mlir::Value sums;  // [products, tileRows, width]
  mlir::Value block; // the number of the panel of results
};

} // namespace samba

#endif // LOWERING_CPU_LINEARTILES_H
