//===- Trace.h - steps as a trace for Perfetto ------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_BENCH_TRACE_H
#define TOOLS_SAMBA_BENCH_TRACE_H

#include "tools/samba-bench/Recorder.h"

namespace samba::bench {

struct TracedStep {
  std::string name;
  Step step;
  Recording recording;
};

/// Writes a trace in Chrome's JSON format: one track with steps, layers and kernels, and one for each thread with its
/// work and its waiting. Throws std::runtime_error if the file cannot be written.
void writeTrace(const std::string &path, const StepTable &table, const std::vector<TracedStep> &steps);

} // namespace samba::bench

#endif // TOOLS_SAMBA_BENCH_TRACE_H
