//===- FormKernels.cpp - puts every operation into a kernel ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "passes/KernelFusion.h"
#include "passes/Passes.h"

namespace samba {
#define GEN_PASS_DEF_SAMBAFORMKERNELS
#include "passes/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

struct FormKernels : public samba::impl::SambaFormKernelsBase<FormKernels> {
  void runOnOperation() override {
    SmallVector<Operation *> candidates;
    getOperation()->walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (isa<KernelOp>(op))
        return WalkResult::skip();
      if (isComputation(op))
        candidates.push_back(op);
      return WalkResult::advance();
    });

    // Roundings first: what they round has no kernel of its own.
    SmallVector<SmallVector<Operation *, 2>> groups;
    llvm::DenseSet<Operation *> joined;
    for (Operation *op : candidates) {
      Operation *producer = isa<arith::TruncFOp>(op) ? op->getOperand(0).getDefiningOp() : nullptr;
      if (producer && isComputation(producer) && op->getOperand(0).hasOneUse() &&
          producer->getBlock() == op->getBlock() && !joined.contains(producer)) {
        op->moveAfter(producer); // other results of the producer may be read in between
        groups.push_back({producer, op});
        joined.insert_range(ArrayRef<Operation *>{producer, op});
      }
    }
    for (Operation *op : candidates)
      if (!joined.contains(op))
        groups.push_back({op});
    for (ArrayRef<Operation *> group : groups)
      formKernel(group);
  }
};

} // namespace
