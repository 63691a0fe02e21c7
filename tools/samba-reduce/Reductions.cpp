//===- Reductions.cpp - ways to make a module smaller ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-reduce/Reductions.h"

#include "dialect/Samba.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace samba;

namespace {

template <class Op, class Accepts> SmallVector<Op> all(ModuleOp module, Accepts accepts) {
  SmallVector<Op> found;
  module.walk([&](Op op) {
    if (accepts(op))
      found.push_back(op);
  });
  return found;
}

SmallVector<func::FuncOp> functions(ModuleOp module) {
  return llvm::to_vector(
      llvm::make_filter_range(module.getOps<func::FuncOp>(), [](func::FuncOp f) { return !f.isDeclaration(); }));
}

//===----------------------------------------------------------------------===//
// One function alone
//===----------------------------------------------------------------------===//

size_t countFunctions(ModuleOp module) {
  size_t count = functions(module).size();
  return count > 1 ? count : 0;
}

bool keepOneFunction(ModuleOp module, size_t place) {
  func::FuncOp kept = functions(module)[place];
  for (func::FuncOp function : functions(module))
    function.setVisibility(function == kept ? SymbolTable::Visibility::Public : SymbolTable::Visibility::Private);
  return true;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

struct Returned {
  func::FuncOp function;
  unsigned number;
};

SmallVector<Returned> returned(ModuleOp module) {
  SmallVector<Returned> found;
  for (func::FuncOp function : functions(module))
    for (unsigned i = 0; function.isPublic() && function.getNumResults() > 1 && i < function.getNumResults(); ++i)
      found.push_back({function, i});
  return found;
}

bool dropResult(ModuleOp module, size_t place) {
  auto [function, number] = returned(module)[place];
  llvm::BitVector erased(function.getNumResults());
  erased.set(number);
  function.getBody().front().getTerminator()->eraseOperand(number);
  return succeeded(function.eraseResults(erased));
}

/// Operands of what computes a result, which could be returned in its place.
struct Earlier {
  func::FuncOp function;
  unsigned number;
  Value value;
};

SmallVector<Earlier> earlier(ModuleOp module) {
  SmallVector<Earlier> found;
  for (func::FuncOp function : functions(module)) {
    if (!function.isPublic())
      continue;
    for (OpOperand &result : function.getBody().front().getTerminator()->getOpOperands())
      if (Operation *op = result.get().getDefiningOp(); op && isa<RankedTensorType>(result.get().getType()))
        for (Value operand : op->getOperands())
          if (auto type = dyn_cast<RankedTensorType>(operand.getType()); type && type.isDynamicDim(0))
            found.push_back({function, result.getOperandNumber(), operand});
  }
  return found;
}

bool returnEarlier(ModuleOp module, size_t place) {
  auto [function, number, value] = earlier(module)[place];
  Operation *terminator = function.getBody().front().getTerminator();
  terminator->setOperand(number, value);
  function.setFunctionType(
      FunctionType::get(module.getContext(), function.getArgumentTypes(), terminator->getOperandTypes()));
  return true;
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

bool isReplaceable(Operation *op) {
  return op->getNumResults() > 0 && !op->hasTrait<OpTrait::IsTerminator>() && !op->hasTrait<OpTrait::ConstantLike>() &&
         !isa<FunctionOpInterface, ModuleOp, LoadWeightOp>(op);
}

SmallVector<Operation *> replaceable(ModuleOp module) {
  return all<Operation *>(module, [](Operation *op) { return isReplaceable(op); });
}

/// An operand for each result that has readers; null if there is none of the type. An operand stands for one state
/// only.
SmallVector<Value> operandsFor(Operation *op) {
  SmallVector<Value> replacements;
  llvm::DenseSet<Value> taken;
  for (Value result : op->getResults()) {
    Value found;
    for (Value operand : op->getOperands())
      if (!found && operand.getType() == result.getType() && taken.insert(operand).second)
        found = operand;
    if (found && !isa<StateType>(found.getType()))
      taken.erase(found);
    replacements.push_back(found);
  }
  return replacements;
}

bool bypass(ModuleOp module, size_t place) {
  Operation *op = replaceable(module)[place];
  SmallVector<Value> replacements = operandsFor(op);
  for (auto [result, replacement] : llvm::zip(op->getResults(), replacements))
    if (!result.use_empty() && !replacement)
      return false;
  for (auto [result, replacement] : llvm::zip(op->getResults(), replacements))
    if (replacement)
      result.replaceAllUsesWith(replacement);
  op->erase();
  return true;
}

/// What the operation computes becomes an argument of the public function that it is in.
bool makeArgument(ModuleOp module, size_t place) {
  Operation *op = replaceable(module)[place];
  auto function = dyn_cast<func::FuncOp>(op->getParentOp());
  if (!function || !function.isPublic())
    return false;
  for (Value result : op->getResults()) {
    if (result.use_empty())
      continue;
    if (!isa<RankedTensorType, StateType>(result.getType()))
      return false;
    unsigned number = function.getNumArguments();
    if (failed(function.insertArgument(number, result.getType(), DictionaryAttr::get(op->getContext()), op->getLoc())))
      return false;
    result.replaceAllUsesWith(function.getArgument(number));
  }
  op->erase();
  return true;
}

//===----------------------------------------------------------------------===//
// Structure
//===----------------------------------------------------------------------===//

SmallVector<func::CallOp> calls(ModuleOp module) {
  return all<func::CallOp>(module, [](func::CallOp) { return true; });
}

bool inlineCall(ModuleOp module, size_t place) {
  func::CallOp call = calls(module)[place];
  auto callee = SymbolTable(module).lookup<func::FuncOp>(call.getCallee());
  if (!callee || callee.isDeclaration())
    return false;
  OpBuilder builder(call);
  IRMapping map;
  map.map(callee.getArguments(), call.getOperands());
  Block &body = callee.getBody().front();
  for (Operation &op : body.without_terminator())
    builder.clone(op, map);
  for (auto [result, value] : llvm::zip(call.getResults(), body.getTerminator()->getOperands()))
    result.replaceAllUsesWith(map.lookupOrDefault(value));
  call.erase();
  return true;
}

SmallVector<KernelOp> kernels(ModuleOp module) {
  return all<KernelOp>(module, [](KernelOp) { return true; });
}

bool unwrapKernel(ModuleOp module, size_t place) {
  KernelOp kernel = kernels(module)[place];
  Block &body = kernel.getBody().front();
  for (auto [argument, input] : llvm::zip(body.getArguments(), kernel.getInputs()))
    argument.replaceAllUsesWith(input);
  Operation *yield = body.getTerminator();
  for (auto [result, value] : llvm::zip(kernel.getResults(), yield->getOperands()))
    result.replaceAllUsesWith(value);
  for (Operation &op : llvm::make_early_inc_range(body.without_terminator()))
    op.moveBefore(kernel);
  kernel.erase();
  return true;
}

SmallVector<ProbeOp> probes(ModuleOp module) {
  return all<ProbeOp>(module, [](ProbeOp) { return true; });
}

bool eraseProbe(ModuleOp module, size_t place) {
  probes(module)[place].erase();
  return true;
}

/// Operands that an operation can do without.
SmallVector<OpOperand *> optionalOperands(ModuleOp module) {
  SmallVector<OpOperand *> found;
  auto add = [&](MutableOperandRange range) {
    for (OpOperand &operand : range)
      found.push_back(&operand);
  };
  module.walk([&](Operation *op) {
    if (auto linear = dyn_cast<LinearOp>(op))
      add(linear.getBiasMutable());
    if (auto convolution = dyn_cast<CausalConv1dOp>(op))
      add(convolution.getBiasMutable());
    if (auto scan = dyn_cast<SelectiveScanOp>(op)) {
      add(scan.getDMutable());
      add(scan.getZMutable());
      add(scan.getDeltaBiasMutable());
    }
  });
  return found;
}

bool dropOptional(ModuleOp module, size_t place) {
  OpOperand *operand = optionalOperands(module)[place];
  unsigned number = operand->getOperandNumber();
  Operation *op = operand->getOwner();
  auto clear = [&](MutableOperandRange range) {
    if (!range.empty() && range.begin()->getOperandNumber() == number)
      range.clear();
  };
  if (auto linear = dyn_cast<LinearOp>(op))
    clear(linear.getBiasMutable());
  if (auto convolution = dyn_cast<CausalConv1dOp>(op))
    clear(convolution.getBiasMutable());
  if (auto scan = dyn_cast<SelectiveScanOp>(op)) {
    unsigned before = op->getNumOperands();
    clear(scan.getDMutable());
    if (op->getNumOperands() == before)
      clear(scan.getZMutable());
    if (op->getNumOperands() == before)
      clear(scan.getDeltaBiasMutable());
  }
  return true;
}

template <auto list> size_t countOf(ModuleOp module) { return list(module).size(); }

constexpr Reduction kReductions[] = {
    {"keep one function", countFunctions, keepOneFunction},
    {"drop a result", countOf<returned>, dropResult},
    {"return what a result is computed from", countOf<earlier>, returnEarlier},
    {"drop a probe", countOf<probes>, eraseProbe},
    {"make an argument of what is computed", countOf<replaceable>, makeArgument},
    {"bypass an operation", countOf<replaceable>, bypass},
    {"inline a call", countOf<calls>, inlineCall},
    {"unwrap a kernel", countOf<kernels>, unwrapKernel},
    {"drop an optional operand", countOf<optionalOperands>, dropOptional},
};

} // namespace

llvm::ArrayRef<Reduction> samba::allReductions() { return kReductions; }

void samba::removeDead(ModuleOp module) {
  for (bool changed = true; changed;) {
    changed = false;
    SmallVector<Operation *> dead;
    module.walk([&](Operation *op) {
      if (isReplaceable(op) || isa<LoadWeightOp>(op) || op->hasTrait<OpTrait::ConstantLike>())
        if (op->use_empty() && !isa<func::CallOp>(op))
          dead.push_back(op);
      if (isa<func::CallOp>(op) && op->use_empty())
        dead.push_back(op);
    });
    for (Operation *op : dead) {
      // A kernel that is dead holds others that are.
      if (llvm::any_of(dead, [&](Operation *other) { return other != op && other->isProperAncestor(op); }))
        continue;
      op->erase();
      changed = true;
    }
    for (auto function : llvm::make_early_inc_range(module.getOps<func::FuncOp>())) {
      if (function.isPrivate() && SymbolTable::symbolKnownUseEmpty(function, module)) {
        function.erase();
        changed = true;
      } else if (function.isPublic() && !function.isDeclaration()) {
        llvm::BitVector unused(function.getNumArguments());
        for (BlockArgument argument : function.getArguments())
          if (argument.use_empty())
            unused.set(argument.getArgNumber());
        changed |= unused.any() && succeeded(function.eraseArguments(unused));
      }
    }
    for (WeightOp weight : llvm::make_early_inc_range(module.getOps<WeightOp>()))
      if (SymbolTable::symbolKnownUseEmpty(weight, module)) {
        weight.erase();
        changed = true;
      }
  }
}
