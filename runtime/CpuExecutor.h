//===- CpuExecutor.h - steps on the CPU ------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_CPUEXECUTOR_H
#define RUNTIME_CPUEXECUTOR_H

#include "runtime/Executor.h"
#include "runtime/Team.h"

namespace samba::runtime {

/// Zeroed memory, 64-byte aligned.
class Block {
public:
  Block() = default;
  /// Throws SAMBA_ERROR_MEMORY.
  explicit Block(uint64_t bytes);
  void *data() const { return memory.get(); }

private:
  struct Free {
    void operator()(void *pointer) const;
  };
  std::unique_ptr<void, Free> memory;
};

/// The artefact's code with threads and scratch memory to run it.
class CpuExecutor : public Executor {
public:
  /// `threads` as for Team.
  CpuExecutor(const Artefact &artefact, int32_t threads) : artefact(artefact), team(threads) {}

  std::unique_ptr<SequenceState> createState() override;
  StepSizes limits() const override;
  void reserve(int64_t tokens, int64_t chosen) override;
  void run(const Step &step, const StepResult &result, samba_probe probe, void *probeUser) override;
  int32_t threads() const override { return team.threads(); }
  std::string device() const override { return "cpu"; }
  std::string counters() const override;

private:
  const Artefact &artefact;
  Team team;
  Block arena;
  int64_t arenaRows = 0;
  std::vector<void *> states; // of the running step
  std::vector<float> logits;  // of rows whose tokens are wanted
};

} // namespace samba::runtime

#endif // RUNTIME_CPUEXECUTOR_H
