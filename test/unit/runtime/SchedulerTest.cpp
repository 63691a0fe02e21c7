//===- SchedulerTest.cpp - many sequences in one step --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "samba/samba.hpp"
#include "test/unit/runtime/FakeArtefact.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <map>

using namespace samba;
using namespace samba::test;

namespace {

class Scheduling : public testing::Test {
protected:
  Model open(int64_t chunk = SAMBA_DEFAULT_CHUNK) {
    artefact.write(folder / "model.so");
    samba_options options = SAMBA_OPTIONS_INIT;
    options.chunk = chunk;
    return Model(folder / "model.so", options);
  }

  Folder folder;
  FakeArtefact artefact;
};

void countTokens(void *user, const char *name, int64_t, const float *, int64_t rows, int64_t) {
  if (std::string(name) == "embeddings")
    static_cast<std::vector<int64_t> *>(user)->push_back(rows);
}

// Each sequence gets the logits that it gets alone, whatever the budget, and no step exceeds it.
TEST_F(Scheduling, SequencesDoNotMix) {
  std::vector<size_t> lengths = {40, 1, 7, 100, 3, 1};
  for (int64_t budget : {1, 2, 5, 6, 7, 64, 0}) {
    Model model = open();
    std::vector<int64_t> steps;
    model.setProbe(countTokens, &steps);
    Scheduler scheduler(model, budget);
    std::vector<Session> sessions;
    std::vector<std::vector<int32_t>> tokens;
    std::map<samba_session *, size_t> indexOf;
    for (size_t s = 0; s < lengths.size(); ++s) {
      sessions.emplace_back(model);
      indexOf[sessions[s].get()] = s;
      tokens.push_back(someTokens(lengths[s], static_cast<uint32_t>(s) + 1));
      scheduler.feed(sessions[s], tokens[s].data(), tokens[s].size());
    }
    // Five tokens more of each, greedily.
    size_t finished = 0;
    while (finished < sessions.size()) {
      for (const samba_ready &ready : scheduler.step()) {
        size_t s = indexOf.at(ready.session);
        std::vector<float> expected = predictLogits(artefact, tokens[s]);
        ASSERT_TRUE(std::equal(expected.end() - vocabSize, expected.end(), ready.logits)) << budget << " " << s;
        if (tokens[s].size() == lengths[s] + 5) {
          ++finished;
          continue;
        }
        tokens[s].push_back(
            static_cast<int32_t>(std::max_element(ready.logits, ready.logits + vocabSize) - ready.logits));
        scheduler.feed(sessions[s], &tokens[s].back(), 1);
      }
      ASSERT_LE(steps.back(), budget == 0 ? model.chunk() : budget);
    }
    EXPECT_TRUE(scheduler.step().empty());
  }
}

// Tokens in place of logits, also in turns with them.
TEST_F(Scheduling, Greedy) {
  Model model = open();
  Scheduler scheduler(model, 5);
  std::vector<Session> sessions;
  std::vector<std::vector<int32_t>> tokens;
  std::map<samba_session *, size_t> indexOf;
  for (size_t s = 0; s < 4; ++s) {
    sessions.emplace_back(model);
    indexOf[sessions[s].get()] = s;
    tokens.push_back(someTokens(1 + 4 * s, static_cast<uint32_t>(s) + 1));
    scheduler.feed(sessions[s], tokens[s].data(), tokens[s].size());
  }
  size_t chosen = 0;
  auto take = [&](samba_session *session, int32_t token) {
    size_t s = indexOf.at(session);
    std::vector<float> expected = predictLogits(artefact, tokens[s]);
    auto row = expected.end() - vocabSize;
    ASSERT_EQ(token, std::max_element(row, expected.end()) - row) << s;
    tokens[s].push_back(token);
    scheduler.feed(sessions[s], &token, 1);
    ++chosen;
  };
  for (int step = 0; step < 20; ++step)
    if (step % 4 == 3)
      for (const samba_ready &ready : scheduler.step())
        take(ready.session,
             static_cast<int32_t>(std::max_element(ready.logits, ready.logits + vocabSize) - ready.logits));
    else
      for (const samba_chosen &one : scheduler.stepGreedy())
        take(one.session, one.token);
  EXPECT_GT(chosen, 40u);
}

TEST_F(Scheduling, LongPromptsDoNotHoldUpOthers) {
  Model model = open(16);
  Scheduler scheduler(model, 10);
  Session longOne(model), otherLongOne(model), shortOne(model);
  std::vector<int32_t> tokens = someTokens(100);
  scheduler.feed(longOne, tokens.data(), 100);
  scheduler.feed(otherLongOne, tokens.data(), 100);
  scheduler.feed(shortOne, tokens.data(), 2);
  std::vector<samba_ready> ready = scheduler.step();
  ASSERT_EQ(ready.size(), 1u);
  EXPECT_EQ(ready[0].session, shortOne.get());
  // The short one takes its two, the others share the rest.
  EXPECT_EQ(longOne.position(), 4);
  EXPECT_EQ(otherLongOne.position(), 4);
  scheduler.feed(shortOne, tokens.data(), 1);
  EXPECT_EQ(scheduler.step().size(), 1u);
  EXPECT_EQ(longOne.position() + otherLongOne.position(), 8 + 9);
}

TEST_F(Scheduling, TakingTurns) {
  Model model = open();
  Scheduler scheduler(model, 2);
  std::vector<int32_t> tokens = someTokens(20);
  std::vector<Session> sessions;
  for (int i = 0; i < 5; ++i) {
    sessions.emplace_back(model);
    scheduler.feed(sessions.back(), tokens.data(), tokens.size());
  }
  for (int i = 0; i < 15; ++i)
    scheduler.step();
  for (Session &session : sessions)
    EXPECT_EQ(session.position(), 6);
}

TEST_F(Scheduling, RefusalsAndRemoval) {
  artefact.manifest["model"]["max_context"] = 10;
  Model model = open(), other = open();
  Scheduler scheduler(model);
  Session a(model), b(model), foreign(other);
  std::vector<int32_t> tokens = someTokens(11), bad = {3, 32};
  EXPECT_THROW(scheduler.feed(a, tokens.data(), 11), Exception);
  EXPECT_THROW(scheduler.feed(a, bad.data(), 2), Exception);
  EXPECT_THROW(scheduler.feed(foreign, tokens.data(), 1), Exception);
  scheduler.feed(a, tokens.data(), 6);
  EXPECT_THROW(scheduler.feed(a, tokens.data(), 5), Exception);
  scheduler.feed(a, tokens.data() + 6, 4); // behind the others
  scheduler.feed(b, tokens.data(), 2);
  scheduler.remove(b);
  std::vector<samba_ready> ready = scheduler.step();
  ASSERT_EQ(ready.size(), 1u);
  EXPECT_EQ(ready[0].session, a.get());
  EXPECT_EQ(a.position(), 10);
  EXPECT_EQ(b.position(), 0);
  EXPECT_THROW(Scheduler(model, -1), Exception);
  EXPECT_THROW(Scheduler(model, model.chunk() + 1), Exception);
}

} // namespace
