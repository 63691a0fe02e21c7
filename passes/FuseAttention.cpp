//===- FuseAttention.cpp - attention joins its output projection ----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/KernelFusion.h"
#include "passes/Passes.h"

namespace samba {
#define GEN_PASS_DEF_SAMBAFUSEATTENTION
#include "passes/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

struct FuseAttention : public samba::impl::SambaFuseAttentionBase<FuseAttention> {
  using SambaFuseAttentionBase::SambaFuseAttentionBase;

  void runOnOperation() override {
    KernelFuser fuser(getOperation(), getArgument(), FusionPolicy::of(force, minSaved, cache, tokens, segments));
    fuser.fuse([](const FusionEdge &edge) {
      auto linear = dyn_cast<LinearOp>(edge.use->getOwner());
      if (isa<DifferentialNormOp>(edge.use->getOwner()))
        return isa<SlidingWindowAttentionOp, CrossAttentionOp>(edge.producer);
      return isa<SlidingWindowAttentionOp, CrossAttentionOp, DifferentialNormOp>(edge.producer) && linear &&
             edge.use == &linear.getXMutable();
    });
  }
};

} // namespace
