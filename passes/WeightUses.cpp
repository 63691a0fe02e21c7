//===- WeightUses.cpp - where the values of weights go --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/WeightUses.h"

using namespace mlir;
using namespace samba;

WeightUses::WeightUses(ModuleOp module) {
  SymbolTableCollection symbols;
  llvm::DenseSet<Operation *> addressTaken;
  module.walk([&](func::ConstantOp constant) {
    addressTaken.insert(symbols.lookupNearestSymbolFrom(constant, constant.getValueAttr()));
  });
  module.walk([&](func::CallOp call) {
    auto callee = symbols.lookupNearestSymbolFrom<func::FuncOp>(call, call.getCalleeAttr());
    if (callee && callee.isPrivate() && !callee.isDeclaration() && !addressTaken.contains(callee))
      callees[call] = callee;
  });

  for (auto weight : module.getOps<WeightOp>()) {
    order.push_back(weight);
    flows.try_emplace(weight);
  }
  module.walk([&](LoadWeightOp load) {
    auto flow = flows.find(symbols.lookupNearestSymbolFrom(load, load.getWeightAttr()));
    if (flow != flows.end())
      follow(load.getResult(), flow->second);
  });
}

void WeightUses::follow(Value start, Flow &flow) {
  SmallVector<Value> worklist = {start};
  while (!worklist.empty()) {
    Value value = worklist.pop_back_val();
    if (!flow.values.insert(value))
      continue;
    for (OpOperand &use : value.getUses()) {
      if (func::FuncOp callee = callees.lookup(use.getOwner()))
        worklist.push_back(callee.getArgument(use.getOperandNumber()));
      else if (auto kernel = dyn_cast<KernelOp>(use.getOwner()))
        worklist.push_back(kernel.getBody().getArgument(use.getOperandNumber()));
      else
        flow.readers.push_back(&use);
    }
  }
}

LogicalResult WeightUses::retype(const llvm::MapVector<WeightOp, RankedTensorType> &types) {
  // Every value has the type of all the weights that reach it.
  llvm::MapVector<Value, std::pair<WeightOp, RankedTensorType>> wanted;
  for (WeightOp weight : order) {
    auto it = types.find(weight);
    RankedTensorType type = it == types.end() ? weight.getTensorType() : it->second;
    for (Value value : flows.find(weight)->second.values) {
      auto [known, inserted] = wanted.try_emplace(value, weight, type);
      auto [other, otherType] = known->second;
      if (inserted || otherType == type)
        continue;
      auto function = dyn_cast<func::FuncOp>(value.getParentBlock()->getParentOp());
      return weight.emitError() << "weights '" << other.getSymName() << "' and '" << weight.getSymName()
                                << "' are passed to the same argument, #" << cast<BlockArgument>(value).getArgNumber()
                                << " of '" << (function ? function.getSymName() : StringRef("samba.kernel"))
                                << "', but need different types: " << otherType << " and " << type;
    }
  }

  // An argument that changes its type must get weights from all callers.
  for (auto &[value, want] : wanted) {
    auto argument = dyn_cast<BlockArgument>(value);
    if (!argument || argument.getType() == want.second)
      continue;
    for (auto &[call, callee] : callees)
      if (callee == argument.getOwner()->getParentOp() && !wanted.count(call->getOperand(argument.getArgNumber())))
        return emitError(call->getLoc()) << "expected argument #" << argument.getArgNumber() << " of '"
                                         << callee.getSymName() << "' to be a weight, as in the call with '"
                                         << want.first.getSymName() << "'";
  }

  for (auto [weight, type] : types)
    weight.setType(type);
  for (auto &[value, want] : wanted)
    value.setType(want.second);
  for (auto &[call, callee] : callees)
    callee.setFunctionType(
        FunctionType::get(callee.getContext(), callee.getBody().getArgumentTypes(), callee.getResultTypes()));
  return success();
}
