//===- FuseHead.cpp - what makes the logits becomes one kernel ------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "passes/Epilogues.h"
#include "passes/KernelFusion.h"
#include "passes/Passes.h"

namespace samba {
#define GEN_PASS_DEF_SAMBAFUSEHEAD
#include "passes/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

struct FuseHead : public samba::impl::SambaFuseHeadBase<FuseHead> {
  using SambaFuseHeadBase::SambaFuseHeadBase;

  void runOnOperation() override {
    KernelFuser fuser(getOperation(), getArgument(), FusionPolicy::of(force, minSaved, cache, tokens, segments));
    if (!getOperation().isPublic() || getOperation().isDeclaration())
      return;
    // Only the linear whose result leaves the model, and what leads to it.
    auto isHead = [&](Operation *op) {
      auto kernel = op->getParentOfType<KernelOp>();
      return isa<LinearOp>(op) &&
             llvm::any_of(kernel->getUsers(), [](Operation *user) { return isa<func::ReturnOp>(user); });
    };
    // A rounding of the norm has a kernel of its own if a probe sees the norm too.
    auto leadsToHead = [&](Operation *op) {
      return llvm::any_of(op->getParentOfType<KernelOp>()->getUsers(), [&](Operation *user) {
        auto kernel = dyn_cast<KernelOp>(user);
        return kernel && llvm::any_of(kernel.getBody().front(), [&](Operation &inner) { return isHead(&inner); });
      });
    };
    fuser.fuse([&](const FusionEdge &edge) {
      auto rounding = dyn_cast<arith::TruncFOp>(edge.use->getOwner());
      return isNorm(edge.producer) && rounding && leadsToHead(rounding);
    });
    fuser.fuse([&](const FusionEdge &edge) { return isNorm(edge.producer) && isHead(edge.use->getOwner()); });
    fuser.fuse([&](const FusionEdge &edge) {
      Operation *norm = edge.use->getOwner();
      return isa<GatherRowsOp>(edge.producer) && isNorm(norm) &&
             llvm::any_of(norm->getParentOp()->getRegion(0).front(), [&](Operation &inner) { return isHead(&inner); });
    });
  }
};

} // namespace
