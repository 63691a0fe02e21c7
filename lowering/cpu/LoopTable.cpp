//===- LoopTable.cpp - what the parallel loops of a step compute ----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/LoopTable.h"

#include "dialect/Cost.h"
#include "dialect/Samba.h"
#include "passes/MemoryLayout.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace samba;

// One row, of a sequence that has seen nothing.
static OpCost costOfRow(Operation *op) {
  Workload one;
  one.context = 0;
  return getCost(op, one);
}

static int64_t weightBytesOf(Operation *op) {
  int64_t bytes = 0;
  for (Type type : op->getOperandTypes())
    if (isWeightArgument(type) && !isa<EmbeddingOp>(op))
      bytes += packedSizeInBytes(cast<RankedTensorType>(type));
  return bytes;
}

DictionaryAttr samba::describeLoops(Operation *op, StringRef name) {
  Builder b(op->getContext());
  OpCost cost = costOfRow(op);
  int64_t weightBytes = weightBytesOf(op);
  SmallVector<NamedAttribute> entries{{"name", b.getStringAttr(name)},
                                      {"op", b.getStringAttr(op->getName().stripDialect())},
                                      {"flops", b.getI64IntegerAttr(cost.flops)},
                                      {"exps", b.getI64IntegerAttr(cost.exps)},
                                      {"weight_bytes", b.getI64IntegerAttr(weightBytes)}};
  auto perKey = [&](auto attention) {
    int64_t lanes = attention.getHeadDim() + attention.getValueDim();
    entries.emplace_back("flops_per_key", b.getI64IntegerAttr(2 * attention.getNumHeads() * lanes));
  };
  if (auto attention = dyn_cast<SlidingWindowAttentionOp>(op))
    perKey(attention);
  else if (auto attention = dyn_cast<CrossAttentionOp>(op))
    perKey(attention);
  return b.getDictionaryAttr(entries);
}

DictionaryAttr samba::describeGate(const FusedGate &fused, SwigluOp swiglu, StringRef name) {
  Builder b(swiglu.getContext());
  OpCost gate = costOfRow(fused.gate), swish = costOfRow(swiglu);
  int64_t flops = gate.flops, weightBytes = weightBytesOf(fused.gate);
  if (fused.up != fused.gate) {
    flops += costOfRow(fused.up).flops;
    weightBytes += weightBytesOf(fused.up);
  }
  return b.getDictionaryAttr({{"name", b.getStringAttr(name)},
                              {"op", b.getStringAttr(fused.gate->getName().stripDialect())},
                              {"flops", b.getI64IntegerAttr(flops)},
                              {"exps", b.getI64IntegerAttr(swish.exps)},
                              {"weight_bytes", b.getI64IntegerAttr(weightBytes)},
                              {"epilogue_flops", b.getI64IntegerAttr(swish.flops)}});
}

DictionaryAttr samba::describeCopy(DictionaryAttr description, int64_t bytes, StringRef why) {
  Builder b(description.getContext());
  NamedAttrList entries(description);
  entries.set("copied_bytes", b.getI64IntegerAttr(bytes));
  entries.set("copied", b.getStringAttr(why));
  return entries.getDictionary(description.getContext());
}

DictionaryAttr samba::describeCondition(DictionaryAttr description, StringRef what, int64_t count) {
  NamedAttrList entries(description);
  entries.set((what + "_above").str(), Builder(description.getContext()).getI64IntegerAttr(count));
  return entries.getDictionary(description.getContext());
}

// Probes have no place in the table: profiles are taken without them.
void samba::recordLoopTable(ModuleOp module) {
  Builder b(module.getContext());
  SmallVector<NamedAttribute> table;
  for (auto function : module.getOps<func::FuncOp>()) {
    if (function.getSymName().starts_with("samba_probe_"))
      continue;
    SmallVector<Attribute> entries;
    function.walk<WalkOrder::PreOrder>([&](Operation *op) {
      if (auto call = dyn_cast<func::CallOp>(op)) {
        if (call.getCallee().starts_with("samba_probe_"))
          return;
        auto named = dyn_cast<NameLoc>(call.getLoc());
        entries.push_back(
            b.getDictionaryAttr({{"call", b.getStringAttr(call.getCallee())},
                                 {"layer", named ? named.getName() : b.getStringAttr(call.getCallee())}}));
      } else if (auto description = op->getAttrOfType<DictionaryAttr>("samba.loop")) {
        entries.push_back(description);
      }
    });
    table.emplace_back(function.getSymNameAttr(), b.getArrayAttr(entries));
  }
  module->setAttr("samba.loops", b.getDictionaryAttr(table));
}
