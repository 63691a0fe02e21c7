//===- SambaBlocks.h - the functions that layers of a kind share *- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef FRONTEND_SAMBABLOCKS_H
#define FRONTEND_SAMBABLOCKS_H

#include "dialect/Samba.h"
#include "frontend/SambaConfig.h"
#include "frontend/SambaTensors.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include <string>
#include <vector>

namespace samba {

/// How a tensor of the checkpoint is declared: unit sizes dropped ([D, 1, K] is [D, K]), f32, and A made of A_log.
struct WeightDecl {
  std::string source; // the tensor's name
  std::string symbol; // "layers.0.mixer.in_proj" of "backbone.layers.0.mixer.in_proj.weight"
  mlir::RankedTensorType type;
  WeightTransform transform;

  static WeightDecl of(const TensorSpec &tensor, mlir::MLIRContext *context);
};

struct StateDecl {
  std::string name; // relative to the layer: "conv"
  StateType type;
};

/// A private function, with what a layer must pass to it. Arguments: x [T, hidden], segments [S+1] (not the MLP),
/// positions [S] and the rotary table [T, head_dim] (attention only), the weights, the states.
/// Results: x plus what the block computes of it, then the new states.
struct SharedBlock {
  mlir::func::FuncOp function;
  std::vector<TensorSpec> weights; // named relative to the layer, in the order of the arguments
  std::vector<StateDecl> states;
};

/// Each of these adds one function `name` where the builder stands.
SharedBlock buildMamba(mlir::OpBuilder &builder, const SambaConfig &config, llvm::StringRef name);
/// `slots` is the number of ring slots: the window, or the capacity of full attention.
SharedBlock buildAttention(mlir::OpBuilder &builder, const SambaConfig &config, const AttentionSpec &spec,
                           int64_t slots, llvm::StringRef name);
SharedBlock buildMlp(mlir::OpBuilder &builder, const SambaConfig &config, llvm::StringRef name);

} // namespace samba

#endif // FRONTEND_SAMBABLOCKS_H
