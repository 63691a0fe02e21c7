//===- Recorder.h - when threads reach and pass barriers --------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Runs steps of an artefact on a team whose barriers look at the clock. The code is the same as ever: it calls the
// barrier through its samba_team, and here gets one that wraps the runtime's.
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_BENCH_RECORDER_H
#define TOOLS_SAMBA_BENCH_RECORDER_H

#include "runtime/CpuExecutor.h"
#include "runtime/Model.h"
#include "runtime/Team.h"
#include "tools/samba-bench/StepTable.h"

#include <string>
#include <vector>

namespace samba::bench {

struct Passage {
  double reached, passed; // seconds, of a barrier
};

struct Recording {
  double begin = 0, end = 0;
  std::vector<std::vector<Passage>> threads; // of each thread, in order
  std::vector<double> passed;                // by the first thread to do so: then the loop is done

  /// The seconds of each loop, from the barrier before it.
  std::vector<double> loopSeconds() const;
};

class Recorder {
public:
  Recorder(const std::string &path, const StepTable &table, int32_t threads);

  /// Makes `count` sequences with a state (null: fresh ones) after `context` tokens.
  void setSequences(int64_t count, const std::vector<char> *state, int64_t context);
  /// Runs a step of `step.tokens` random tokens for each sequence, which advance by them; logits are computed of the
  /// last ones. Throws std::runtime_error if the barriers are not those of the loop table.
  Recording run(const Step &step, uint64_t seed);

private:
  struct Call;
  struct Member;
  static void enter(const samba_call *call, samba_team *team);
  static uint64_t claim(samba_team *team, uint64_t total);
  static void barrier(samba_team *team);

  std::string path;
  const StepTable &table;
  runtime::Artefact artefact;
  runtime::Team team;
  std::vector<runtime::Block> states;
  std::vector<int64_t> positions;
  std::vector<std::vector<Passage>> passages; // of each thread, with room for the barriers of a step
};

} // namespace samba::bench

#endif // TOOLS_SAMBA_BENCH_RECORDER_H
