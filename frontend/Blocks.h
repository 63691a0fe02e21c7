//===- Blocks.h - the functions that layers of a kind share -----*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_BLOCKS_H
#define FRONTEND_BLOCKS_H

#include "dialect/Samba.h"
#include "frontend/ModelDescription.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include <string>
#include <vector>

namespace samba {

/// How a weight is declared: f32, and A made of A_log.
mlir::RankedTensorType weightType(const WeightSpec &weight, mlir::MLIRContext *context);
WeightTransform weightTransform(const WeightSpec &weight);

struct StateDecl {
  std::string name; // relative to the layer: "conv"
  StateType type;
};

/// A private function, with what a layer must pass to it. Arguments: x [T, hidden], then what `wants` says, the
/// weights, the states. Results: x plus what the block computes of it, the memory [T, inner] if it keeps one, then the
/// new states.
struct SharedBlock {
  /// In the order of the arguments.
  enum Input {
    Segments,  // [S+1]
    Positions, // [S]
    Rows,      // [R]: which tokens x is of
    Rotary,    // the table [T, head_dim]
    Memory,    // of a layer before
    Depth,     // the number of the layer
  };
  mlir::func::FuncOp function;
  std::vector<StateDecl> states;
  std::vector<Input> wants;
  bool keepsMemory = false;
  bool borrowsStates = false; // they are those of a layer before
};

/// Adds the function `name` of a block where the builder stands. Two blocks share one if `canShare` says so. `slots` is
/// the number of ring slots of full attention, its capacity; a window has as many as tokens.
SharedBlock buildBlock(mlir::OpBuilder &builder, const BlockSpec &spec, int64_t hiddenSize, int64_t slots,
                       llvm::StringRef name);
bool canShare(const BlockSpec &a, const BlockSpec &b);
/// "mamba", "attention", "cross_attention", "gated_memory", "mlp"
llvm::StringRef kindOf(const BlockSpec &spec);

} // namespace samba

#endif // FRONTEND_BLOCKS_H
