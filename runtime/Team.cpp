//===- Team.cpp - the threads that run a model ---------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Team.h"

#include <algorithm>
#include <climits>
#include <fcntl.h>
#include <linux/futex.h>
#include <omp.h>
#include <string>
#include <sys/mman.h>
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

/// libomp notes in a file named after the process that it is loaded, in shared memory or else in /tmp. It leaves the
/// file empty if it cannot write it (full disk, limit on file sizes) or is killed in between, and a later process of
/// the same number then dies of SIGBUS or waits for ever when it reads what is not there. So an empty one is removed.
static void removeEmptyRegistration() {
  std::string name = "/__KMP_REGISTERED_LIB_" + std::to_string(::getpid()) + "_" + std::to_string(::getuid());
  std::string fallback = "/tmp" + name;
  auto isEmpty = [](int file) {
    char first = 0;
    bool empty = file >= 0 && ::read(file, &first, 1) >= 0 && first == 0;
    if (file >= 0)
      ::close(file);
    return empty;
  };
  if (isEmpty(::shm_open(name.c_str(), O_RDONLY, 0)))
    ::shm_unlink(name.c_str());
  if (isEmpty(::open(fallback.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)))
    ::unlink(fallback.c_str());
}

Team::Team(int32_t threads) {
  removeEmptyRegistration();
  int32_t asked = omp_get_max_threads(); // by OMP_NUM_THREADS; the first call starts libomp
  removeEmptyRegistration();
  wanted = threads > 0 ? threads : std::max(1, asked);
  spins = wanted <= omp_get_num_procs() ? pollsBeforeSleep : 0;
}

/// A thread's own view. The samba_team is the first member, so that a pointer to it is one to the whole.
struct Team::Member {
  samba_team team;
  uint32_t epoch;      // that this thread is in: it may lag behind the team's
  uint32_t held = 0;   // iterations claimed and not yet finished
  uint64_t total = 0;  // of the loop of this epoch
  bool inLoop = false; // this epoch has a loop

  static Member &of(samba_team *team) { return *reinterpret_cast<Member *>(team); }
};

/// Chunks shrink with what is left: few claims at first, an even finish.
uint64_t Team::claim(samba_team *team, uint64_t total) {
  Team &self = *static_cast<Team *>(team->shared);
  Member &member = Member::of(team);
  self.finishChunk(member);
  member.inLoop = true;
  member.total = total;
  uint64_t seen = self.next.load(std::memory_order_acquire);
  // Of another epoch: the loop is finished, and the others are past its barrier.
  while (static_cast<uint32_t>(seen >> 32) == member.epoch) {
    uint64_t begin = seen & 0xffffffffu;
    if (begin >= total)
      break;
    uint64_t chunk = std::max<uint64_t>(1, (total - begin) / (2 * static_cast<uint64_t>(team->threads)));
    if (self.next.compare_exchange_weak(seen, seen + chunk, std::memory_order_acq_rel, std::memory_order_acquire)) {
      member.held = static_cast<uint32_t>(chunk);
      return begin | (begin + chunk) << 32;
    }
  }
  return 0;
}

/// Whoever finishes the last iteration of a loop ends its epoch. Until then nobody else can, so all counters are this
/// epoch's.
void Team::finishChunk(Member &member) {
  if (member.held == 0)
    return;
  uint64_t all = finished.fetch_add(member.held, std::memory_order_acq_rel) + member.held;
  member.held = 0;
  if (all == member.total)
    advance(member.epoch);
}

void Team::advance(uint32_t epoch) {
  finished.store(0, std::memory_order_relaxed);
  arrived.store(0, std::memory_order_relaxed);
  next.store(static_cast<uint64_t>(epoch + 1) << 32, std::memory_order_release);
  // In one total order with the accesses in wait(): either this thread sees the sleeper, or the sleeper the new epoch.
  current.store(epoch + 1, std::memory_order_seq_cst);
  if (sleepers.load(std::memory_order_seq_cst) > 0)
    futexWakeAll(current);
}

void Team::barrier(samba_team *team) {
  Team &self = *static_cast<Team *>(team->shared);
  Member &member = Member::of(team);
  self.finishChunk(member);
  // A loop without iterations has nobody to finish it: as without a loop, all threads meet.
  if (!member.inLoop || member.total == 0) {
    if (self.arrived.fetch_add(1, std::memory_order_acq_rel) + 1 == team->threads)
      self.advance(member.epoch);
  }
  self.wait(member.epoch);
  ++member.epoch;
  member.inLoop = false;
}

void Team::wait(uint32_t epoch) {
  for (int32_t i = 0; i < spins; ++i) {
    if (current.load(std::memory_order_acquire) != epoch)
      return;
    relax();
  }
  sleepers.fetch_add(1, std::memory_order_seq_cst);
  while (current.load(std::memory_order_seq_cst) == epoch)
    futexWait(current, epoch);
  sleepers.fetch_sub(1, std::memory_order_relaxed);
}

uint64_t Team::claimAlone(samba_team *team, uint64_t total) {
  Member &member = Member::of(team);
  if (member.inLoop)
    return 0;
  member.inLoop = true;
  return total << 32;
}

void Team::barrierAlone(samba_team *team) { Member::of(team).inLoop = false; }

void Team::run(samba_entry entry, const samba_call &call) {
  if (wanted == 1) {
    Member alone = {{claimAlone, barrierAlone, 0, 1, this}, 0};
    return entry(&call, &alone.team);
  }
  // The last call may have ended without a barrier.
  uint32_t epoch = current.load(std::memory_order_relaxed);
  finished.store(0, std::memory_order_relaxed);
  arrived.store(0, std::memory_order_relaxed);
  next.store(static_cast<uint64_t>(epoch) << 32, std::memory_order_relaxed);
#pragma omp parallel num_threads(wanted)
  {
    Member member = {{claim, barrier, omp_get_thread_num(), omp_get_num_threads(), this}, epoch};
    entry(&call, &member.team);
  }
}
