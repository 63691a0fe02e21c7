//===- FuseSwiglu.cpp - projections join the gate that reads them ---------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/KernelFusion.h"
#include "passes/Passes.h"

namespace samba {
#define GEN_PASS_DEF_SAMBAFUSESWIGLU
#include "passes/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

struct FuseSwiglu : public samba::impl::SambaFuseSwigluBase<FuseSwiglu> {
  using SambaFuseSwigluBase::SambaFuseSwigluBase;

  void runOnOperation() override {
    KernelFuser fuser(getOperation(), getArgument(), FusionPolicy::of(force, minSaved, cache, tokens, segments));
    fuser.fuse(
        [](const FusionEdge &edge) { return isa<LinearOp>(edge.producer) && isa<SwigluOp>(edge.use->getOwner()); });
  }
};

} // namespace
