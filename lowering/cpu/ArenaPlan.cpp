//===- ArenaPlan.cpp - places of intermediate values ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/ArenaPlan.h"

#include "lowering/FirstFit.h"
#include "lowering/cpu/Kernels.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace samba;

namespace {

/// The value whose memory a view shows.
Value rootOf(Value value) {
  while (auto slice = value.getDefiningOp<tensor::ExtractSliceOp>())
    value = slice.getSource();
  return value;
}

int64_t bytesPerToken(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  if (auto quant = dyn_cast_or_null<QuantAttr>(type.getEncoding()))
    return llvm::alignTo(quant.getRowBytes(type.getDimSize(1)), 4); // of 16 rows whole cache lines
  int64_t bytes = type.getElementTypeBitWidth() / 8;
  for (int64_t size : type.getShape().drop_front())
    bytes *= size;
  return bytes;
}

class Planner {
public:
  explicit Planner(func::FuncOp function, const llvm::StringMap<int64_t> &calleeSizes)
      : function(function), calleeSizes(calleeSizes) {}

  FailureOr<ArenaPlan> plan() {
    Block &body = function.getBody().front();
    for (auto [i, op] : llvm::enumerate(body))
      number[&op] = i;
    bindResults(body.getTerminator());
    for (Operation &op : body)
      if (failed(visit(&op)))
        return failure();
    place();
    return std::move(result);
  }

private:
  /// A returned value that this function computes is computed in place of the result.
  void bindResults(Operation *terminator) {
    for (auto [i, value] : llvm::enumerate(terminator->getOperands()))
      if (isRows(value) && value.getDefiningOp() && rootOf(value) == value)
        result.results.try_emplace(value, i);
  }

  LogicalResult visit(Operation *op) {
    if (isa<tensor::ExtractSliceOp, LoadWeightOp>(op))
      return success();
    if (auto call = dyn_cast<func::CallOp>(op)) {
      auto size = calleeSizes.find(call.getCallee());
      if (size == calleeSizes.end())
        return call.emitOpError() << "calls '" << call.getCallee() << "', which is not a function of samba IR";
      result.calls[op] = -1;
      owners.emplace_back(op);
      intervals.push_back({size->second, number[op], number[op]});
    }
    if (auto linear = dyn_cast<LinearOp>(op); linear && fusedAddition(linear))
      return success();
    for (Value value : op->getResults())
      if (isRows(value) && !fusedRounding(value) && !result.results.contains(value))
        add(value, firstWrite(op), lastUse(value));
    if (auto kernel = dyn_cast<KernelOp>(op))
      visitKernel(kernel);
    return success();
  }

  /// Values inside a kernel live as long as it runs, unless they leave it: those are the kernel's results.
  void visitKernel(KernelOp kernel) {
    Block &body = kernel.getBody().front();
    for (Operation &op : body) {
      if (isa<tensor::ExtractSliceOp>(op))
        continue;
      if (auto linear = dyn_cast<LinearOp>(op); linear && (fusedAddition(linear) || gateOf(linear)))
        continue;
      for (Value value : op.getResults())
        if (isRows(value) && !fusedRounding(value) && !llvm::is_contained(body.getTerminator()->getOperands(), value))
          add(value, number[kernel], number[kernel]);
    }
  }

  /// What an operation returns may be written earlier, by the one whose epilogue it is.
  int64_t firstWrite(Operation *op) {
    int64_t first = number[op];
    if (isEpilogue(op))
      for (Value operand : op->getOperands())
        if (Operation *producer = operand.getDefiningOp(); producer && operand.hasOneUse())
          first = std::min(first, firstWrite(producer));
    return first;
  }

  int64_t lastUse(Value value) {
    int64_t last = number[value.getDefiningOp()];
    for (Operation *user : value.getUsers()) {
      last = std::max<int64_t>(last, number[user]);
      if (isa<tensor::ExtractSliceOp>(user))
        last = std::max(last, lastUse(user->getResult(0)));
    }
    return last;
  }

  void add(Value value, int64_t first, int64_t last) {
    owners.emplace_back(value);
    intervals.push_back({bytesPerToken(value), first, last});
  }

  void place() {
    result.size = firstFit(intervals);
    for (auto [interval, owner] : llvm::zip(intervals, owners)) {
      if (auto value = dyn_cast<Value>(owner))
        result.offsets[value] = interval.offset;
      else
        result.calls[cast<Operation *>(owner)] = interval.offset;
    }
  }

  func::FuncOp function;
  const llvm::StringMap<int64_t> &calleeSizes;
  llvm::DenseMap<Operation *, int64_t> number;
  SmallVector<Interval> intervals;
  SmallVector<llvm::PointerUnion<Value, Operation *>> owners;
  ArenaPlan result;
};

} // namespace

bool samba::isRows(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && type.getRank() > 0 && type.isDynamicDim(0);
}

FailureOr<ArenaPlan> samba::planArena(func::FuncOp function, const llvm::StringMap<int64_t> &calleeSizes) {
  return Planner(function, calleeSizes).plan();
}
