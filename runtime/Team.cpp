//===- Team.cpp - the threads that run a model ---------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Team.h"

#include <algorithm>
#include <climits>
#include <linux/futex.h>
#include <omp.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace samba::runtime;

// A loop of a small model takes a few microseconds, so a waiting thread polls for about as long as going to sleep and
// being woken costs; when other programs hold the cores, it sleeps after that and leaves them its core.
static constexpr int32_t pollsBeforeSleep = 2000;

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t) && std::atomic<uint32_t>::is_always_lock_free,
              "the kernel waits on the 32-bit word itself");

static void futexWait(std::atomic<uint32_t> &word, uint32_t value) {
  ::syscall(SYS_futex, reinterpret_cast<uint32_t *>(&word), FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

static void futexWakeAll(std::atomic<uint32_t> &word) {
  ::syscall(SYS_futex, reinterpret_cast<uint32_t *>(&word), FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

static void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

Team::Team(int32_t threads) : wanted(threads > 0 ? threads : std::max(1, omp_get_max_threads())) {
  spins = wanted <= omp_get_num_procs() ? pollsBeforeSleep : 0;
}

/// Chunks shrink with what is left: few claims at first, an even finish.
uint64_t Team::claim(samba_team *team, uint64_t total) {
  Team &self = *static_cast<Team *>(team->shared);
  uint64_t begin = self.next.load(std::memory_order_relaxed);
  while (begin < total) {
    uint64_t chunk = std::max<uint64_t>(1, (total - begin) / (2 * static_cast<uint64_t>(team->threads)));
    if (self.next.compare_exchange_weak(begin, begin + chunk, std::memory_order_relaxed))
      return begin | (begin + chunk) << 32;
  }
  return total | total << 32;
}

/// The last thread to arrive resets the loop and the barrier while all others wait, so one counter serves all loops.
void Team::barrier(samba_team *team) {
  Team &self = *static_cast<Team *>(team->shared);
  uint32_t epoch = self.epoch.load(std::memory_order_relaxed);
  if (self.arrived.fetch_add(1, std::memory_order_acq_rel) + 1 != static_cast<uint32_t>(team->threads))
    return self.wait(epoch);
  self.arrived.store(0, std::memory_order_relaxed);
  self.next.store(0, std::memory_order_relaxed);
  // In one total order with the accesses in wait(): either this thread sees the sleeper, or the sleeper the new epoch.
  self.epoch.store(epoch + 1, std::memory_order_seq_cst);
  if (self.sleepers.load(std::memory_order_seq_cst) > 0)
    futexWakeAll(self.epoch);
}

void Team::wait(uint32_t before) {
  for (int32_t i = 0; i < spins; ++i) {
    if (epoch.load(std::memory_order_acquire) != before)
      return;
    relax();
  }
  sleepers.fetch_add(1, std::memory_order_seq_cst);
  while (epoch.load(std::memory_order_seq_cst) == before)
    futexWait(epoch, before);
  sleepers.fetch_sub(1, std::memory_order_relaxed);
}

uint64_t Team::claimAll(samba_team *team, uint64_t total) {
  uint64_t begin = std::min(static_cast<Team *>(team->shared)->next.exchange(total, std::memory_order_relaxed), total);
  return begin | total << 32;
}

void Team::restart(samba_team *team) {
  static_cast<Team *>(team->shared)->next.store(0, std::memory_order_relaxed);
}

void Team::run(samba_entry entry, const samba_call &call) {
  next.store(0, std::memory_order_relaxed);
  if (wanted == 1) {
    samba_team alone = {claimAll, restart, 0, 1, this};
    return entry(&call, &alone);
  }
#pragma omp parallel num_threads(wanted)
  {
    samba_team member = {claim, barrier, omp_get_thread_num(), omp_get_num_threads(), this};
    entry(&call, &member);
  }
}
