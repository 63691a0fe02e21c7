//===- DeviceTest.cpp - what a GPU adds to sessions ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The tests of sessions, batches and states run on the virtual device too (see CMakeLists.txt). Here is what they do
// not ask: devices by name, graphs, states that move, probes, counters.
//
//===----------------------------------------------------------------------===//

#include "samba/samba.hpp"
#include "test/unit/runtime/FakeArtefact.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>

using namespace samba;
using namespace samba::test;

namespace {

class Device : public testing::Test {
protected:
  Device() { artefact.write(folder / "model.so"); }

  Model open(const char *device, bool check = true) const {
    samba_options options = {sizeof(samba_options), 1, 0, 0, device, check};
    return Model(folder / "model.so", options);
  }

  static std::vector<float> feed(Session &session, const std::vector<int32_t> &tokens) {
    std::vector<float> logits(tokens.size() * vocabSize);
    session.evaluate(tokens.data(), tokens.size(), SAMBA_ROWS_ALL, logits.data(), logits.size());
    return logits;
  }
  /// One token after the other.
  static std::vector<float> decode(Session &session, const std::vector<int32_t> &tokens) {
    std::vector<float> all;
    for (int32_t token : tokens) {
      std::vector<float> row = feed(session, {token});
      all.insert(all.end(), row.begin(), row.end());
    }
    return all;
  }
  static std::string saved(const Session &session, const Model &model) {
    std::string blob(samba_saved_bytes(model.get()), '\0');
    size_t size = 0;
    check(samba_session_serialize(session.get(), blob.data(), blob.size(), &size));
    return blob;
  }
  static Session loaded(const Model &model, const std::string &blob, const Folder &folder) {
    writeBytes(folder / "blob", blob);
    return Session::load(model, folder / "blob");
  }
  static nlohmann::json counters(const Model &model) { return nlohmann::json::parse(model.deviceCounters()); }

  Folder folder;
  FakeArtefact artefact;
  std::vector<int32_t> tokens = someTokens(60);
  std::vector<float> logits = predictLogits(artefact, tokens);
};

TEST_F(Device, Names) {
  EXPECT_EQ(open("cpu").device(), "cpu");
  EXPECT_EQ(open(nullptr).device(), "cpu") << "the default, if there is code";
  EXPECT_EQ(open("virtual").device(), "virtual PTX interpreter (sm_80)");
  EXPECT_EQ(open("virtual:arch=90").device(), "virtual PTX interpreter (sm_90)");
  artefact.dropCode();
  artefact.write(folder / "model.so");
  ::setenv("SAMBA_LIBCUDA", SAMBA_VGPU, 1);
  EXPECT_EQ(open(nullptr, false).device(), "virtual PTX interpreter (sm_80)") << "the default without code";
  EXPECT_EQ(open("cuda:0", false).device(), "virtual PTX interpreter (sm_80)");
  ::unsetenv("SAMBA_LIBCUDA");
}

TEST_F(Device, ChunkIsThatOfThePrograms) {
  EXPECT_EQ(open("virtual").chunk(), 64);
  EXPECT_EQ(open("cpu").chunk(), SAMBA_DEFAULT_CHUNK);
}

TEST_F(Device, GraphsGiveTheSame) {
  for (bool check : {false, true}) {
    Model model = open("virtual:seed=5", check);
    Session session(model);
    EXPECT_EQ(feed(session, tokens), logits) << check;
    for (int round = 0; round < 3; ++round) { // prompts are recorded the second time, generation steps the second token
      session.reset();
      EXPECT_EQ(feed(session, tokens), logits) << check << round;
      session.reset();
      EXPECT_EQ(decode(session, tokens), logits) << check << round;
    }
  }
}

TEST_F(Device, MoreShapesThanGraphsAreKept) {
  Model model = open("virtual", false);
  Session session(model);
  for (int round = 0; round < 2; ++round)
    for (size_t length = 1; length <= 48; ++length)
      for (size_t wanted : {0, 1, 2}) {
        std::vector<int32_t> part(tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(length));
        session.reset();
        samba_segment segment = {session.get(), part.data(), length};
        size_t last = std::min(wanted, length);
        std::vector<float> rows(last * vocabSize + 1);
        check(samba_evaluate_last(model.get(), &segment, 1, &last, rows.data(), rows.size()));
        for (size_t i = 0; i < last * vocabSize; ++i)
          ASSERT_EQ(rows[i], logits[(length - last) * vocabSize + i]);
      }
}

TEST_F(Device, StatesMoveBetweenDevices) {
  Model cpu = open("cpu"), gpu = open("virtual");
  EXPECT_EQ(cpu.fingerprint(), gpu.fingerprint());
  std::vector<int32_t> first(tokens.begin(), tokens.begin() + 25), rest(tokens.begin() + 25, tokens.end());
  std::vector<float> expected(logits.begin() + 25 * vocabSize, logits.end());
  Session onCpu(cpu), onGpu(gpu);
  feed(onCpu, first);
  feed(onGpu, first);
  EXPECT_EQ(saved(onCpu, cpu), saved(onGpu, gpu));
  Session toGpu = loaded(gpu, saved(onCpu, cpu), folder), toCpu = loaded(cpu, saved(onGpu, gpu), folder);
  EXPECT_EQ(feed(toGpu, rest), expected);
  EXPECT_EQ(feed(toCpu, rest), expected);
  EXPECT_EQ(feed(onGpu, rest), expected);
}

TEST_F(Device, ForksAndMarksStayThere) {
  artefact.manifest["state"]["fields"][2]["shape"] = {2, 1, 2}; // two heads: what is saved is strided
  artefact.write(folder / "model.so");
  Model model = open("virtual");
  std::vector<int32_t> first(tokens.begin(), tokens.begin() + 25);
  Session session(model);
  Session fresh = session.fork(); // of a state that is nowhere yet
  EXPECT_EQ(feed(fresh, tokens), logits);
  feed(session, first);
  std::string before = saved(session, model);
  Session child = session.fork(), grandchild = child.fork(), copy(model);
  copy.copyFrom(grandchild);
  session.mark();
  feed(session, {7});
  EXPECT_NE(saved(session, model), before);
  session.rollback(1);
  for (Session *one : {&session, &child, &grandchild, &copy}) {
    EXPECT_EQ(saved(*one, model), before);
    EXPECT_EQ(feed(*one, {tokens[25]}),
              std::vector<float>(logits.begin() + 25 * vocabSize, logits.begin() + 26 * vocabSize));
  }
  session.reset();
  EXPECT_EQ(feed(session, tokens), logits);
}

TEST_F(Device, CallersMayChangeStates) {
  Model model = open("virtual");
  Session session(model), other(model);
  feed(other, {9, 8, 7});
  auto *state = static_cast<float *>(samba_session_state(session.get()));
  for (int round = 0; round < 2; ++round) {
    session.reset();
    EXPECT_EQ(feed(session, tokens), logits) << "the pointer sees what steps do, resets too";
    EXPECT_EQ(state[24 + 1], static_cast<float>(tokens[58]));
    std::memset(state, 0, stateBytes);
    check(samba_session_restore(session.get(), state, stateBytes, 0));
    EXPECT_EQ(feed(session, tokens), logits) << "and what it is given";
  }
  // The third token is at slot 0: tell the step that it was another position.
  auto *changed = static_cast<float *>(samba_session_state(other.get()));
  changed[24] = 77;
  EXPECT_TRUE(std::isnan(feed(other, {5})[0]));
  Session fork = other.fork();
  changed[0] = 42;
  EXPECT_EQ(static_cast<const float *>(fork.state())[0], changed[0] - 42 + static_cast<const float *>(fork.state())[0]);
  Session later = other.fork();
  EXPECT_EQ(static_cast<const float *>(later.state())[0], 42);
}

TEST_F(Device, Probes) {
  using Seen = std::vector<std::pair<std::string, std::vector<float>>>;
  auto watch = [&](const char *device) {
    Model model = open(device);
    Seen seen;
    model.setProbe(
        [](void *user, const char *name, int64_t first, const float *data, int64_t rows, int64_t columns) {
          static_cast<Seen *>(user)->push_back(
              {name + std::to_string(first) + "x" + std::to_string(rows), {data, data + rows * columns}});
        },
        &seen);
    Session session(model);
    std::vector<int32_t> part(tokens.begin(), tokens.begin() + 20);
    feed(session, part);
    std::vector<float> none;
    model.evaluate({{session.get(), part.data(), part.size()}}, SAMBA_ROWS_NONE, none);
    model.setProbe(nullptr, nullptr);
    feed(session, part);
    return seen;
  };
  Seen seen = watch("virtual");
  EXPECT_EQ(seen, watch("cpu"));
  EXPECT_EQ(seen.size(), 6u);
}

TEST_F(Device, Counters) {
  Model model = open("virtual");
  Session session(model);
  decode(session, tokens);
  nlohmann::json counts = counters(model);
  EXPECT_EQ(counts["head"]["launches"], 60);
  EXPECT_EQ(counts["sequences"]["launches"], 60);
  size_t size = 0;
  EXPECT_EQ(samba_device_counters(open("cpu").get(), nullptr, 0, &size), SAMBA_ERROR_DEVICE);
  EXPECT_STREQ(samba_last_error(), "the CPU counts nothing: counters are those of the virtual device");
}

/// The programs' launches, to be changed.
std::vector<nlohmann::json *> launchesOf(FakeArtefact &artefact) {
  return {&artefact.gpu["programs"][0]["launches"], &artefact.gpu["programs"][1]["launches"]};
}

TEST_F(Device, LaunchesThatChooseAreForTokensOnly) {
  for (nlohmann::json *launches : launchesOf(artefact)) {
    launches->push_back(launches->back());
    launches->back()["chooses"] = true;
  }
  artefact.write(folder / "model.so");
  for (bool check : {false, true}) { // with graphs, and without
    Model model = open("virtual", check);
    Session session(model);
    auto heads = [&] { return counters(model)["head"]["launches"].get<int>(); };
    EXPECT_EQ(decode(session, tokens), logits);
    int plain = heads();
    std::vector<int32_t> found;
    Session other(model);
    for (int32_t token : tokens)
      found.push_back(other.evaluateGreedy(&token, 1));
    EXPECT_EQ(heads() - plain, 2 * static_cast<int>(tokens.size()));
    for (size_t i = 0; i < tokens.size(); ++i) {
      auto row = logits.begin() + static_cast<ptrdiff_t>(i * vocabSize);
      EXPECT_EQ(found[i], std::max_element(row, row + vocabSize) - row) << i;
    }
    plain = heads();
    session.reset();
    EXPECT_EQ(decode(session, tokens), logits) << "logits again";
    EXPECT_EQ(heads() - plain, static_cast<int>(tokens.size()));
  }
}

TEST_F(Device, ModelsWhoseKernelsDoNotChoose) {
  int end = artefact.gpu["arena_bytes"];
  artefact.gpu["arena_bytes"] = end + 128;
  for (nlohmann::json *launches : launchesOf(artefact))
    launches->back()["args"].back() = {{"arena", end}};
  artefact.write(folder / "model.so");
  Model model = open("virtual");
  Session session(model);
  for (size_t i = 0; i < tokens.size(); ++i) {
    auto row = logits.begin() + static_cast<ptrdiff_t>(i * vocabSize);
    ASSERT_EQ(session.evaluateGreedy(&tokens[i], 1), std::max_element(row, row + vocabSize) - row) << i;
  }
}

TEST_F(Device, TwoModelsAtOnce) {
  Model one = open("virtual"), two = open("virtual");
  Session a(one), b(two);
  EXPECT_EQ(decode(a, tokens), logits);
  EXPECT_EQ(decode(b, tokens), logits);
  samba_options options = {sizeof(samba_options), 0, 0, 0, "virtual:seed=8", 1};
  samba_model *third = nullptr;
  EXPECT_EQ(samba_open((folder / "model.so").c_str(), &options, &third), SAMBA_ERROR_DEVICE);
  EXPECT_STREQ(samba_last_error(),
               "setting up the virtual device: CUDA_ERROR_INVALID_CONTEXT (invalid device context): "
               "the virtual device is in use with the settings 'check=1'");
}

TEST_F(Device, ManySequences) {
  Model model = open("virtual", false);
  std::vector<Session> sessions;
  for (int i = 0; i < 20; ++i) // more than a program takes
    sessions.emplace_back(model);
  std::vector<std::vector<int32_t>> texts;
  std::vector<samba_segment> segments;
  std::vector<float> expected;
  for (uint32_t i = 0; i < 20; ++i)
    texts.push_back(someTokens(1 + i * 5 % 23, i + 1));
  for (size_t i = 0; i < 20; ++i) {
    segments.push_back({sessions[i].get(), texts[i].data(), texts[i].size()});
    std::vector<float> rows = predictLogits(artefact, texts[i]);
    expected.insert(expected.end(), rows.begin(), rows.end());
  }
  std::vector<float> rows(expected.size());
  model.evaluate(segments, SAMBA_ROWS_ALL, rows);
  EXPECT_EQ(rows, expected);
  // And a token each.
  std::vector<int32_t> next = someTokens(20, 77);
  segments.clear();
  expected.clear();
  for (size_t i = 0; i < 20; ++i) {
    segments.push_back({sessions[i].get(), &next[i], 1});
    texts[i].push_back(next[i]);
    std::vector<float> all = predictLogits(artefact, texts[i]);
    expected.insert(expected.end(), all.end() - vocabSize, all.end());
  }
  rows.resize(expected.size());
  model.evaluate(segments, SAMBA_ROWS_LAST, rows);
  EXPECT_EQ(rows, expected);
}

} // namespace
