//===- FormKernels.cpp - puts every operation into a kernel ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "passes/Passes.h"
#include "llvm/ADT/SetVector.h"

namespace samba {
#define GEN_PASS_DEF_SAMBAFORMKERNELS
#include "passes/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

/// Operations that read and write tensors, as opposed to those that only name, slice or show them.
bool computes(Operation *op) {
  if (isa<SambaDialect>(op->getDialect()))
    return !isa<WeightOp, LoadWeightOp, ProbeOp, KernelOp, YieldOp>(op);
  return OpTrait::hasElementwiseMappableTraits(op) && op->getNumResults() == 1 &&
         isa<RankedTensorType>(op->getResult(0).getType());
}

/// The linear whose epilogue the addition can be: one whose result only the addition reads. Of two such, the one on
/// the right, which is the later one in `x + mixer(x)`.
LinearOp getLinearBefore(arith::AddFOp add) {
  for (Value operand : {add.getRhs(), add.getLhs()})
    if (auto linear = operand.getDefiningOp<LinearOp>())
      if (linear->hasOneUse() && linear->getBlock() == add->getBlock())
        return linear;
  return {};
}

/// The model's name for the operation if its location has one, else the operation's own without the dialect.
StringRef getKernelName(Operation *op) {
  StringRef name = op->getName().stripDialect();
  op->getLoc()->walk([&](Location location) {
    auto named = dyn_cast<NameLoc>(location);
    if (!named)
      return WalkResult::advance();
    name = named.getName().getValue();
    return WalkResult::interrupt();
  });
  return name;
}

/// Moves `ops` into a new kernel at the place of the last one, whose results are the kernel's. The others must be
/// free of side effects and have no uses outside `ops`.
void formKernel(ArrayRef<Operation *> ops) {
  llvm::SetVector<Value> inputs;
  for (Operation *op : ops)
    for (Value operand : op->getOperands())
      if (!llvm::is_contained(ops, operand.getDefiningOp()))
        inputs.insert(operand);

  Operation *last = ops.back();
  OpBuilder builder(last);
  auto kernel = KernelOp::create(builder, ops.front()->getLoc(), last->getResultTypes(), getKernelName(ops.front()),
                                 inputs.getArrayRef());
  last->replaceAllUsesWith(kernel.getResults());

  Block &block = kernel.getBody().emplaceBlock();
  for (Value input : inputs)
    block.addArgument(input.getType(), input.getLoc());
  for (Operation *op : ops) {
    op->moveBefore(&block, block.end());
    for (OpOperand &operand : op->getOpOperands()) {
      auto it = llvm::find(inputs, operand.get());
      if (it != inputs.end())
        operand.set(block.getArgument(std::distance(inputs.begin(), it)));
    }
  }
  builder.setInsertionPointToEnd(&block);
  YieldOp::create(builder, last->getLoc(), last->getResults());
}

struct FormKernels : public samba::impl::SambaFormKernelsBase<FormKernels> {
  void runOnOperation() override {
    SmallVector<Operation *> candidates;
    getOperation()->walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (isa<KernelOp>(op))
        return WalkResult::skip();
      if (computes(op))
        candidates.push_back(op);
      return WalkResult::advance();
    });

    // Epilogues first: a linear in one has no kernel of its own.
    SmallVector<SmallVector<Operation *, 2>> groups;
    llvm::DenseSet<Operation *> joined;
    for (Operation *op : candidates)
      if (auto add = dyn_cast<arith::AddFOp>(op))
        if (LinearOp linear = getLinearBefore(add)) {
          groups.push_back({linear, add});
          joined.insert(linear);
          joined.insert(add);
        }
    for (Operation *op : candidates)
      if (!joined.contains(op))
        groups.push_back({op});
    for (ArrayRef<Operation *> group : groups)
      formKernel(group);
  }
};

} // namespace
