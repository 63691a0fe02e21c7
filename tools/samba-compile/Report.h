//===- Report.h - what samba-compile tells its user --------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_COMPILE_REPORT_H
#define TOOLS_SAMBA_COMPILE_REPORT_H

#include "lowering/emit/Artefact.h"
#include "tools/samba-compile/Options.h"
#include "tools/samba-compile/Prediction.h"
#include <chrono>
#include <vector>

namespace samba {

/// Times, sizes, warnings and progress. Everything goes to standard error, except the summary with --json.
class Report {
public:
  explicit Report(const CompileOptions &options) : options(options) {}

  /// Ends the step before, if there is one. A step is a phase or a part of one.
  void begin(llvm::StringRef step);
  void end();
  void warn(llvm::StringRef message) const;
  /// A bar, if somebody is looking.
  void progress(uint64_t done, uint64_t total);
  void setTarget(llvm::StringRef name) { cpu = name.str(); }
  void setSizes(const ArtefactSizes &sizes) { artefact = sizes; }
  void setPrediction(const Prediction &costs) { prediction = costs; }
  void setFileSize(uint64_t bytes) { artefact.file = bytes; }

  /// Call once, at the end.
  void summarise();

private:
  using Clock = std::chrono::steady_clock;
  struct Step {
    std::string name;
    double seconds;
  };
  void clearBar();
  void printText(double total) const;
  void printJson(double total) const;

  const CompileOptions &options;
  std::vector<Step> steps;
  bool running = false, barShown = false;
  Clock::time_point start = Clock::now(), stepStart, lastBar;
  std::string cpu;
  ArtefactSizes artefact;
  std::optional<Prediction> prediction;
};

} // namespace samba

#endif // TOOLS_SAMBA_COMPILE_REPORT_H
