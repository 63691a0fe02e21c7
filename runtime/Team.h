//===- Team.h - the threads that run a model -------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_TEAM_H
#define RUNTIME_TEAM_H

#include "samba/abi.h"

#include <atomic>
#include <cstdint>

namespace samba::runtime {

/// A team of OpenMP threads that runs entry points (see samba/abi.h). One call at a time.
class Team {
public:
  /// `threads` 0: OMP_NUM_THREADS, or else as many as there are usable cores.
  explicit Team(int32_t threads);

  int32_t threads() const { return wanted; }
  /// Calls the entry point on every thread of the team, the calling thread being thread 0. If the system grants fewer
  /// threads than wanted, the team of this call is smaller.
  void run(samba_entry entry, const samba_call &call);

private:
  static uint64_t claim(samba_team *team, uint64_t total);
  static uint64_t claimAll(samba_team *team, uint64_t total);
  static void barrier(samba_team *team);
  static void restart(samba_team *team);

  void wait(uint32_t epoch);

  int32_t wanted;
  int32_t spins; // how often a waiting thread looks before it sleeps
  // Apart in the cache: `next` is written all the time while others poll `epoch`.
  alignas(64) std::atomic<uint64_t> next{0};  // first unclaimed iteration of the loop
  alignas(64) std::atomic<uint32_t> arrived{0}; // threads waiting at the barrier
  alignas(64) std::atomic<uint32_t> epoch{0};   // barriers passed
  std::atomic<uint32_t> sleepers{0};
};

} // namespace samba::runtime

#endif // RUNTIME_TEAM_H
