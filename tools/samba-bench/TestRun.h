//===- TestRun.h - one test of one compiled model ---------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_BENCH_TESTRUN_H
#define TOOLS_SAMBA_BENCH_TESTRUN_H

#include "tools/samba-bench/Bench.h"

namespace samba::bench {

struct Test {
  int64_t prompt, generate, batch, depth;

  const char *kind() const { return generate == 0 ? "prompt" : prompt == 0 ? "generation" : "mixed"; }
  int64_t tokens() const { return batch * (prompt + generate); }
  std::string name() const;
};

/// All tests that the options ask for.
std::vector<Test> testsOf(const Options &options);

/// Sequences of a model, ready to run a test again and again. `test`, `model` and `snapshots` outlive it.
class TestRun {
public:
  TestRun(const Test &test, const Model &model, const Options &options, Snapshots &snapshots);

  /// One repetition, in seconds.
  double run();

private:
  const Test &test;
  const Model &model;
  const std::vector<char> *start = nullptr;
  std::vector<int32_t> prompt, generated;
  std::vector<Session> sessions;
  std::vector<float> logits;
};

} // namespace samba::bench

#endif // TOOLS_SAMBA_BENCH_TESTRUN_H
