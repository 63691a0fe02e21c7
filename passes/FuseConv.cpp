//===- FuseConv.cpp - the convolution joins the projection that reads it --===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/KernelFusion.h"
#include "passes/Passes.h"

namespace samba {
#define GEN_PASS_DEF_SAMBAFUSECONV
#include "passes/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

struct FuseConv : public samba::impl::SambaFuseConvBase<FuseConv> {
  using SambaFuseConvBase::SambaFuseConvBase;

  void runOnOperation() override {
    KernelFuser fuser(getOperation(), getArgument(), FusionPolicy::of(force, minSaved, cache, tokens, segments));
    fuser.fuse([](const FusionEdge &edge) {
      auto linear = dyn_cast<LinearOp>(edge.use->getOwner());
      return isa<CausalConv1dOp>(edge.producer) && linear && edge.use == &linear.getXMutable();
    });
  }
};

} // namespace
