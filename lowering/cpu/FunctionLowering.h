//===- FunctionLowering.h - one function, from values to memory -*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Decides where values live and how functions call each other; how an operation is computed stands in the files of
// Kernels.h. A lowered private function takes, in this order:
//
//   team     !llvm.ptr        the calling thread's samba_team
//   states   !llvm.ptr        one pointer per sequence
//   weights  memref<?xi8>     the artefact's weights
//   arena    memref<?xi8>     scratch memory
//   arenaRows, arenaBase, weightBase, stateBase : index
//   a memref (an index for an index) for each argument that is neither weight nor state, then a memref for each
//   result that is not a state.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_CPU_FUNCTIONLOWERING_H
#define LOWERING_CPU_FUNCTIONLOWERING_H

#include "lowering/cpu/ArenaPlan.h"
#include "lowering/cpu/Kernels.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace samba {

/// How a tensor lies in memory: a weight in its packed shape, quantised rows as bytes, anything else row-major.
mlir::MemRefType memoryType(mlir::RankedTensorType type);
mlir::MemRefType memoryType(mlir::Value value);

mlir::Attribute encodingOf(mlir::Value value);
LayoutAttr layoutOf(mlir::Value value);

/// What every lowered function has at hand.
struct Frame {
  mlir::Value call, team, states, weights, arena, arenaRows, arenaBase; // `call` only in public functions
};

class FunctionLowering {
public:
  FunctionLowering(mlir::func::FuncOp source, const ArenaPlan &plan, const CpuTarget &target, mlir::OpBuilder &builder)
      : source(source), plan(plan), e(builder, source.getLoc(), target) {}

  mlir::LogicalResult lower() {
    if (failed(source.isPublic() ? createEntry() : createPrivate()))
      return mlir::failure();
    for (mlir::Operation &op : source.getBody().front()) {
      e.loc = op.getLoc();
      if (failed(lowerOp(&op)))
        return mlir::failure();
    }
    return mlir::success();
  }

private:
  // ---- Signatures.
  mlir::LogicalResult createPrivate();
  mlir::LogicalResult createEntry();
  mlir::func::FuncOp createFunction(mlir::TypeRange arguments, unsigned teamArgument);

  // ---- Where values live.
  mlir::Value buffer(mlir::Value value);
  mlir::Value destination(mlir::Value value, mlir::Value rows);
  mlir::Value arenaView(int64_t offset, mlir::MemRefType type, mlir::Value rows);

  /// Where nothing but the place of a value is wrong: copies it, and says why in the table of loops.
  void copy(mlir::Value from, mlir::Value to, llvm::StringRef why);

  // ---- Operations.
  mlir::LogicalResult lowerOp(mlir::Operation *op);
  mlir::LogicalResult lowerKernel(KernelOp kernel);
  mlir::LogicalResult lowerCall(mlir::func::CallOp call);
  mlir::LogicalResult lowerReturn(mlir::func::ReturnOp op);
  mlir::LogicalResult lowerProbe(ProbeOp probe);
  mlir::LogicalResult lowerSlice(mlir::tensor::ExtractSliceOp slice);
  mlir::LogicalResult lowerLinear(LinearOp linear);
  mlir::LogicalResult lowerSwiglu(SwigluOp swiglu);
  /// One product, or two of the same rows for a gate, from the given columns on; `residual` may be null.
  mlir::LogicalResult lowerProducts(mlir::ArrayRef<LinearOp> linears, mlir::ArrayRef<int64_t> columns,
                                    mlir::Value residual, mlir::Value result);
  void lowerNorm(mlir::Operation *norm);
  mlir::LogicalResult lowerSlicesOf(mlir::Value value);
  mlir::LogicalResult lowerRotations(RotaryOp rotary);
  void lowerConvolution(CausalConv1dOp conv);
  void lowerScan(SelectiveScanOp scan);
  void lowerAttention(SlidingWindowAttentionOp attention);
  void lowerCrossAttention(CrossAttentionOp attention);
  mlir::LogicalResult expectLayout(mlir::Operation *op, llvm::StringRef what, mlir::Value weight, LayoutKind kind);

  mlir::func::FuncOp source;
  const ArenaPlan &plan;
  Emitter e;
  Frame frame;
  mlir::SmallVector<mlir::Value> resultBuffers;           // by result number; null for states
  llvm::DenseMap<mlir::Value, mlir::Value> buffers;       // rows and vectors -> memref; an index is itself
  llvm::DenseMap<mlir::Value, mlir::Value> weightOffsets; // weights -> byte offset
  llvm::DenseMap<mlir::Value, StateBuffer> stateSlots;    // states
  llvm::StringRef kernelName;                             // of the kernel that is being lowered; else empty
  llvm::DenseMap<mlir::Value, mlir::Value> sameAs;        // values inside a kernel -> the kernel's result they become
};

} // namespace samba

#endif // LOWERING_CPU_FUNCTIONLOWERING_H
