//===- OutOfMemoryTest.cpp - each allocation fails once ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each call is repeated with its first allocation failing, then its second, and so on until none fails. It must report
// that memory is short, and leave everything as it was. Opening a model is the exception: only allocations of some size
// fail there, because the JSON library allocates a few bytes in destructors and ends the process if it cannot.
//
//===----------------------------------------------------------------------===//

#include "samba/samba.hpp"
#include "test/unit/runtime/FakeArtefact.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <new>

// ThreadSanitizer's library defines these operators as well and lets nobody replace them.
#if !__has_feature(thread_sanitizer)

static std::atomic<int64_t> untilFailure{-1}; // allocations; below 0: none fails
static std::atomic<size_t> leastBytes{0};     // of those that count

static void *allocate(size_t bytes, size_t alignment) {
  if (untilFailure.load(std::memory_order_relaxed) >= 0 && bytes >= leastBytes && untilFailure.fetch_sub(1) == 0)
    throw std::bad_alloc();
  void *memory = alignment > alignof(std::max_align_t)
                     ? std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment)
                     : std::malloc(bytes > 0 ? bytes : 1);
  if (!memory)
    throw std::bad_alloc();
  return memory;
}

// The array forms and those that do not throw come back to these.
void *operator new(size_t bytes) { return allocate(bytes, 0); }
void *operator new(size_t bytes, std::align_val_t alignment) { return allocate(bytes, static_cast<size_t>(alignment)); }
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }
void operator delete(void *memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void *memory, size_t, std::align_val_t) noexcept { std::free(memory); }

using namespace samba;
using namespace samba::test;

namespace {

class OutOfMemory : public testing::Test {
protected:
  OutOfMemory() { artefact.write(folder / "model.so"); }

  /// Returns the number of allocations that failed.
  template <typename Call, typename Check> int64_t sweep(Call call, Check unchanged) {
    for (int64_t failing = 0;; ++failing) {
      untilFailure = failing;
      samba_status status = call();
      bool failed = untilFailure < 0;
      untilFailure = -1;
      if (!failed) {
        EXPECT_EQ(status, SAMBA_OK) << samba_last_error();
        return failing;
      }
      if (status == SAMBA_OK)
        continue; // it did without
      EXPECT_EQ(status, SAMBA_ERROR_MEMORY) << failing << ": " << samba_last_error();
      EXPECT_EQ(std::string(samba_last_error()).rfind("out of memory", 0), 0u) << samba_last_error();
      unchanged();
      if (HasFailure())
        return failing;
    }
  }

  Folder folder;
  FakeArtefact artefact;
  std::vector<int32_t> tokens = someTokens(40);
};

TEST_F(OutOfMemory, Opening) {
  std::string path = folder / "model.so";
  samba_options options = {sizeof(samba_options), 1, 1, 0, nullptr, 0};
  samba_model *model = nullptr;
  leastBytes = 500;
  EXPECT_GT(sweep([&] { return samba_open(path.c_str(), &options, &model); }, [&] { EXPECT_EQ(model, nullptr); }), 3);
  leastBytes = 0;
  samba_close(model);
}

TEST_F(OutOfMemory, Sessions) {
  Model model(folder / "model.so", {sizeof(samba_options), 1, 0, 7, nullptr, 0});
  Session session(model);
  session.evaluate(tokens.data(), 20, SAMBA_ROWS_NONE, nullptr, 0);
  session.attach("attached");
  samba_session *made = nullptr;
  auto nothing = [&] { EXPECT_EQ(made, nullptr); };
  auto release = [&] {
    samba_session_free(made);
    made = nullptr;
  };
  EXPECT_GT(sweep([&] { return samba_session_create(model.get(), &made); }, nothing), 0);
  release();
  EXPECT_GT(sweep([&] { return samba_session_fork(session.get(), &made); }, nothing), 0);
  release();
  std::string file = folder / "state";
  EXPECT_GT(sweep([&] { return samba_session_save(session.get(), file.c_str()); }, [] {}), 0);
  EXPECT_GT(sweep([&] { return samba_session_load(model.get(), file.c_str(), &made); }, nothing), 0);
  EXPECT_EQ(std::memcmp(samba_session_state(made), session.state(), stateBytes), 0);
  release();
}

TEST_F(OutOfMemory, EvaluationLeavesSessionsAsTheyWere) {
  std::vector<float> expected = predictLogits(artefact, tokens);
  for (bool marked : {false, true}) {
    Model model(folder / "model.so", {sizeof(samba_options), 1, 0, 7, nullptr, 0});
    Session a(model), b(model);
    a.evaluate(tokens.data(), 20, SAMBA_ROWS_NONE, nullptr, 0);
    if (marked)
      a.mark();
    std::string state(static_cast<const char *>(a.state()), stateBytes), fresh(stateBytes, '\0');
    std::vector<float> logits(22 * vocabSize);
    samba_segment segments[] = {{a.get(), &tokens[20], 20}, {b.get(), tokens.data(), 2}};
    auto unchanged = [&] {
      EXPECT_EQ(a.position(), 20);
      EXPECT_EQ(b.position(), 0);
      EXPECT_EQ(std::memcmp(a.state(), state.data(), stateBytes), 0);
      EXPECT_EQ(std::memcmp(b.state(), fresh.data(), stateBytes), 0);
    };
    EXPECT_GT(
        sweep([&] { return samba_evaluate(model.get(), segments, 2, SAMBA_ROWS_ALL, logits.data(), logits.size()); },
              unchanged),
        3);
    EXPECT_TRUE(std::equal(expected.begin() + 20 * vocabSize, expected.end(), logits.begin()));
  }
}

TEST_F(OutOfMemory, MarksAndSamplers) {
  artefact.manifest["state"]["fields"][2]["name"] = "layers.1.other"; // so that marks reach far
  artefact.write(folder / "model.so");
  Model model(folder / "model.so");
  Session session(model);
  session.evaluate(tokens.data(), 5, SAMBA_ROWS_NONE, nullptr, 0);
  std::string state(static_cast<const char *>(session.state()), stateBytes);
  EXPECT_GT(sweep([&] { return samba_session_mark(session.get()); }, [] {}), 0);
  session.evaluate(&tokens[5], 5, SAMBA_ROWS_NONE, nullptr, 0);
  sweep([&] { return samba_session_rollback(session.get(), 5); }, [&] { EXPECT_EQ(session.position(), 10); });
  EXPECT_EQ(std::memcmp(session.state(), state.data(), stateBytes), 0);

  samba_sampling sampling = SAMBA_SAMPLING_INIT;
  sampling.temperature = 1;
  sampling.presence_penalty = 1;
  samba_sampler *sampler = nullptr;
  EXPECT_GT(sweep([&] { return samba_sampler_create(&sampling, &sampler); }, [&] { EXPECT_EQ(sampler, nullptr); }), 0);
  auto saved = [&] {
    std::string bytes(200, '\0');
    size_t size = 0;
    untilFailure = -1;
    EXPECT_EQ(samba_sampler_serialize(sampler, bytes.data(), bytes.size(), &size), SAMBA_OK);
    return bytes.substr(0, size);
  };
  std::string empty = saved();
  EXPECT_GT(sweep([&] { return samba_sampler_accept(sampler, 3); }, [&] { EXPECT_EQ(saved(), empty); }), 0);
  std::string one = saved();
  check(samba_sampler_accept(sampler, 4));
  std::string two = saved();
  EXPECT_GT(
      sweep([&] { return samba_sampler_restore(sampler, one.data(), one.size()); }, [&] { EXPECT_EQ(saved(), two); }),
      0);
  EXPECT_EQ(saved(), one);
  std::vector<float> logits(vocabSize);
  int32_t token = -1;
  EXPECT_GT(sweep([&] { return samba_sampler_sample(sampler, logits.data(), logits.size(), &token); },
                  [&] { EXPECT_EQ(token, -1); }),
            0);
  samba_sampler_free(sampler);
}

TEST_F(OutOfMemory, Scheduling) {
  Model model(folder / "model.so", {sizeof(samba_options), 1, 0, 7, nullptr, 0});
  Session session(model);
  samba_scheduler *scheduler = nullptr;
  EXPECT_GT(
      sweep([&] { return samba_scheduler_create(model.get(), 0, &scheduler); }, [&] { EXPECT_EQ(scheduler, nullptr); }),
      0);
  EXPECT_GT(sweep([&] { return samba_scheduler_feed(scheduler, session.get(), tokens.data(), 7); }, [] {}), 0);
  const samba_ready *ready = nullptr;
  size_t count = 0;
  EXPECT_GT(
      sweep([&] { return samba_scheduler_step(scheduler, &ready, &count); }, [&] { EXPECT_EQ(session.position(), 0); }),
      0);
  ASSERT_EQ(count, 1u);
  std::vector<float> expected = predictLogits(artefact, {tokens.begin(), tokens.begin() + 7});
  EXPECT_TRUE(std::equal(expected.end() - vocabSize, expected.end(), ready[0].logits));
  samba_scheduler_free(scheduler);
}

} // namespace

#endif
