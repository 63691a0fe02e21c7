//===- StateMemoryTest.cpp - how much memory a state takes ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/HostState.h"
#include "samba/samba.hpp"
#include "test/unit/runtime/FakeArtefact.h"

#include <cstring>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>

using namespace samba::runtime;

namespace {

constexpr uint64_t mebi = 1 << 20, stateSize = 64 * mebi + 100;

/// Bytes of memory that the process holds of its own, mapped ones in memory files included. (A touched page may be of
/// 2 MiB.)
uint64_t resident() {
  std::ifstream status("/proc/self/status");
  uint64_t total = 0;
  for (std::string line; std::getline(status, line);)
    if (line.rfind("RssAnon:", 0) == 0 || line.rfind("RssShmem:", 0) == 0)
      total += std::stoull(line.substr(line.find(':') + 1)) << 10;
  return total;
}

/// As after few tokens of a long context: a little is written at both ends and in the middle.
void use(char *state) {
  for (uint64_t at : {uint64_t(0), stateSize / 2, stateSize - 100})
    std::memset(state + at, 7, 100);
}

bool used(const char *state) {
  std::string expected(stateSize, '\0');
  use(expected.data());
  return std::memcmp(state, expected.data(), stateSize) == 0;
}

bool zero(const char *state) { return std::string_view(state, stateSize) == std::string(stateSize, '\0'); }

TEST(StateMemory, ResetGivesBack) {
  HostState state(stateSize);
  char *data = state.data();
  std::memset(data, 1, stateSize);
  uint64_t full = resident();
  state.assign(nullptr);
  EXPECT_LT(resident(), full - 60 * mebi);
  EXPECT_TRUE(zero(data));
  EXPECT_EQ(state.data(), data) << "it stays at its place";
  use(data);
  EXPECT_TRUE(used(data));
}

TEST(StateMemory, ResetOfAFork) {
  HostState state(stateSize);
  std::memset(state.data(), 1, stateSize);
  auto fork = state.fork(), other = state.fork();
  auto *forked = static_cast<HostState *>(fork.get());
  char *data = forked->data();
  std::memset(data, 2, stateSize / 2);
  uint64_t before = resident();
  fork->assign(nullptr);
  EXPECT_LT(resident(), before - 30 * mebi);
  EXPECT_TRUE(zero(data));
  EXPECT_EQ(forked->data(), data);
  use(data);
  EXPECT_TRUE(used(data));
  fork->assign(nullptr); // now it is none
  EXPECT_TRUE(zero(data));
  EXPECT_EQ(state.data()[stateSize - 1], 1);
  EXPECT_EQ(other->read()[0], 1) << "its image stays";
}

TEST(StateMemory, ResetOfSmallOrLocked) {
  HostState small(100);
  std::memset(small.data(), 1, 100);
  small.assign(nullptr);
  EXPECT_EQ(std::string_view(small.data(), 100), std::string(100, '\0'));
  HostState empty(0);
  empty.assign(nullptr);
  HostState state(stateSize);
  use(state.data());
  // What is locked cannot be given back.
  if (::mlock(state.data(), 4096) != 0)
    GTEST_SKIP() << "no page may be locked";
  state.assign(nullptr);
  EXPECT_TRUE(zero(state.data()));
}

TEST(StateMemory, CopyAndForkTakeWhatIsUsed) {
  uint64_t before = resident();
  HostState state(stateSize), copy(stateSize);
  use(state.data());
  copy.assign(state);
  auto fork = state.fork();
  EXPECT_LT(resident(), before + 24 * mebi);
  EXPECT_TRUE(used(copy.data()));
  EXPECT_TRUE(used(fork->read()));
  std::memset(copy.data(), 3, stateSize);
  copy.assign(state);
  EXPECT_TRUE(used(copy.data())) << "zeros are copied, too";
  state.assign(state.data());
  EXPECT_TRUE(used(state.data()));
}

TEST(StateMemory, ImageHasHoles) {
  HostState state(stateSize);
  use(state.data());
  StateImage image(state.data(), stateSize);
  struct stat status = {};
  ASSERT_EQ(::fstat(image.descriptor(), &status), 0);
  EXPECT_EQ(static_cast<uint64_t>(status.st_size), stateSize);
  EXPECT_LT(static_cast<uint64_t>(status.st_blocks) * 512, 8 * mebi);
  StateMemory mapped(image, stateSize);
  EXPECT_TRUE(used(mapped.data()));
}

/// A model whose ring is far longer than the text.
TEST(StateMemory, SessionsOfALongContext) {
  samba::test::Folder folder;
  samba::test::FakeArtefact artefact;
  nlohmann::json &state = artefact.manifest["state"];
  constexpr uint64_t slots = 8 * mebi, slotBytes = 8;
  nlohmann::json &ring = state["fields"].back();
  ASSERT_EQ(ring["name"], "layers.1.key");
  ring["shape"] = {1, slots, 2};
  state["bytes"] = (ring["offset"].get<uint64_t>() + slots * slotBytes + 63) / 64 * 64;
  artefact.write(folder / "model.so");
  samba::Model model(folder / "model.so");
  ASSERT_GT(samba_state_bytes(model.get()), 63 * mebi);

  uint64_t before = resident();
  samba::Session session(model);
  std::vector<int32_t> tokens = samba::test::someTokens(3);
  for (int i = 0; i < 2; ++i) {
    session.reset();
    session.evaluate(tokens.data(), tokens.size(), SAMBA_ROWS_NONE, nullptr, 0);
    session.mark();
    session.evaluate(tokens.data(), tokens.size(), SAMBA_ROWS_NONE, nullptr, 0);
    session.rollback(3);
    EXPECT_EQ(session.position(), 3);
  }
  session.save(folder / "state");
  samba::Session loaded = samba::Session::load(model, folder / "state"), fork = session.fork(), copy(model);
  samba::check(samba_session_copy(copy.get(), session.get()));
  EXPECT_LT(resident(), before + 24 * mebi);
  EXPECT_EQ(std::memcmp(loaded.state(), session.state(), samba_state_bytes(model.get())), 0);
}

} // namespace
