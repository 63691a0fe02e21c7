//===- KernelFusion.h - merging kernels --------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What fusion passes share. A fusion pass is a predicate: it says which value, on its way from the kernel that computes
// it to the kernel that reads it, it wants to keep inside. Whether the two kernels may be merged, whether merging pays,
// and the merging itself are the same for all of them and stand here, as do the remarks that give the reasons.
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_KERNELFUSION_H
#define PASSES_KERNELFUSION_H

#include "mlir/IR/Action.h"
#include "passes/CostModel.h"
#include "llvm/ADT/STLFunctionalExtras.h"

namespace samba {

/// Moves `ops` into a new kernel at the place of the last one. They are in one block and in its order, and all but the
/// last are free of side effects. What is read outside leaves the kernel; of the last operation everything does.
KernelOp formKernel(llvm::ArrayRef<mlir::Operation *> ops);

/// The model's name for the operation if its location has one, else the operation's own without the dialect.
llvm::StringRef modelName(mlir::Operation *op);

/// When a fusion pays, and whether that matters.
struct FusionPolicy {
  /// From the options of a fusion pass (SambaFusion in Passes.td).
  static FusionPolicy of(bool force, int64_t minSaved, int64_t cache, int64_t tokens, int64_t segments);

  bool force = false;      // fuse whatever is legal
  int64_t minSaved = 1;    // bytes that a step must save
  int64_t cache = 1 << 20; // bytes that the rows that a core works on may take inside a kernel
  Workload workload;
  MachineCosts machine;
};

/// A value on its way from one kernel to another.
struct FusionEdge {
  mlir::Operation *producer; // in its kernel; roundings of what is computed there are looked through
  mlir::OpOperand *use;      // of an operation in the other kernel; slices on the way are looked through
};

/// Merges kernels of one function and says why, or why not, in remarks of the category "samba-fusion".
class KernelFuser {
public:
  /// `pass` names the pass in remarks.
  KernelFuser(mlir::func::FuncOp function, llvm::StringRef pass, const FusionPolicy &policy)
      : function(function), pass(pass), policy(policy), model(policy.workload) {}

  /// Merges kernels along every edge that `wants` accepts, until there is none left that may be merged. Returns how
  /// many were merged.
  int64_t fuse(llvm::function_ref<bool(const FusionEdge &)> wants);

  /// Merges one pair if that is legal and pays; the remark says which. Null if not. `consumer` reads a result of
  /// `producer`.
  KernelOp tryFuse(KernelOp producer, KernelOp consumer);

  /// Why the two cannot be one kernel; empty if they can. `consumer` reads a result of `producer`.
  static std::string whyIllegal(KernelOp producer, KernelOp consumer);

private:
  bool pays(KernelOp merged, const KernelCost &before, const KernelCost &after, std::string &reason) const;

  mlir::func::FuncOp function;
  llvm::StringRef pass;
  FusionPolicy policy;
  CostModel model;
  llvm::DenseSet<std::pair<mlir::Operation *, mlir::Operation *>> rejected;
};

/// The merging of two kernels, as something that the context can count, log or skip (`--mlir-debug-counter`,
/// `--log-actions-to`, samba-bisect).
class FuseAction : public mlir::tracing::ActionImpl<FuseAction> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(FuseAction)
  static constexpr llvm::StringLiteral tag = "samba-fuse-kernels";

  FuseAction(llvm::ArrayRef<mlir::IRUnit> units, llvm::StringRef producer, llvm::StringRef consumer)
      : ActionImpl(units), producer(producer), consumer(consumer) {}
  void print(llvm::raw_ostream &os) const override;

private:
  llvm::StringRef producer, consumer;
};

/// The kernel that computes the value, directly or through slices of its result; null if there is none.
KernelOp kernelBehind(mlir::Value value);

} // namespace samba

#endif // PASSES_KERNELFUSION_H
