//===- RowSource.cpp - what a value's number of rows follows --------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/RowSource.h"

#include "dialect/Samba.h"

using namespace mlir;
using namespace samba;

static Value returnedBy(Region &region, Value result) {
  return region.front().getTerminator()->getOperand(cast<OpResult>(result).getResultNumber());
}

Value samba::rowOperand(func::CallOp call, Value result) {
  auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(call, call.getCalleeAttr());
  BlockArgument source = callee ? rowSource(returnedBy(callee.getBody(), result)) : BlockArgument();
  return source ? call.getOperand(source.getArgNumber()) : Value();
}

BlockArgument samba::rowSource(Value value) {
  auto hasRows = [](Value operand) {
    auto type = dyn_cast<RankedTensorType>(operand.getType());
    return type && type.getRank() > 0 && type.isDynamicDim(0);
  };
  while (value) {
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      auto kernel = dyn_cast<KernelOp>(argument.getOwner()->getParentOp());
      if (!kernel)
        return argument;
      value = kernel.getInputs()[argument.getArgNumber()];
      continue;
    }
    Operation *op = value.getDefiningOp();
    if (auto kernel = dyn_cast<KernelOp>(op)) {
      value = returnedBy(kernel.getBody(), value);
    } else if (auto call = dyn_cast<func::CallOp>(op)) {
      value = rowOperand(call, value);
    } else if (auto gather = dyn_cast<GatherRowsOp>(op)) {
      value = gather.getRows();
    } else if (isa<RotaryTableOp>(op)) {
      return {};
    } else {
      auto first = llvm::find_if(op->getOperands(), hasRows);
      value = first == op->operand_end() ? Value() : *first;
    }
  }
  return {};
}
