//===- StepLowering.h - a step of a model as a program -----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Walks through the public function, into the functions it calls and the kernels, and adds the launches of each
// operation to a program. What a samba.kernel holds becomes as few launches as there are kernels for: operations are
// joined only within one.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_GPU_STEPLOWERING_H
#define LOWERING_GPU_STEPLOWERING_H

#include "lowering/gpu/Kernels.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace samba {

class StepLowering {
public:
  explicit StepLowering(StepBuilder &builder) : s(builder) {}

  /// Adds the launches of a public function.
  mlir::LogicalResult lower(mlir::func::FuncOp entry);

private:
  /// A norm that the linears which read it compute themselves.
  struct Norm {
    Matrix x;
    NormOperands how;
  };
  /// A rotation that the attention which reads it computes itself.
  struct Rotation {
    Matrix x, table;
  };

  mlir::LogicalResult bindArguments(mlir::func::FuncOp entry);
  mlir::LogicalResult lowerBlock(mlir::Block &block);
  mlir::LogicalResult lowerOp(mlir::Operation *op);
  mlir::LogicalResult lowerKernel(KernelOp kernel);
  mlir::LogicalResult lowerCall(mlir::func::CallOp call);
  mlir::LogicalResult lowerProbe(ProbeOp probe);
  mlir::LogicalResult lowerSlice(mlir::tensor::ExtractSliceOp slice);
  mlir::LogicalResult lowerNorm(mlir::Operation *op, const NormOperands &norm);
  mlir::LogicalResult lowerLinear(LinearOp linear);
  mlir::LogicalResult lowerRotary(RotaryOp rotary);
  Matrix rotated(mlir::Value value);
  void joinConvolution(LinearOperands &linear, LinearOp op, CausalConv1dOp conv);
  mlir::LogicalResult lowerConvolution(CausalConv1dOp conv);
  mlir::LogicalResult lowerScan(SelectiveScanOp scan);
  DifferentialNormOperands differencesOf(DifferentialNormOp norm);
  void joinDifferences(AttentionOperands &attention, mlir::Value result);
  mlir::LogicalResult lowerDifferentialNorm(DifferentialNormOp norm);
  mlir::LogicalResult lowerAttention(SlidingWindowAttentionOp attention);
  mlir::LogicalResult lowerCrossAttention(CrossAttentionOp attention);
  /// `to` is where `from` is, whichever kind of value that is.
  void bind(mlir::Value from, mlir::Value to);

  Matrix matrix(mlir::Value value);
  /// Where a new value is to be stored: a buffer of its own, or an output of the step. If all that happens to it is
  /// that it is rounded, it is stored rounded, and the rounded value lies there too.
  Matrix destination(mlir::Value value, Extent rows);
  Matrix destinationOf(mlir::Value value, Extent rows);
  std::string layerOf(mlir::Operation *op) const;

  StepBuilder &s;
  llvm::DenseMap<mlir::Value, Matrix> matrices;
  llvm::DenseMap<mlir::Value, LaunchArgument> integers; // inputs of indices, and constants
  llvm::DenseMap<mlir::Value, StateSlice> states;
  llvm::DenseMap<mlir::Value, Norm> norms;
  llvm::DenseMap<mlir::Value, Rotation> rotations;
  llvm::DenseMap<mlir::Value, LinearOperands> projections; // that the scan which reads them computes itself
  llvm::DenseMap<mlir::Value, std::string> outputs;
  llvm::DenseMap<mlir::Value, mlir::Value> sameAs; // values of kernels and functions -> what they become outside
  llvm::DenseSet<mlir::Operation *> done;          // by the launch of another operation
  std::string call;                                // the layer whose function is being lowered
};

} // namespace samba

#endif // LOWERING_GPU_STEPLOWERING_H
