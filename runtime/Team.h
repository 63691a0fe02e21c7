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
///
/// The barrier behind a loop waits for the loop's iterations, not for threads: one that the system has not let run, and
/// so has claimed nothing, is not waited for. It finds the loops that it missed finished, passes their barriers and
/// catches up. Else every barrier would cost a scheduling delay on a machine that has other work. A barrier without a
/// loop before it waits for all threads.
class Team {
public:
  /// `threads` 0: OMP_NUM_THREADS, or else as many as there are usable cores.
  explicit Team(int32_t threads);

  int32_t threads() const { return wanted; }
  /// Calls the entry point on every thread of the team, the calling thread being thread 0. If the system grants fewer
  /// threads than wanted, the team of this call is smaller.
  void run(samba_entry entry, const samba_call &call);

private:
  struct Member;

  static uint64_t claim(samba_team *team, uint64_t total);
  static void barrier(samba_team *team);
  static uint64_t claimAlone(samba_team *team, uint64_t total);
  static void barrierAlone(samba_team *team);

  void finishChunk(Member &member);
  void advance(uint32_t epoch);
  void wait(uint32_t epoch);

  int32_t wanted;
  int32_t spins; // how often a waiting thread looks before it sleeps

  // A barrier ends an epoch. Apart in the cache: `next` is written all the time while others poll `current`.
  alignas(64) std::atomic<uint64_t> next{0};     // first unclaimed iteration, and the epoch << 32 that it is of
  alignas(64) std::atomic<uint64_t> finished{0}; // iterations of this epoch
  std::atomic<int32_t> arrived{0};               // threads at a barrier without a loop
  alignas(64) std::atomic<uint32_t> current{0};  // the epoch
  std::atomic<uint32_t> sleepers{0};             // threads that wait for it to change
};

} // namespace samba::runtime

#endif // RUNTIME_TEAM_H
