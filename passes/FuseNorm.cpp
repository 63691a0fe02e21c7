//===- FuseNorm.cpp - the norm joins the projection that reads it ---------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Epilogues.h"
#include "passes/KernelFusion.h"
#include "passes/Passes.h"

namespace samba {
#define GEN_PASS_DEF_SAMBAFUSENORM
#include "passes/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

struct FuseNorm : public samba::impl::SambaFuseNormBase<FuseNorm> {
  using SambaFuseNormBase::SambaFuseNormBase;

  void runOnOperation() override {
    KernelFuser fuser(getOperation(), getArgument(), FusionPolicy::of(force, minSaved, cache, tokens, segments));
    bool isPublic = getOperation().isPublic();
    fuser.fuse([&](const FusionEdge &edge) {
      auto linear = dyn_cast<LinearOp>(edge.use->getOwner());
      // The norm before the logits is for samba-fuse-head.
      return isNorm(edge.producer) && linear && edge.use == &linear.getXMutable() && !isPublic;
    });
  }
};

} // namespace
