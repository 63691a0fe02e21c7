//===- FuseScan.cpp - the projection of delta joins the scan --------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/KernelFusion.h"
#include "passes/Passes.h"

namespace samba {
#define GEN_PASS_DEF_SAMBAFUSESCAN
#include "passes/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

struct FuseScan : public samba::impl::SambaFuseScanBase<FuseScan> {
  using SambaFuseScanBase::SambaFuseScanBase;

  void runOnOperation() override {
    KernelFuser fuser(getOperation(), getArgument(), FusionPolicy::of(force, minSaved, cache, tokens, segments));
    fuser.fuse([](const FusionEdge &edge) {
      auto scan = dyn_cast<SelectiveScanOp>(edge.use->getOwner());
      return isa<LinearOp>(edge.producer) && scan && edge.use == &scan.getDeltaMutable();
    });
  }
};

} // namespace
