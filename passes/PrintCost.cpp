//===- PrintCost.cpp - prints the predicted cost of kernels ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mlir/IR/Remarks.h"
#include "passes/CostModel.h"
#include "passes/Passes.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"

namespace samba {
#define GEN_PASS_DEF_SAMBAPRINTCOST
#include "passes/Passes.h.inc"
} // namespace samba

using namespace mlir;
using namespace samba;

namespace {

std::string kernelName(Operation *op) {
  auto kernel = dyn_cast<KernelOp>(op);
  return kernel ? kernel.getName().str() : op->getName().stripDialect().str() + " (in no kernel)";
}

struct PrintCost : public samba::impl::SambaPrintCostBase<PrintCost> {
  using SambaPrintCostBase::SambaPrintCostBase;

  void runOnOperation() override {
    if (format != "text" && format != "json")
      return fail("format text or json, got '" + format + "'");
    Workload workload{tokens, segments, context, rows < 0 ? segments : rows};
    if (tokens < 0 || segments < 1 || context < 0)
      return fail("tokens and context that are not negative, and segments that are positive");
    if (!(bandwidth > 0) || !(flops > 0) || !(exps > 0) || !(barrier >= 0))
      return fail("a machine with positive bandwidth, flops and exps");
    machine.bandwidth = bandwidth;
    machine.flops = flops;
    machine.exps = exps;
    machine.barrier = barrier;
    CostModel model(workload);
    emitRemarks(model);
    format == "json" ? printJson(model) : printText(model);
    markAllAnalysesPreserved();
  }

private:
  void fail(const Twine &expected) {
    emitError(getOperation().getLoc()) << "samba-print-cost: expected " << expected;
    signalPassFailure();
  }

  /// What the table says, as remarks of the kind "analysis" for tools that collect them.
  void emitRemarks(const CostModel &model) {
    for (auto &[function, count, rows, costs] : model.callsOf(getOperation()))
      for (auto &[op, cost] : costs.kernelsOf(function))
        remark::analysis(op->getLoc(),
                         remark::RemarkOpts::name(getArgument()).category("samba-cost").function(function.getSymName()))
            << remark::metric("Kernel", kernelName(op)) << remark::metric("Calls", count)
            << remark::metric("ActivationBytes", cost.activationBytes)
            << remark::metric("WeightBytes", cost.weightBytes) << remark::metric("StateBytes", cost.stateBytes)
            << remark::metric("Flops", cost.flops) << remark::metric("Barriers", cost.barriers);
  }

  void printLine(StringRef name, const KernelCost &cost) {
    llvm::outs() << llvm::formatv("{0,-36} {1,12} {2,12} {3,12} {4,14} {5,10} {6,8} {7,10:f1}\n", name,
                                  cost.activationBytes, cost.weightBytes, cost.stateBytes, cost.flops, cost.exps,
                                  cost.barriers, cost.microseconds(machine));
  }

  void printText(const CostModel &model) {
    const Workload &w = model.getWorkload();
    llvm::outs() << llvm::formatv("cost of a step of {0} tokens in {1} segments after {2} tokens, {3} rows of logits\n",
                                  w.tokens, w.segments, w.context, w.rows);
    llvm::outs() << llvm::formatv("{0,-36} {1,12} {2,12} {3,12} {4,14} {5,10} {6,8} {7,10}\n", "kernel", "activations",
                                  "weights", "state", "flops", "exps", "barriers", "time/us");
    KernelCost total;
    for (auto &[function, count, rows, costs] : model.callsOf(getOperation())) {
      if (function.isDeclaration())
        continue;
      llvm::outs() << "@" << function.getSymName() << ", called " << count << (count == 1 ? " time" : " times");
      if (rows != w.tokens)
        llvm::outs() << " with " << rows << (rows == 1 ? " row" : " rows");
      llvm::outs() << "\n";
      for (auto &[op, cost] : costs.kernelsOf(function))
        printLine("  " + kernelName(op), cost);
      KernelCost sum = costs.costOf(function);
      printLine("  one call", sum);
      total.add(sum, count);
    }
    printLine("step", total);
    llvm::outs().flush();
  }

  llvm::json::Object toJson(const KernelCost &cost) {
    return llvm::json::Object{{"activation_bytes", cost.activationBytes},
                              {"weight_bytes", cost.weightBytes},
                              {"state_bytes", cost.stateBytes},
                              {"flops", cost.flops},
                              {"exps", cost.exps},
                              {"barriers", cost.barriers},
                              {"microseconds", cost.microseconds(machine)}};
  }

  void printJson(const CostModel &model) {
    KernelCost total;
    llvm::json::Array functions;
    for (auto &[function, count, rows, costs] : model.callsOf(getOperation())) {
      if (function.isDeclaration())
        continue;
      llvm::json::Array kernels;
      for (auto &[op, cost] : costs.kernelsOf(function)) {
        llvm::json::Object kernel = toJson(cost);
        kernel["name"] = llvm::json::fixUTF8(kernelName(op));
        kernels.push_back(std::move(kernel));
      }
      KernelCost sum = costs.costOf(function);
      llvm::json::Object entry = toJson(sum);
      entry["name"] = llvm::json::fixUTF8(function.getSymName());
      entry["calls"] = count;
      entry["rows"] = rows;
      entry["kernels"] = std::move(kernels);
      functions.push_back(std::move(entry));
      total.add(sum, count);
    }
    llvm::json::Object root = toJson(total);
    const Workload &w = model.getWorkload();
    root["workload"] =
        llvm::json::Object{{"tokens", w.tokens}, {"segments", w.segments}, {"context", w.context}, {"rows", w.rows}};
    root["functions"] = std::move(functions);
    llvm::outs() << llvm::formatv("{0:2}\n", llvm::json::Value(std::move(root)));
    llvm::outs().flush();
  }

  MachineCosts machine;
};

} // namespace
