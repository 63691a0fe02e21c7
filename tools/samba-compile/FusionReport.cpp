//===- FusionReport.cpp - a page about kernels and fusions ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-compile/FusionReport.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "passes/KernelFusion.h"
#include "tools/samba-compile/Prediction.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>

using namespace mlir;
using namespace samba;

namespace {

constexpr const char *kStyle = R"css(
:root { --ink:#1d2433; --soft:#5d6679; --line:#d5dae4; --paper:#fff; --wash:#f4f6fa; --good:#0b7a4b; --bad:#a8480c;
        --fused:#2456c8; --plain:#8b95a8; }
@media (prefers-color-scheme: dark) {
  :root { --ink:#e6e9f0; --soft:#9aa4b8; --line:#343c4d; --paper:#151a23; --wash:#1d2430; --good:#4cc38a; --bad:#f0a062;
          --fused:#7ba4ff; --plain:#8b95a8; } }
body { font:15px/1.5 system-ui,sans-serif; color:var(--ink); background:var(--paper); max-width:1120px;
       margin:2rem auto; padding:0 1rem; }
h1 { font-size:1.7rem; margin:0 0 .3rem } h2 { font-size:1.2rem; margin:2.2rem 0 .6rem } p { margin:.4rem 0 }
.soft { color:var(--soft) } table { border-collapse:collapse; width:100%; font-variant-numeric:tabular-nums }
th { text-align:left; font-weight:600; color:var(--soft); font-size:.85rem }
th,td { padding:.35rem .6rem; border-bottom:1px solid var(--line); vertical-align:top }
td.n,th.n { text-align:right } td.n,th.n,td.good,td.bad { white-space:nowrap }
.good { color:var(--good) } .bad { color:var(--bad) }
.functions { display:grid; grid-template-columns:repeat(auto-fit,minmax(250px,1fr)); gap:1.2rem; align-items:start;
       margin-top:.9rem }
.function { background:var(--wash); border:1px solid var(--line); border-radius:10px; padding:.8rem }
.function h3 { margin:0 0 .6rem; font-size:1rem } .arrow { text-align:center; color:var(--soft); font-size:.8rem;
       line-height:1.3; padding:.15rem 0 } .arrow::before { content:"\2193 " }
.call { margin:.3rem 0 } .kernel { border:1.5px solid var(--plain); background:var(--paper); border-radius:8px; padding:.45rem .6rem }
.kernel.fused { border-color:var(--fused); border-width:2px } .kernel b { overflow-wrap:anywhere; font-size:.9rem }
.call { border:1.5px dashed var(--plain); border-radius:8px; padding:.3rem .6rem; font-size:.9rem }
.ops { display:flex; flex-wrap:wrap; gap:.25rem; margin:.3rem 0 } .ops span { background:var(--wash); border-radius:4px;
       border:1px solid var(--line); padding:0 .35rem; font-size:.78rem }
.kernel small { color:var(--soft); display:block } svg text { fill:var(--soft); font-size:12px }
code { font-size:.88em } .scroll { overflow-x:auto } .scroll table,.scroll svg { min-width:44rem } svg { display:block }
)css";

std::string escape(llvm::StringRef text) {
  std::string result;
  for (char c : text)
    switch (c) {
    case '<':
      result += "&lt;";
      break;
    case '>':
      result += "&gt;";
      break;
    case '&':
      result += "&amp;";
      break;
    case '"':
      result += "&quot;";
      break;
    default:
      result += c;
    }
  return result;
}

/// Names of kernels may break where their parts meet.
std::string nameText(llvm::StringRef name) {
  std::string text = escape(name), result;
  for (char c : text)
    result += c == '+' || c == '.' ? std::string(1, c) + "<wbr>" : std::string(1, c);
  return result;
}

std::string bytesText(double bytes) {
  const char *units[] = {"B", "kB", "MB", "GB", "TB"};
  int unit = 0;
  for (; std::abs(bytes) >= 1000 && unit < 4; ++unit)
    bytes /= 1000;
  return llvm::formatv(unit == 0 ? "{0:f0} {1}" : "{0:f2} {1}", bytes, units[unit]).str();
}

std::string countText(double count) {
  const char *units[] = {"", "k", "M", "G", "T"};
  int unit = 0;
  for (; count >= 1000 && unit < 4; ++unit)
    count /= 1000;
  return llvm::formatv(unit == 0 ? "{0:f0}{1}" : "{0:f2} {1}", count, units[unit]).str();
}

struct Point {
  std::string name;
  KernelCost cost;
  int64_t calls;
  bool fused;
};

class Page {
public:
  Page(ModuleOp unfused, ModuleOp fused, llvm::ArrayRef<FusionDecision> decisions)
      : unfused(unfused), fused(fused), decisions(decisions), stream(text) {}

  std::string write() {
    std::string name = escape(fused.getName().value_or("model"));
    stream << "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
              "content=\"width=device-width,initial-scale=1\"><title>Fusion report: "
           << name << "</title><style>" << kStyle << "</style></head><body>\n<h1>Fusion report: " << name << "</h1>\n"
           << llvm::formatv("<p class=\"soft\">Predictions of the cost model for a machine that reads {0:f0} GB/s, "
                            "computes {1:f0} GFLOP/s and pays {2:f1} &micro;s for a barrier. Only what crosses the "
                            "border of a kernel is traffic.</p>\n",
                            machine.bandwidth, machine.flops, machine.barrier);
    writeTotals();
    writeFunctions();
    writeDecisions();
    writeRoofline();
    stream << "</body></html>\n";
    return std::move(text);
  }

private:
  void writeTotals() {
    stream << "<h2>One step of the model</h2>\n<div class=\"scroll\"><table><tr><th>step</th><th></th><th "
              "class=\"n\">activations</th><th class=\"n\">weights</th><th class=\"n\">state</th><th "
              "class=\"n\">flops</th><th class=\"n\">barriers</th><th class=\"n\">predicted time</th></tr>\n";
    for (auto [title, workload] : {std::pair("decode, 1 token", decode), std::pair("prefill, 256 tokens", prefill)}) {
      KernelCost before = predictStep(unfused, workload), after = predictStep(fused, workload);
      for (const KernelCost *cost : {&before, &after})
        stream << llvm::formatv("<tr><td>{0}</td><td>{1}</td><td class=\"n\">{2}</td><td class=\"n\">{3}</td><td "
                                "class=\"n\">{4}</td><td class=\"n\">{5}</td><td class=\"n\">{6}</td><td "
                                "class=\"n\">{7:f0} &micro;s</td></tr>\n",
                                cost == &before ? title : "", cost == &before ? "unfused" : "<b>fused</b>",
                                bytesText(cost->activationBytes), bytesText(cost->weightBytes),
                                bytesText(cost->stateBytes), countText(cost->flops), cost->barriers,
                                cost->microseconds(machine));
      int64_t saved = before.bytes() - after.bytes();
      stream << llvm::formatv("<tr><td></td><td colspan=\"7\" class=\"good\">{0} fewer over the borders of kernels "
                              "({1:f1}%), {2} fewer barriers</td></tr>\n",
                              bytesText(saved), before.bytes() ? 100.0 * saved / before.bytes() : 0.0,
                              before.barriers - after.barriers);
    }
    stream << "</table></div>\n";
  }

  void writeKernel(Operation *op, const KernelCost &cost) {
    auto kernel = dyn_cast<KernelOp>(op);
    llvm::SmallVector<std::string> ops;
    if (kernel)
      for (Operation &inner : kernel.getBody().front().without_terminator())
        if (isComputation(&inner))
          ops.push_back(inner.getName().stripDialect().str());
    stream << "<div class=\"kernel" << (ops.size() > 1 ? " fused" : "") << "\"><b>"
           << nameText(kernel ? kernel.getName() : modelName(op)) << "</b>";
    stream << "<div class=\"ops\">";
    for (const std::string &name : ops)
      stream << "<span>" << escape(name) << "</span>";
    stream << "</div><small>"
           << llvm::formatv("{0} over the border{1}<br>{2} flops, {3} {4}", bytesText(cost.bytes()),
                            cost.weightBytes ? ", " + bytesText(cost.weightBytes) + " of them weights" : "",
                            countText(cost.flops), cost.barriers, cost.barriers == 1 ? "barrier" : "barriers")
           << "</small></div>\n";
  }

  /// Bytes of one token on their way to the next kernel.
  static int64_t outgoing(Operation *op) {
    int64_t bytes = 0;
    for (Value result : op->getResults())
      if (isActivation(result.getType()) && !result.use_empty())
        bytes += cast<RankedTensorType>(result.getType()).getDimSize(1) *
                 (cast<RankedTensorType>(result.getType()).getElementTypeBitWidth() / 8);
    return bytes;
  }

  void writeFunctions() {
    stream
        << "<h2>Kernels after fusion</h2>\n<p class=\"soft\">Boxes are kernels of a decode step, with the operations "
           "that they keep inside; a thick border marks a fused one. Arrows carry what one token leaves for later "
           "kernels.</p>\n<div class=\"functions\">\n";
    for (auto &[function, count, rows, model] : CostModel(decode).callsOf(fused)) {
      if (function.isDeclaration())
        continue;
      stream << "<div class=\"function\"><h3>@" << escape(function.getSymName()) << " <span class=\"soft\">"
             << (count == 1 ? std::string("once") : llvm::formatv("{0} times", count).str())
             << " per step</span></h3>\n";
      llvm::DenseMap<Operation *, KernelCost> costs;
      for (auto &[op, cost] : model.kernelsOf(function))
        costs[op] = cost;
      std::string callee; // repeated calls are counted
      int64_t calls = 0;
      auto flushCalls = [&] {
        if (calls)
          stream << "<div class=\"call\">" << escape(callee)
                 << (calls > 1 ? llvm::formatv(" &times; {0}", calls).str() : "") << "</div>\n";
        calls = 0;
        callee.clear();
      };
      Operation *last = nullptr;
      for (Operation &op : function.getBody().front()) {
        if (auto call = dyn_cast<func::CallOp>(op)) {
          llvm::StringRef name = call.getCallee();
          ++calls;
          if (!llvm::StringRef(callee).contains(("@" + name).str()))
            callee += (callee.empty() ? "@" : ", @") + name.str();
        } else if (auto cost = costs.find(&op); cost != costs.end()) {
          flushCalls();
          if (last)
            stream << "<div class=\"arrow\">" << bytesText(outgoing(last)) << "</div>\n";
          writeKernel(&op, cost->second);
          last = &op;
        }
      }
      flushCalls();
      stream << "</div>\n";
    }
    stream << "</div>\n";
  }

  void writeDecisions() {
    stream << "<h2>Decisions</h2>\n<div class=\"scroll\"><table><tr><th>fusion</th><th>where</th><th>what</th><th "
              "class=\"n\">bytes saved</th><th>why</th></tr>\n";
    for (const FusionDecision &decision : decisions) {
      bool passed = decision.outcome == "Passed";
      std::string what = nameText(decision.value("Projections"));
      if (what.empty())
        what = nameText(decision.value("Producer")) + " &rarr; " + nameText(decision.value("Consumer"));
      llvm::StringRef name = decision.pass;
      name.consume_front("samba-fuse-");
      stream << "<tr><td class=\"" << (passed ? "good\">&#10003; " : "bad\">&#10007; ") << escape(name) << "</td><td>@"
             << escape(decision.function) << "</td><td>" << what << "</td><td class=\"n\">"
             << escape(decision.value("BytesSaved")) << "</td><td>" << escape(decision.value("Reason"))
             << "</td></tr>\n";
    }
    if (decisions.empty())
      stream << "<tr><td colspan=\"5\" class=\"soft\">No fusion was asked for.</td></tr>\n";
    stream << "</table></div>\n";
  }

  std::vector<Point> pointsOf(ModuleOp module, const CostModel &model, bool isFused) {
    std::vector<Point> points;
    for (auto &[function, count, rows, costs] : model.callsOf(module))
      for (auto &[op, cost] : costs.kernelsOf(function))
        if (cost.flops > 0 && cost.bytes() > 0) {
          auto kernel = dyn_cast<KernelOp>(op);
          points.push_back({kernel ? kernel.getName().str() : modelName(op).str(), cost, count, isFused});
        }
    return points;
  }

  /// Intensity from 1/16 to 1024 flops per byte, speed from 1/8 of a GFLOP/s to the machine's. The narrow
  /// page scrolls it sideways.
  void writeRoofline() {
    constexpr double kWidth = 1000, kHeight = 400, kLeft = 60, kBottom = 50, kTop = 20, kRight = 20;
    constexpr double kMinX = -4, kMaxX = 10;
    double maxY = std::ceil(std::log2(machine.flops)) + 0.5, minY = -3;
    auto x = [&](double intensity) {
      return kLeft +
             (std::clamp(std::log2(intensity), kMinX, kMaxX) - kMinX) / (kMaxX - kMinX) * (kWidth - kLeft - kRight);
    };
    auto y = [&](double speed) {
      return kHeight - kBottom -
             (std::clamp(std::log2(speed), minY, maxY) - minY) / (maxY - minY) * (kHeight - kBottom - kTop);
    };
    stream
        << "<h2>Roofline</h2>\n<p class=\"soft\">Each kernel of a decode step (circles) and of a prefill step "
           "(squares) at the speed that memory and arithmetic allow it, barriers included: below the roof lies what "
           "barriers and exponentials cost. Hollow: unfused. Filled: fused. What lies beyond the scale is drawn at its "
           "edge. Point at a kernel for its name and numbers.</p>\n<div class=\"scroll\">"
        << llvm::formatv("<svg viewBox=\"0 0 {0} {1}\" role=\"img\" aria-label=\"roofline\">\n", kWidth, kHeight);
    for (int e = int(kMinX); e <= int(kMaxX); e += 2) {
      double at = x(std::exp2(e));
      stream << llvm::formatv("<line x1=\"{0:f1}\" y1=\"{1}\" x2=\"{0:f1}\" y2=\"{2}\" stroke=\"var(--line)\"/><text "
                              "x=\"{0:f1}\" y=\"{3}\" text-anchor=\"middle\">{4}</text>\n",
                              at, kTop, kHeight - kBottom, kHeight - kBottom + 18,
                              e < 0 ? "1/" + std::to_string(1 << -e) : std::to_string(1 << e));
    }
    for (int e = int(minY) + 1; e <= int(maxY); e += 2)
      stream << llvm::formatv("<line x1=\"{0}\" y1=\"{1:f1}\" x2=\"{2}\" y2=\"{1:f1}\" stroke=\"var(--line)\"/><text "
                              "x=\"{3}\" y=\"{4:f1}\" text-anchor=\"end\">{5}</text>\n",
                              kLeft, y(std::exp2(e)), kWidth - kRight, kLeft - 6, y(std::exp2(e)) + 4,
                              e < 0 ? "1/" + std::to_string(1 << -e) : std::to_string(1 << e));
    double ridge = machine.flops / machine.bandwidth;
    stream << llvm::formatv("<polyline fill=\"none\" stroke=\"var(--ink)\" stroke-width=\"2\" points=\"{0:f1},{1:f1} "
                            "{2:f1},{3:f1} {4:f1},{3:f1}\"/>\n",
                            x(std::exp2(kMinX)), y(std::exp2(kMinX) * machine.bandwidth), x(ridge), y(machine.flops),
                            x(std::exp2(kMaxX)));
    stream << llvm::formatv("<text x=\"{0}\" y=\"{1}\" text-anchor=\"middle\">flops per byte</text><text x=\"14\" "
                            "y=\"{2}\" transform=\"rotate(-90 14 {2})\" text-anchor=\"middle\">GFLOP/s</text>\n",
                            (kLeft + kWidth) / 2, kHeight - 8, kHeight / 2 - 10);
    for (bool isPrefill : {false, true}) {
      CostModel model(isPrefill ? prefill : decode);
      for (bool isFused : {false, true})
        for (const Point &point : pointsOf(isFused ? fused : unfused, model, isFused)) {
          double intensity = double(point.cost.flops) / point.cost.bytes();
          double speed = point.cost.flops / (point.cost.microseconds(machine) * 1e3);
          std::string paint = isFused ? "fill=\"var(--fused)\" fill-opacity=\".8\"" : "fill=\"none\"";
          std::string shape =
              isPrefill ? llvm::formatv("<rect x=\"{0:f1}\" y=\"{1:f1}\" width=\"9\" height=\"9\"", x(intensity) - 4.5,
                                        y(speed) - 4.5)
                              .str()
                        : llvm::formatv("<circle cx=\"{0:f1}\" cy=\"{1:f1}\" r=\"5\"", x(intensity), y(speed)).str();
          stream << shape << " " << paint << " stroke=\"" << (isFused ? "var(--fused)" : "var(--plain)") << "\"><title>"
                 << llvm::formatv("{0}{1}, {2}: {3:f2} flops per byte, {4:f2} GFLOP/s, {5} per step",
                                  escape(point.name), isFused ? " (fused)" : "", isPrefill ? "prefill" : "decode",
                                  intensity, speed, point.calls)
                 << "</title></" << (isPrefill ? "rect" : "circle") << ">\n";
        }
    }
    stream << "</svg></div>\n";
  }

  ModuleOp unfused, fused;
  llvm::ArrayRef<FusionDecision> decisions;
  MachineCosts machine;
  Workload decode = kDecodeStep, prefill = kPrefillStep;
  std::string text;
  llvm::raw_string_ostream stream;
};

} // namespace

std::string samba::fusionReport(ModuleOp unfused, ModuleOp fused, llvm::ArrayRef<FusionDecision> decisions) {
  return Page(unfused, fused, decisions).write();
}
