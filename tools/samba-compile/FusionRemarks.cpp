//===- FusionRemarks.cpp - collects what fusion passes say ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-compile/FusionRemarks.h"

#include "lowering/emit/DiagnosticCapture.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Regex.h"

using namespace mlir;
using namespace samba;

namespace {

class Collector : public remark::detail::MLIRRemarkStreamerBase {
public:
  Collector(std::shared_ptr<FusionDecisions> decisions, llvm::StringRef filter)
      : decisions(std::move(decisions)), filter(filter.empty() ? ".*" : filter) {}

  void streamOptimizationRemark(const remark::detail::Remark &remark) override {
    if (!filter.match(remark.getRemarkName()))
      return;
    FusionDecision decision{remark.getRemarkTypeString().str(),
                            remark.getRemarkName().str(),
                            remark.getFunction().str(),
                            describeLocation(remark.getLocation()),
                            {}};
    for (const auto &arg : remark.getArgs())
      decision.values.emplace_back(arg.key, arg.val);
    decisions->push_back(std::move(decision));
  }

private:
  std::shared_ptr<FusionDecisions> decisions;
  llvm::Regex filter;
};

std::string quoted(llvm::StringRef text) {
  std::string result = "'";
  for (char c : text)
    result += c == '\'' ? std::string("''") : std::string(1, c);
  return result + "'";
}

} // namespace

llvm::StringRef FusionDecision::value(llvm::StringRef key) const {
  for (const auto &[name, text] : values)
    if (name == key)
      return text;
  return "";
}

std::shared_ptr<FusionDecisions> samba::collectFusionRemarks(MLIRContext &context, llvm::StringRef filter) {
  auto decisions = std::make_shared<FusionDecisions>();
  remark::RemarkCategories categories;
  categories.passed = categories.missed = categories.failed = categories.analysis = "samba-fusion";
  (void)remark::enableOptimizationRemarks(context, std::make_unique<Collector>(decisions, filter),
                                          std::make_unique<remark::RemarkEmittingPolicyAll>(), categories);
  return decisions;
}

std::string samba::fusionRemarksAsText(llvm::ArrayRef<FusionDecision> decisions) {
  std::string text;
  for (const FusionDecision &decision : decisions) {
    std::string what = decision.value("Projections").str();
    if (what.empty())
      what = decision.value("Producer").str() + " -> " + decision.value("Consumer").str();
    text += llvm::formatv("{0}: {1}: {2}: {3}: {4}\n", decision.function, decision.pass, what,
                          decision.outcome == "Passed" ? "fused" : "not fused", decision.value("Reason"));
  }
  return text;
}

std::string samba::fusionRemarksAsYaml(llvm::ArrayRef<FusionDecision> decisions) {
  std::string text;
  for (const FusionDecision &decision : decisions) {
    text += "--- !" + decision.outcome + "\nPass:            samba-fusion\nName:            " + decision.pass +
            "\nFunction:        " + quoted(decision.function) + "\nArgs:\n";
    text += "  - Layer:           " + quoted(decision.layer) + "\n";
    for (const auto &[key, value] : decision.values)
      text += llvm::formatv("  - {0,-16} {1}\n", key + ":", quoted(value));
    text += "...\n";
  }
  return text;
}
