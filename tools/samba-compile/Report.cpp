//===- Report.cpp - what samba-compile tells its user ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-compile/Report.h"

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/raw_ostream.h"

using namespace samba;
namespace json = llvm::json;

static double seconds(std::chrono::steady_clock::duration duration) {
  return std::chrono::duration<double>(duration).count();
}

// In powers of 1000, three digits.
static std::string sizeText(uint64_t bytes) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
  double value = double(bytes);
  size_t unit = 0;
  for (; value >= 999.5 && unit + 1 < std::size(units); ++unit)
    value /= 1000;
  const char *format = unit == 0 || value >= 99.95 ? "%.0f %s" : value >= 9.995 ? "%.1f %s" : "%.2f %s";
  char text[32];
  snprintf(text, sizeof(text), format, value, units[unit]);
  return text;
}

static json::Object toJson(const KernelCost &cost) {
  return json::Object{{"activation_bytes", cost.activationBytes},
                      {"weight_bytes", cost.weightBytes},
                      {"state_bytes", cost.stateBytes},
                      {"flops", cost.flops},
                      {"exps", cost.exps},
                      {"barriers", cost.barriers},
                      {"microseconds", cost.microseconds(MachineCosts())}};
}

void Report::begin(llvm::StringRef step) {
  end();
  steps.push_back({step.str(), 0});
  stepStart = Clock::now();
  running = true;
}

void Report::end() {
  if (!running)
    return;
  running = false;
  clearBar();
  steps.back().seconds = seconds(Clock::now() - stepStart);
  if (options.verbose)
    llvm::errs() << llvm::formatv("{0,-9} {1,8:f3} s\n", steps.back().name, steps.back().seconds);
}

void Report::warn(llvm::StringRef message) const {
  if (!options.quiet)
    llvm::errs() << "samba-compile: warning: " << message << "\n";
}

void Report::progress(uint64_t done, uint64_t total) {
  if (options.quiet || total == 0 || !llvm::sys::Process::StandardErrIsDisplayed())
    return;
  Clock::time_point now = Clock::now();
  if (seconds(now - lastBar) < 0.1)
    return;
  lastBar = now;
  barShown = true;
  int percent = int(100.0 * double(done) / double(total));
  std::string bar = std::string(percent / 4, '#') + std::string(25 - percent / 4, '.');
  llvm::errs() << llvm::formatv("\rpacking weights [{0}] {1,3}% of {2} ", bar, percent, sizeText(total));
}

void Report::clearBar() {
  if (barShown)
    llvm::errs() << "\r\x1b[K";
  barShown = false;
}

void Report::summarise() {
  end();
  double total = seconds(Clock::now() - start);
  if (options.json)
    printJson(total);
  else if (!options.quiet && options.output != "-")
    printText(total);
}

void Report::printText(double total) const {
  llvm::raw_ostream &stream = llvm::errs();
  stream << options.output << ": " << sizeText(artefact.file);
  if (options.writesArtefact())
    stream << " (code " << sizeText(artefact.code) << ", weights " << sizeText(artefact.weights)
           << (options.splitWeights ? " beside" : "") << ", tokenizer " << sizeText(artefact.tokenizer) << ")";
  if (!cpu.empty())
    stream << " for " << cpu;
  stream << llvm::formatv(" in {0:f2} s", total);
  const char *separator = ": ";
  for (const Step &step : steps) {
    stream << separator << step.name << llvm::formatv(" {0:f2}", step.seconds);
    separator = ", ";
  }
  stream << "\n";
}

void Report::printJson(double total) const {
  json::Object times;
  for (const Step &step : steps)
    times[step.name] = step.seconds;
  json::Object summary{{"output", json::fixUTF8(options.output)},
                       {"seconds", json::Object{{"total", total}, {"phases", std::move(times)}}}};
  if (!cpu.empty())
    summary["cpu"] = cpu;
  json::Object bytes{{"file", int64_t(artefact.file)}};
  if (options.writesArtefact()) {
    bytes["code"] = int64_t(artefact.code);
    bytes["weights"] = int64_t(artefact.weights);
    bytes["tokenizer"] = int64_t(artefact.tokenizer);
  }
  summary["bytes"] = std::move(bytes);
  if (prediction)
    summary["predicted"] =
        json::Object{{"decode", toJson(prediction->decode)}, {"prefill", toJson(prediction->prefill)}};
  llvm::outs() << json::Value(std::move(summary)) << "\n";
  llvm::outs().flush();
}
