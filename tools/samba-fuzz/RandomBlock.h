//===- RandomBlock.h - random functions in samba IR -------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_FUZZ_RANDOMBLOCK_H
#define TOOLS_SAMBA_FUZZ_RANDOMBLOCK_H

#include "dialect/Samba.h"
#include "dialect/interpreter/Seeded.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace samba {

/// Which tokens a function has rows of.
enum class BlockRows {
  All,
  Selecting, // of all at first, of the selected ones in the end
  Selected
};

struct RandomBlock {
  /// The arguments are x, segments, positions, the rotary table, rows and depth (kFirstWeight of them), then weights
  /// and states in the order in which operations ask for them. The results are rows, and the states in that order.
  mlir::func::FuncOp function;
  BlockRows rows = BlockRows::All;
  static constexpr unsigned kFirstWeight = 6;

  struct Ring {
    size_t key;    // which of the states; the values are the next
    bool borrowed; // read only; may be those that another function has written
  };
  llvm::SmallVector<Ring> rings; // of whole contexts
};

/// The shapes of rings of whole contexts that functions before this one have.
using RingTypes = llvm::SmallVector<std::pair<StateType, StateType>>;

struct BlockShape {
  int64_t width, headDim;
  bool wide; // some weights at least as large as quantisation asks for
};

/// A private function: rows of the model's width to rows of that width. Adds its rings to `rings`.
RandomBlock randomBlock(mlir::OpBuilder &builder, reference::Random &random, llvm::StringRef name,
                        const BlockShape &shape, BlockRows rows, RingTypes &rings);

/// A public function of one operation. All that it takes but weights are arguments.
void randomOperation(mlir::OpBuilder &builder, reference::Random &random, llvm::StringRef name,
                     const BlockShape &shape);

} // namespace samba

#endif // TOOLS_SAMBA_FUZZ_RANDOMBLOCK_H
