//===- FuseResidual.cpp - an addition joins the linear before it ----------===//
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
#define GEN_PASS_DEF_SAMBAFUSERESIDUAL
#include "passes/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

/// Of two linears the later one becomes the loop: in `x + mixer(x)` that is the right one.
bool isComputedByLinear(Value operand) {
  auto argument = dyn_cast<BlockArgument>(operand);
  if (!argument)
    return false;
  Value input = cast<KernelOp>(argument.getOwner()->getParentOp()).getInputs()[argument.getArgNumber()];
  KernelOp kernel = kernelBehind(input);
  if (!kernel || !input.hasOneUse())
    return false;
  Block &body = kernel.getBody().front();
  return body.getTerminator()->getOperand(cast<OpResult>(input).getResultNumber()).getDefiningOp<LinearOp>() != nullptr;
}

struct FuseResidual : public samba::impl::SambaFuseResidualBase<FuseResidual> {
  using SambaFuseResidualBase::SambaFuseResidualBase;

  void runOnOperation() override {
    KernelFuser fuser(getOperation(), getArgument(), FusionPolicy::of(force, minSaved, cache, tokens, segments));
    fuser.fuse([](const FusionEdge &edge) {
      Operation *add = edge.use->getOwner();
      // An addition that has its linear already is complete, and so is one whose right operand comes from another.
      if (!isa<LinearOp>(edge.producer) || !isa<arith::AddFOp>(add) || isEpilogue(add))
        return false;
      return edge.use->getOperandNumber() == 1 || !isComputedByLinear(add->getOperand(1));
    });
  }
};

} // namespace
