//===- FuseRotary.cpp - rotations join the attention or the projections ---===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/KernelFusion.h"
#include "passes/Passes.h"

namespace samba {
#define GEN_PASS_DEF_SAMBAFUSEROTARY
#include "passes/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

struct FuseRotary : public samba::impl::SambaFuseRotaryBase<FuseRotary> {
  using SambaFuseRotaryBase::SambaFuseRotaryBase;

  void runOnOperation() override {
    KernelFuser fuser(getOperation(), getArgument(), FusionPolicy::of(force, minSaved, cache, tokens, segments));
    if (into != "attention" && into != "projection") {
      emitError(getOperation().getLoc()) << getArgument() << ": expected into attention or projection, got '" << into
                                         << "'";
      return signalPassFailure();
    }
    bool intoAttention = into == "attention";
    fuser.fuse([&](const FusionEdge &edge) {
      Operation *reader = edge.use->getOwner();
      // What rounds keys and values goes along.
      if (intoAttention)
        return isa<RotaryOp>(edge.producer)
                   ? isa<SlidingWindowAttentionOp, QuantizeRowsOp>(reader)
                   : isa<arith::TruncFOp, QuantizeRowsOp>(edge.producer) && isa<SlidingWindowAttentionOp>(reader);
      auto rotary = dyn_cast<RotaryOp>(reader);
      return isa<LinearOp>(edge.producer) && rotary && edge.use == &rotary.getXMutable();
    });
  }
};

} // namespace
