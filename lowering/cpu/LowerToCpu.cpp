//===- LowerToCpu.cpp - kernels to parallel loops over memory -------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/Passes.h"
#include "lowering/RowSource.h"
#include "lowering/cpu/FunctionLowering.h"
#include "lowering/cpu/LoopTable.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace samba {
#define GEN_PASS_DEF_SAMBALOWERTOCPU
#include "lowering/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

class LowerToCpu : public samba::impl::SambaLowerToCpuBase<LowerToCpu> {
public:
  using SambaLowerToCpuBase::SambaLowerToCpuBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    llvm::Expected<CpuTarget> cpu = CpuTarget::get(target);
    if (!cpu) {
      module.emitError() << llvm::toString(cpu.takeError());
      return signalPassFailure();
    }
    SmallVector<func::FuncOp> functions;
    for (auto function : module.getOps<func::FuncOp>())
      if (!function.isDeclaration())
        functions.push_back(function);

    int64_t arenaBytes = 0;
    for (func::FuncOp function : functions) {
      if (failed(planFunction(function)))
        return signalPassFailure();
      if (function.isPublic())
        arenaBytes = std::max(arenaBytes, plans[function].size);
    }
    for (func::FuncOp function : functions) {
      OpBuilder builder(function);
      if (failed(FunctionLowering(function, plans[function], *cpu, builder).lower()))
        return signalPassFailure();
    }
    for (func::FuncOp function : functions)
      function.erase();
    for (auto weight : llvm::make_early_inc_range(module.getOps<WeightOp>()))
      weight.erase();
    recordLoopTable(module);
    module->setAttr("samba.arena_bytes_per_token", IntegerAttr::get(IntegerType::get(&getContext(), 64), arenaBytes));
  }

private:
  /// Plans a function after those it calls. A function on the way to itself is refused.
  LogicalResult planFunction(func::FuncOp function) {
    if (plans.contains(function))
      return success();
    if (!inProgress.insert(function).second)
      return function.emitOpError() << "expected no recursion";
    auto result = function.walk([&](func::CallOp call) {
      auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(call, call.getCalleeAttr());
      if (!callee || callee.isDeclaration() || callee.isPublic()) {
        call.emitOpError() << "expected '" << call.getCallee() << "' to be a private function of samba IR";
        return WalkResult::interrupt();
      }
      return failed(planFunction(callee)) ? WalkResult::interrupt() : WalkResult::advance();
    });
    if (result.wasInterrupted())
      return failure();
    FailureOr<ArenaPlan> plan = planArena(function, sizes);
    if (failed(plan))
      return failure();
    sizes[function.getSymName()] = plan->size;
    function.walk([&](func::CallOp call) {
      for (Value result : call.getResults())
        if (isRows(result))
          if (Value operand = rowOperand(call, result))
            plan->rowsOfResults[result] = operand;
    });
    plans[function] = std::move(*plan);
    return success();
  }

  llvm::DenseMap<func::FuncOp, ArenaPlan> plans;
  llvm::DenseSet<func::FuncOp> inProgress;
  llvm::StringMap<int64_t> sizes;
};

} // namespace
