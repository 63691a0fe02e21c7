//===- QuantizeKv.cpp - keeps keys and values in a narrower type ----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Samba.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "passes/Passes.h"
#include "llvm/ADT/SetVector.h"

namespace samba {
#define GEN_PASS_DEF_SAMBAQUANTIZEKV
#include "passes/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

/// The values that a ring is on its way through attention, kernels and functions: all have one type.
class Rings {
public:
  explicit Rings(ModuleOp module) : module(module) {
    module.walk([&](func::CallOp call) { calls[call.getCallee()].push_back(call); });
  }

  /// Adds what is the same ring as `start`, earlier or later. Fails where a ring is something else to somebody.
  LogicalResult follow(Value start) {
    SmallVector<Value> worklist = {start};
    while (!worklist.empty()) {
      Value value = worklist.pop_back_val();
      if (!values.insert(value))
        continue;
      if (failed(addDefinition(value, worklist)))
        return failure();
      for (OpOperand &use : value.getUses())
        if (failed(addUse(use, worklist)))
          return failure();
    }
    return success();
  }

  void retype(Type element) {
    for (Value value : values) {
      auto type = cast<StateType>(value.getType());
      value.setType(StateType::get(type.getContext(), type.getShape(), element));
    }
    for (auto function : module.getOps<func::FuncOp>())
      if (!function.isDeclaration() && isa<func::ReturnOp>(function.getBody().front().getTerminator()))
        function.setFunctionType(FunctionType::get(module.getContext(), function.getBody().getArgumentTypes(),
                                                   function.getBody().front().getTerminator()->getOperandTypes()));
  }

private:
  LogicalResult addDefinition(Value value, SmallVectorImpl<Value> &worklist) {
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      Operation *parent = argument.getOwner()->getParentOp();
      if (auto kernel = dyn_cast<KernelOp>(parent))
        worklist.push_back(kernel.getInputs()[argument.getArgNumber()]);
      else
        for (func::CallOp call : callsOf(cast<func::FuncOp>(parent)))
          worklist.push_back(call.getOperand(argument.getArgNumber()));
      return success();
    }
    Operation *op = value.getDefiningOp();
    unsigned number = cast<OpResult>(value).getResultNumber();
    if (auto attention = dyn_cast<SlidingWindowAttentionOp>(op))
      worklist.push_back(value == attention.getNewKeyState() ? attention.getKeyState() : attention.getValueState());
    else if (auto attention = dyn_cast<CrossAttentionOp>(op))
      worklist.push_back(value == attention.getNewKeyState() ? attention.getKeyState() : attention.getValueState());
    else if (auto kernel = dyn_cast<KernelOp>(op))
      worklist.push_back(kernel.getBody().front().getTerminator()->getOperand(number));
    else if (func::FuncOp callee = calleeOf(op))
      worklist.push_back(callee.getBody().front().getTerminator()->getOperand(number));
    else
      return refuse(op);
    return success();
  }

  LogicalResult addUse(OpOperand &use, SmallVectorImpl<Value> &worklist) {
    Operation *op = use.getOwner();
    unsigned number = use.getOperandNumber();
    if (auto attention = dyn_cast<SlidingWindowAttentionOp>(op)) {
      bool isKey = &use == &attention.getKeyStateMutable();
      worklist.push_back(isKey ? attention.getNewKeyState() : attention.getNewValueState());
    } else if (auto attention = dyn_cast<CrossAttentionOp>(op)) {
      bool isKey = &use == &attention.getKeyStateMutable();
      worklist.push_back(isKey ? attention.getNewKeyState() : attention.getNewValueState());
    } else if (auto kernel = dyn_cast<KernelOp>(op)) {
      worklist.push_back(kernel.getBody().getArgument(number));
    } else if (isa<YieldOp>(op)) {
      worklist.push_back(op->getParentOp()->getResult(number));
    } else if (isa<func::ReturnOp>(op)) {
      for (func::CallOp call : callsOf(op->getParentOfType<func::FuncOp>()))
        worklist.push_back(call.getResult(number));
    } else if (func::FuncOp callee = calleeOf(op)) {
      worklist.push_back(callee.getArgument(number));
    } else {
      return refuse(op);
    }
    return success();
  }

  LogicalResult refuse(Operation *op) {
    return op->emitError() << "expected only attention, kernels and calls of functions of samba IR to pass keys and "
                              "values on, got "
                           << op->getName();
  }

  ArrayRef<func::CallOp> callsOf(func::FuncOp function) { return calls[function.getSymName()]; }

  func::FuncOp calleeOf(Operation *op) {
    auto call = dyn_cast<func::CallOp>(op);
    auto callee = call ? module.lookupSymbol<func::FuncOp>(call.getCallee()) : func::FuncOp();
    return callee && !callee.isDeclaration() ? callee : func::FuncOp();
  }

  ModuleOp module;
  llvm::StringMap<SmallVector<func::CallOp>> calls;
  llvm::SetVector<Value> values;
};

struct QuantizeKv : public samba::impl::SambaQuantizeKvBase<QuantizeKv> {
  using SambaQuantizeKvBase::SambaQuantizeKvBase;

  void runOnOperation() override {
    ModuleOp module = getOperation();
    Builder b(&getContext());
    Type element = type == "f32"    ? Type(b.getF32Type())
                   : type == "bf16" ? Type(b.getBF16Type())
                   : type == "int8" ? Type(b.getI8Type())
                                    : Type();
    if (!element) {
      emitError(module.getLoc()) << "expected keys and values of type f32, bf16 or int8, got '" << type << "'";
      return signalPassFailure();
    }

    SmallVector<SlidingWindowAttentionOp> attentions;
    module.walk([&](SlidingWindowAttentionOp attention) {
      if (attention.getKeyState().getType().getElementType().isF32())
        attentions.push_back(attention);
    });
    if (element.isF32() || attentions.empty())
      return;
    Rings rings(module);
    for (SlidingWindowAttentionOp attention : attentions) {
      if (element.isInteger() && attention.getValueDim() != attention.getHeadDim()) {
        attention.emitError() << "expected values as wide as keys for keys and values of int8, got "
                              << attention.getValueDim() << " lanes and " << attention.getHeadDim();
        return signalPassFailure();
      }
      if (element.isInteger() && !QuantAttr::isGroup(attention.getHeadDim())) {
        attention.emitError() << "expected heads of a multiple of 8 lanes between 8 and 1024 for keys and values of "
                                 "int8, got "
                              << attention.getHeadDim();
        return signalPassFailure();
      }
      if (failed(rings.follow(attention.getKeyState())) || failed(rings.follow(attention.getValueState())))
        return signalPassFailure();
    }
    rings.retype(element);
    for (SlidingWindowAttentionOp attention : attentions)
      for (OpOperand *rows : {&attention.getKMutable(), &attention.getVMutable()})
        rows->set(rounded(rows->get(), attention));
  }

private:
  Value rounded(Value rows, SlidingWindowAttentionOp attention) {
    RankedTensorType held = heldRows(cast<RankedTensorType>(rows.getType()), attention.getKeyState().getType());
    // A profile of numerics may have rounded them to bf16 already.
    if (auto widened = rows.getDefiningOp<arith::ExtFOp>(); widened && widened.getIn().getType() == held)
      return widened.getIn();
    OpBuilder b(attention);
    return held.getEncoding() ? Value(QuantizeRowsOp::create(b, rows.getLoc(), held, rows))
                              : Value(arith::TruncFOp::create(b, rows.getLoc(), held, rows));
  }
};

} // namespace
