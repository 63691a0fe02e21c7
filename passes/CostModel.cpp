//===- CostModel.cpp - predicted cost of kernels --------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/CostModel.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/Epilogues.h"
#include "passes/MemoryLayout.h"

using namespace mlir;
using namespace samba;

namespace {

int64_t rowBytes(Type type) {
  auto tensor = cast<RankedTensorType>(type);
  if (auto quant = dyn_cast_or_null<QuantAttr>(tensor.getEncoding()))
    return quant.getRowBytes(tensor.getDimSize(1));
  int64_t bytes = tensor.getElementTypeBitWidth() / 8;
  for (int64_t size : tensor.getShape().drop_front())
    bytes *= size;
  return bytes;
}

/// Whether no buffer ever holds the result of an operation in a kernel: its only reader takes it from the loop.
bool staysInRegisters(Value result) {
  if (auto linear = result.getDefiningOp<LinearOp>(); linear && gateOf(linear))
    return true;
  return llvm::all_of(result.getUsers(),
                      [](Operation *user) { return isa<arith::AddFOp, arith::TruncFOp>(user) && isEpilogue(user); });
}

} // namespace

bool samba::isComputation(Operation *op) {
  if (isa<SambaDialect>(op->getDialect()))
    return !isa<WeightOp, LoadWeightOp, ProbeOp, KernelOp, YieldOp>(op);
  return OpTrait::hasElementwiseMappableTraits(op) && op->getNumResults() == 1 &&
         isa<RankedTensorType>(op->getResult(0).getType());
}

bool samba::isActivation(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getRank() == 2 && tensor.isDynamicDim(0);
}

double KernelCost::microseconds(const MachineCosts &machine) const {
  double memory = bytes() / (machine.bandwidth * 1e3);
  double arithmetic = flops / (machine.flops * 1e3) + exps / (machine.exps * 1e3);
  return std::max(memory, arithmetic) + barriers * machine.barrier;
}

KernelCost &KernelCost::add(const KernelCost &other, int64_t count) {
  activationBytes += count * other.activationBytes;
  weightBytes += count * other.weightBytes;
  stateBytes += count * other.stateBytes;
  flops += count * other.flops;
  exps += count * other.exps;
  barriers += count * other.barriers;
  internalBytes = std::max(internalBytes, other.internalBytes);
  return *this;
}

/// Rows follow the first matrix that a value is computed from, or what selects them.
int64_t CostModel::rowsOf(Value value) const {
  while (true) {
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type || type.getRank() == 0)
      return 0;
    if (!type.isDynamicDim(0))
      return type.getDimSize(0);
    if (auto argument = dyn_cast<BlockArgument>(value)) {
      auto kernel = dyn_cast<KernelOp>(argument.getOwner()->getParentOp());
      if (!kernel)
        return argumentRows.empty() ? workload.tokens : argumentRows[argument.getArgNumber()];
      value = kernel.getInputs()[argument.getArgNumber()];
      continue;
    }
    Operation *op = value.getDefiningOp();
    if (auto kernel = dyn_cast<KernelOp>(op)) {
      value = kernel.getBody().front().getTerminator()->getOperand(cast<OpResult>(value).getResultNumber());
      continue;
    }
    if (isa<GatherRowsOp>(op))
      return workload.rows;
    auto matrix = llvm::find_if(op->getOperands(), [](Value operand) { return isActivation(operand.getType()); });
    if (matrix == op->operand_end())
      return workload.tokens;
    value = *matrix;
  }
}

int64_t CostModel::bytesOf(Value value) const {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return 0; // a state counts where it is advanced
  if (type.hasStaticShape()) {
    // A quantised matrix that no panels have been chosen for yet: each row has its groups, with a scale each.
    if (auto quant = dyn_cast_or_null<QuantAttr>(type.getEncoding()); quant && !quant.getWidth())
      return type.getDimSize(0) * quant.groupsOf(type.getDimSize(1)) * (4 + quant.getGroup() * quant.getBits() / 8);
    return packedSizeInBytes(type);
  }
  if (isActivation(type))
    return rowsOf(value) * rowBytes(type);
  // Vectors: one entry per token if they are tokens, per sequence otherwise.
  return (type.getElementType().isInteger(32) ? workload.tokens : workload.segments + 1) * rowBytes(type);
}

/// `ops` with what crosses its border: operands from outside, results that are read outside. `whole` is the kernel, or
/// null if the one operation stands by itself.
KernelCost CostModel::costOfGroup(ArrayRef<Operation *> ops, Operation *whole) const {
  KernelCost cost;
  auto isInside = [&](Operation *op) { return op && llvm::is_contained(ops, op); };
  auto count = [&](Value value, int64_t bytes) {
    (isActivation(value.getType()) || !cast<RankedTensorType>(value.getType()).hasStaticShape() ? cost.activationBytes
                                                                                                : cost.weightBytes) +=
        bytes;
  };

  llvm::SetVector<Value> inputs;
  for (Operation *op : ops) {
    for (Value operand : op->getOperands())
      if (isa<RankedTensorType>(operand.getType()) && !isInside(operand.getDefiningOp()))
        inputs.insert(operand);
    Workload own = workload;
    auto rows = llvm::find_if(op->getResults(), [](Value result) { return isActivation(result.getType()); });
    if (rows != op->result_end())
      (isa<CrossAttentionOp>(op) ? own.rows : own.tokens) = rowsOf(*rows);
    OpCost opCost = getCost(op, own);
    cost.flops += opCost.flops;
    cost.exps += opCost.exps;
    cost.stateBytes += opCost.stateBytes;
    if (isComputation(op) && !(whole && isEpilogue(op)))
      cost.barriers += loopsOf(op, workload, own.tokens);
    for (OpOperand &operand : op->getOpOperands())
      if (!readsWhole(operand) && !isInside(operand.get().getDefiningOp()))
        count(operand.get(), opCost.gatheredBytes);

    for (Value result : op->getResults()) {
      if (!isActivation(result.getType()) || isa<tensor::ExtractSliceOp>(op))
        continue;
      bool leaves = !whole || llvm::any_of(result.getUsers(), [](Operation *user) { return isa<YieldOp>(user); });
      if (leaves)
        cost.activationBytes += bytesOf(result);
      else if (!staysInRegisters(result))
        cost.internalBytes += rowBytes(result.getType());
    }
  }

  for (Value input : inputs) {
    int64_t sliced = 0;
    bool whollyRead = false;
    for (OpOperand &use : input.getUses()) {
      if (!isInside(use.getOwner()) || isa<tensor::DimOp>(use.getOwner()))
        continue;
      if (auto slice = dyn_cast<tensor::ExtractSliceOp>(use.getOwner()))
        sliced += bytesOf(slice.getResult());
      else
        whollyRead |= readsWhole(use);
    }
    if (whollyRead)
      count(input, bytesOf(input));
    else if (sliced > 0)
      count(input, std::min(sliced, bytesOf(input)));
  }
  return cost;
}

KernelCost CostModel::costOf(Operation *op) const {
  if (auto kernel = dyn_cast<KernelOp>(op)) {
    SmallVector<Operation *> ops;
    for (Operation &inner : kernel.getBody().front().without_terminator())
      ops.push_back(&inner);
    return costOfGroup(ops, kernel);
  }
  return isComputation(op) ? costOfGroup({op}, nullptr) : KernelCost();
}

std::vector<std::pair<Operation *, KernelCost>> CostModel::kernelsOf(func::FuncOp function) const {
  std::vector<std::pair<Operation *, KernelCost>> kernels;
  if (!function.isDeclaration())
    for (Operation &op : function.getBody().front())
      if (isa<KernelOp>(op) || isComputation(&op))
        kernels.emplace_back(&op, costOf(&op));
  return kernels;
}

KernelCost CostModel::costOf(func::FuncOp function) const {
  KernelCost sum;
  for (auto &[op, cost] : kernelsOf(function))
    sum.add(cost);
  return sum;
}

std::vector<Calls> CostModel::callsOf(ModuleOp module) const {
  SymbolTable symbols(module);
  using Key = std::pair<func::FuncOp, SmallVector<int64_t>>;
  struct Node {
    std::map<size_t, int64_t> callees;
    int64_t count = 0;
    bool isOpen = true;
  };
  std::vector<Key> keys;
  std::vector<Node> nodes;
  std::vector<size_t> finished; // callees before their callers

  std::function<size_t(Key)> visit = [&](Key key) {
    if (auto known = llvm::find(keys, key); known != keys.end())
      return size_t(known - keys.begin());
    size_t index = keys.size();
    keys.push_back(key);
    nodes.emplace_back();
    CostModel inside(workload);
    inside.argumentRows = key.second;
    key.first.walk([&](func::CallOp call) {
      auto callee = symbols.lookup<func::FuncOp>(call.getCallee());
      if (!callee)
        return;
      SmallVector<int64_t> rows;
      for (Value operand : call.getOperands())
        rows.push_back(isActivation(operand.getType()) ? inside.rowsOf(operand) : 0);
      size_t called = visit({callee, rows});
      if (!nodes[called].isOpen)
        ++nodes[index].callees[called];
    });
    nodes[index].isOpen = false;
    finished.push_back(index);
    return index;
  };
  auto withAllTokens = [&](func::FuncOp function) {
    SmallVector<int64_t> rows;
    for (Type type : function.getArgumentTypes())
      rows.push_back(isActivation(type) ? workload.tokens : 0);
    return Key(function, rows);
  };

  for (auto function : module.getOps<func::FuncOp>())
    if (function.isPublic()) {
      size_t index = visit(withAllTokens(function));
      ++nodes[index].count;
    }
  for (size_t index : llvm::reverse(finished))
    for (auto [called, times] : nodes[index].callees)
      nodes[called].count += times * nodes[index].count;

  std::vector<Calls> calls;
  for (auto function : module.getOps<func::FuncOp>()) {
    size_t before = calls.size();
    auto add = [&](const Key &key, int64_t count) {
      auto matrix = llvm::find_if(function.getArgumentTypes(), isActivation);
      size_t at = matrix - function.getArgumentTypes().begin();
      calls.push_back(
          {function, count, at < key.second.size() ? key.second[at] : workload.tokens, CostModel(workload)});
      calls.back().costs.argumentRows = key.second;
    };
    for (auto [key, node] : llvm::zip(keys, nodes))
      if (key.first == function)
        add(key, node.count);
    if (calls.size() == before)
      add(withAllTokens(function), 0);
  }
  return calls;
}
