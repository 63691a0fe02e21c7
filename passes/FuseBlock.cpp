//===- FuseBlock.cpp - all kernels of a block become one ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/KernelFusion.h"
#include "passes/Passes.h"

namespace samba {
#define GEN_PASS_DEF_SAMBAFUSEBLOCK
#include "passes/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

struct FuseBlock : public samba::impl::SambaFuseBlockBase<FuseBlock> {
  using SambaFuseBlockBase::SambaFuseBlockBase;

  void runOnOperation() override {
    KernelFuser fuser(getOperation(), getArgument(), FusionPolicy::of(force, minSaved, cache, tokens, segments));
    if (getOperation().isPublic())
      return;
    fuser.fuse([](const FusionEdge &) { return true; });
  }
};

} // namespace
