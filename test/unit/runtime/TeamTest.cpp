//===- TeamTest.cpp - claims and barriers under stress -------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Team.h"

#include <atomic>
#include <gtest/gtest.h>
#include <memory>

using namespace samba::runtime;

namespace {

constexpr int64_t largest = 1000;

struct Record {
  std::unique_ptr<std::atomic<int32_t>[]> claimed{new std::atomic<int32_t>[largest]};
  std::atomic<int32_t> members{0};
  std::atomic<int32_t> wrong{0};
  int64_t plain = 0; // written by one thread, read by all after the barrier
  int32_t loops = 0;
};

/// Each iteration of each loop must be claimed once; after the barrier all threads see all of it.
void step(const samba_call *call, samba_team *team) {
  Record &record = *static_cast<Record *>(call->arena);
  ++record.members;
  const int64_t totals[] = {0, 1, 7, largest, 64, 3};
  for (int32_t loop = 0; loop < record.loops; ++loop) {
    int64_t total = totals[loop % 6];
    for (;;) {
      uint64_t range = team->claim(team, static_cast<uint64_t>(total));
      uint32_t begin = static_cast<uint32_t>(range), end = static_cast<uint32_t>(range >> 32);
      if (begin == end)
        break;
      record.wrong += begin > end || end > total;
      for (uint32_t i = begin; i < end; ++i)
        record.claimed[i].fetch_add(1, std::memory_order_relaxed);
    }
    // Nothing comes back before the barrier, however often one asks.
    uint64_t again = team->claim(team, static_cast<uint64_t>(total));
    record.wrong += static_cast<uint32_t>(again) != again >> 32;
    team->barrier(team);
    for (int64_t i = team->thread; i < largest; i += team->threads)
      record.wrong += record.claimed[i].exchange(0, std::memory_order_relaxed) != (i < total ? 1 : 0);
    if (team->thread == loop % team->threads)
      record.plain = loop;
    team->barrier(team);
    record.wrong += record.plain != loop;
    team->barrier(team);
  }
}

class TeamOf : public testing::TestWithParam<int32_t> {};

TEST_P(TeamOf, Stress) {
  Team team(GetParam());
  EXPECT_EQ(team.threads(), GetParam());
  Record record;
  for (int64_t i = 0; i < largest; ++i)
    record.claimed[i] = 0;
  samba_call call = {};
  call.arena = &record;
  // Loop counts of both parities, also none, so that nothing may be left over from one call to the next.
  int32_t members = 0;
  for (int32_t loops : {0, 1, 2, 150, 3, 151}) {
    record.loops = loops;
    team.run(step, call);
    members += GetParam();
    EXPECT_EQ(record.members, members);
    ASSERT_EQ(record.wrong, 0) << loops;
  }
}

INSTANTIATE_TEST_SUITE_P(Threads, TeamOf, testing::Range(1, 9));

/// A thread that does not run must not hold up the others' loops: thread 1 claims nothing until they are done.
TEST(Team, LateThreadIsNotWaitedFor) {
  struct Shared {
    std::atomic<int32_t> iterations{0};
    std::atomic<bool> finished{false};
  } shared;
  Team team(2);
  samba_call call = {};
  call.arena = &shared;
  team.run(
      [](const samba_call *call, samba_team *team) {
        Shared &shared = *static_cast<Shared *>(call->arena);
        while (team->thread == 1 && !shared.finished)
          ;
        for (int32_t loop = 0; loop < 10; ++loop) {
          for (;;) {
            uint64_t range = team->claim(team, 50);
            if (static_cast<uint32_t>(range) == range >> 32)
              break;
            shared.iterations += static_cast<int32_t>((range >> 32) - static_cast<uint32_t>(range));
          }
          team->barrier(team);
        }
        if (team->thread == 0 || team->threads == 1)
          shared.finished = true;
        team->barrier(team);
      },
      call);
  EXPECT_EQ(shared.iterations, 500);
}

TEST(Team, DefaultThreads) { EXPECT_GE(Team(0).threads(), 1); }

TEST(Team, AloneTakesAll) {
  Team team(1);
  samba_call call = {};
  std::vector<std::pair<uint32_t, uint32_t>> chunks;
  call.arena = &chunks;
  team.run(
      [](const samba_call *call, samba_team *team) {
        auto &chunks = *static_cast<std::vector<std::pair<uint32_t, uint32_t>> *>(call->arena);
        for (;;) {
          uint64_t range = team->claim(team, 0xffffffffu);
          if (static_cast<uint32_t>(range) == range >> 32)
            return;
          chunks.push_back({static_cast<uint32_t>(range), static_cast<uint32_t>(range >> 32)});
        }
      },
      call);
  // A thread alone takes everything at once, up to the largest total.
  EXPECT_EQ(chunks, (std::vector<std::pair<uint32_t, uint32_t>>{{0, 0xffffffffu}}));
}

} // namespace
