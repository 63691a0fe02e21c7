//===- EvaluateTest.cpp - sessions and ragged batches --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "samba/samba.hpp"
#include "test/unit/runtime/FakeArtefact.h"

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <thread>

using namespace samba;
using namespace samba::test;

namespace {

class Evaluate : public testing::Test {
protected:
  Model open(int32_t threads = 1, int64_t chunk = SAMBA_DEFAULT_CHUNK) {
    artefact.write(folder / "model.so");
    samba_options options = SAMBA_OPTIONS_INIT;
    options.threads = threads;
    options.chunk = chunk;
    return Model(folder / "model.so", options);
  }

  static std::vector<float> all(const Model &model, Session &session, const std::vector<int32_t> &tokens) {
    std::vector<float> logits(tokens.size() * vocabSize);
    model.evaluate({{session.get(), tokens.data(), tokens.size()}}, SAMBA_ROWS_ALL, logits);
    return logits;
  }

  static std::string state(const Session &session) { return {static_cast<const char *>(session.state()), stateBytes}; }

  static std::vector<float> lastRow(const std::vector<float> &logits) {
    return {logits.end() - vocabSize, logits.end()};
  }

  Folder folder;
  FakeArtefact artefact;
};

template <typename Body> void expectStatus(samba_status status, const std::string &part, Body body) {
  try {
    body();
    ADD_FAILURE() << "no failure, expected " << part;
  } catch (const Exception &error) {
    EXPECT_EQ(error.status(), status) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what() << "\n  lacks: " << part;
  }
}

TEST_F(Evaluate, AllRows) {
  Model model = open();
  Session session(model);
  std::vector<int32_t> tokens = someTokens(40);
  EXPECT_EQ(all(model, session, tokens), predictLogits(artefact, tokens));
  EXPECT_EQ(session.position(), 40);
}

TEST_F(Evaluate, ChunksGiveTheSame) {
  std::vector<int32_t> tokens = someTokens(101);
  std::vector<float> expected = predictLogits(artefact, tokens);
  std::string finalState;
  for (int64_t chunk : {1, 2, 15, 16, 17, 50, 100, 101, 102, 512}) {
    Model model = open(1, chunk);
    Session session(model);
    ASSERT_EQ(all(model, session, tokens), expected) << chunk;
    if (finalState.empty())
      finalState = state(session);
    EXPECT_EQ(state(session), finalState) << chunk;
    session.reset();
    std::vector<float> last(vocabSize);
    model.evaluate({{session.get(), tokens.data(), tokens.size()}}, SAMBA_ROWS_LAST, last);
    EXPECT_EQ(last, lastRow(expected)) << chunk;
    session.reset();
    std::vector<float> none;
    model.evaluate({{session.get(), tokens.data(), tokens.size()}}, SAMBA_ROWS_NONE, none);
    EXPECT_EQ(state(session), finalState) << chunk;
    EXPECT_EQ(session.position(), 101);
  }
}

TEST_F(Evaluate, TokenByToken) {
  Model model = open();
  Session session(model);
  std::vector<int32_t> tokens = someTokens(20);
  std::vector<float> expected = predictLogits(artefact, tokens), row(vocabSize);
  for (size_t t = 0; t < tokens.size(); ++t) {
    session.evaluate(&tokens[t], 1, SAMBA_ROWS_LAST, row.data(), row.size());
    ASSERT_TRUE(std::equal(row.begin(), row.end(), expected.begin() + static_cast<ptrdiff_t>(t * vocabSize))) << t;
  }
}

TEST_F(Evaluate, RaggedBatches) {
  // Prompts, single tokens and nothing, in steps that cut through the segments.
  std::vector<size_t> lengths = {5, 1, 0, 33, 1, 16, 0, 7};
  for (int64_t chunk : {1, 4, 16, 512}) {
    Model model = open(2, chunk);
    std::vector<Session> sessions;
    std::vector<std::vector<int32_t>> tokens;
    std::vector<samba_segment> segments;
    std::vector<float> expectedAll, expectedLast, expectedNext;
    for (size_t s = 0; s < lengths.size(); ++s) {
      sessions.emplace_back(model);
      tokens.push_back(someTokens(lengths[s] + 1, static_cast<uint32_t>(s) + 1));
      std::vector<float> predicted = predictLogits(artefact, tokens[s]);
      expectedNext.insert(expectedNext.end(), predicted.end() - vocabSize, predicted.end());
      predicted.resize(lengths[s] * vocabSize);
      expectedAll.insert(expectedAll.end(), predicted.begin(), predicted.end());
      if (lengths[s] > 0)
        expectedLast.insert(expectedLast.end(), predicted.end() - vocabSize, predicted.end());
    }
    for (size_t s = 0; s < lengths.size(); ++s)
      segments.push_back({sessions[s].get(), lengths[s] ? tokens[s].data() : nullptr, lengths[s]});
    std::vector<float> logits(expectedAll.size());
    model.evaluate(segments, SAMBA_ROWS_ALL, logits);
    EXPECT_EQ(logits, expectedAll) << chunk;
    for (Session &session : sessions)
      session.reset();
    logits.assign(expectedLast.size(), 0);
    model.evaluate(segments, SAMBA_ROWS_LAST, logits);
    EXPECT_EQ(logits, expectedLast) << chunk;
    // Then one more token of each, in another order of sessions.
    std::vector<samba_segment> next;
    for (size_t s = lengths.size(); s-- > 0;)
      next.push_back({sessions[s].get(), &tokens[s].back(), 1});
    logits.assign(expectedNext.size(), 0);
    model.evaluate(next, SAMBA_ROWS_LAST, logits);
    for (size_t s = 0; s < lengths.size(); ++s)
      EXPECT_TRUE(std::equal(logits.end() - static_cast<ptrdiff_t>((s + 1) * vocabSize),
                             logits.end() - static_cast<ptrdiff_t>(s * vocabSize),
                             expectedNext.begin() + static_cast<ptrdiff_t>(s * vocabSize)))
          << chunk << " " << s;
  }
}

TEST_F(Evaluate, NoTokens) {
  Model model = open();
  Session session(model);
  std::vector<float> logits;
  model.evaluate({}, SAMBA_ROWS_ALL, logits);
  model.evaluate({{session.get(), nullptr, 0}}, SAMBA_ROWS_LAST, logits);
  EXPECT_EQ(session.position(), 0);
}

TEST_F(Evaluate, ThreadsGiveTheSame) {
  std::vector<int32_t> tokens = someTokens(75);
  std::vector<float> expected = predictLogits(artefact, tokens);
  for (int32_t threads : {1, 2, 3, 8}) {
    Model model = open(threads, 32);
    for (int i = 0; i < 5; ++i) {
      Session session(model);
      ASSERT_EQ(all(model, session, tokens), expected) << threads;
    }
  }
}

TEST_F(Evaluate, CallersOnSeveralThreads) {
  Model model = open(2);
  std::vector<int32_t> tokens = someTokens(30);
  std::vector<float> expected = predictLogits(artefact, tokens);
  std::vector<int> right(4);
  std::vector<std::thread> callers;
  for (size_t i = 0; i < right.size(); ++i)
    callers.emplace_back([&, i] {
      for (int k = 0; k < 10; ++k) {
        Session session(model);
        right[i] += all(model, session, tokens) == expected;
      }
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(right, std::vector<int>(4, 10));
}

/// The greatest of each row of logits, which has no equal here.
std::vector<int32_t> greatestOf(const std::vector<float> &logits) {
  std::vector<int32_t> tokens;
  for (auto row = logits.begin(); row != logits.end(); row += vocabSize)
    tokens.push_back(static_cast<int32_t>(std::max_element(row, row + vocabSize) - row));
  return tokens;
}

TEST_F(Evaluate, Greedy) {
  for (int64_t chunk : {int64_t(1), int64_t(7), int64_t(SAMBA_DEFAULT_CHUNK)}) {
    Model model = open(1, chunk);
    std::vector<int32_t> first = someTokens(30), second = someTokens(5, 2);
    std::vector<int32_t> expected = greatestOf(predictLogits(artefact, first)),
                         others = greatestOf(predictLogits(artefact, second));
    Session a(model), b(model), empty(model);
    std::vector<int32_t> found(9);
    model.evaluateGreedy({{a.get(), first.data(), 30}, {empty.get(), nullptr, 0}, {b.get(), second.data(), 5}},
                         {7, 0, 2}, found);
    std::vector<int32_t> wanted(expected.end() - 7, expected.end());
    wanted.insert(wanted.end(), others.end() - 2, others.end());
    EXPECT_EQ(found, wanted) << chunk;
    for (int i = 0; i < 40; ++i) { // what it says is fed back
      first.push_back(expected.back());
      expected = greatestOf(predictLogits(artefact, first));
      ASSERT_EQ(a.evaluateGreedy(&first.back(), 1), expected.back()) << chunk << " " << i;
    }
    std::vector<float> logits(vocabSize);
    a.evaluate(second.data(), 1, SAMBA_ROWS_LAST, logits.data(), logits.size()); // logits afterwards
    first.push_back(second[0]);
    std::vector<float> all = predictLogits(artefact, first);
    EXPECT_TRUE(std::equal(all.end() - vocabSize, all.end(), logits.begin())) << chunk;
  }
}

TEST_F(Evaluate, GreedyOfNothingButNaN) {
  Model model = open();
  Session session(model), fine(model);
  std::vector<int32_t> tokens = {9, 8, 7};
  session.evaluate(tokens.data(), 3, SAMBA_ROWS_NONE, nullptr, 0);
  static_cast<float *>(samba_session_state(session.get()))[24] = 77; // another position than the step's
  std::vector<int32_t> found(2);
  model.evaluateGreedy({{session.get(), tokens.data(), 1}, {fine.get(), tokens.data(), 1}}, {}, found);
  EXPECT_EQ(found[0], -1);
  EXPECT_EQ(found[1], greatestOf(predictLogits(artefact, {9}))[0]) << "its neighbour has logits";
}

TEST_F(Evaluate, GreedyRefusals) {
  Model model = open();
  Session session(model);
  std::vector<int32_t> tokens = {3, 4}, found(1);
  samba_segment segment = {session.get(), tokens.data(), 2};
  size_t two = 2, three = 3;
  EXPECT_EQ(samba_evaluate_greedy(model.get(), &segment, 1, &two, found.data(), 1), SAMBA_ERROR_LIMIT);
  EXPECT_STREQ(samba_last_error(), "the buffer for tokens has room for 1, expected 2");
  EXPECT_EQ(samba_evaluate_greedy(model.get(), &segment, 1, nullptr, nullptr, 5), SAMBA_ERROR_LIMIT);
  EXPECT_EQ(samba_evaluate_greedy(model.get(), &segment, 1, &three, found.data(), 1), SAMBA_ERROR_ARGUMENT);
  EXPECT_EQ(samba_evaluate_greedy(nullptr, &segment, 1, nullptr, found.data(), 1), SAMBA_ERROR_ARGUMENT);
  EXPECT_EQ(session.position(), 0);
}

TEST_F(Evaluate, RefusalsChangeNothing) {
  Model model = open();
  Model other(folder / "model.so");
  Session a(model), b(model), foreign(other);
  std::vector<int32_t> good = {3, 4}, tooLarge = {3, vocabSize}, negative = {-1};
  std::vector<float> logits(4 * vocabSize);
  std::vector<float> small(2 * vocabSize - 1);
  auto evaluate = [&](const std::vector<samba_segment> &segments, std::vector<float> &buffer) {
    return [&, segments] { model.evaluate(segments, SAMBA_ROWS_ALL, buffer); };
  };
  samba_segment fine = {a.get(), good.data(), 2};
  expectStatus(SAMBA_ERROR_ARGUMENT, "segment 1: token id 32 at index 1 is outside the vocabulary of 32",
               evaluate({fine, {b.get(), tooLarge.data(), 2}}, logits));
  expectStatus(SAMBA_ERROR_ARGUMENT, "token id -1", evaluate({fine, {b.get(), negative.data(), 1}}, logits));
  expectStatus(SAMBA_ERROR_ARGUMENT, "twice", evaluate({fine, fine}, logits));
  expectStatus(SAMBA_ERROR_ARGUMENT, "another model", evaluate({fine, {foreign.get(), good.data(), 2}}, logits));
  expectStatus(SAMBA_ERROR_ARGUMENT, "null session", evaluate({fine, {nullptr, good.data(), 2}}, logits));
  expectStatus(SAMBA_ERROR_ARGUMENT, "invalid tokens", evaluate({fine, {b.get(), nullptr, 2}}, logits));
  expectStatus(SAMBA_ERROR_LIMIT, "room for 63 values, expected 2 rows of 32", evaluate({fine}, small));
  EXPECT_EQ(samba_evaluate(model.get(), &fine, 1, SAMBA_ROWS_LAST, nullptr, 1000), SAMBA_ERROR_LIMIT);
  EXPECT_EQ(samba_evaluate(model.get(), &fine, 1, static_cast<samba_rows>(3), logits.data(), 1000),
            SAMBA_ERROR_ARGUMENT);
  EXPECT_EQ(samba_evaluate(nullptr, &fine, 1, SAMBA_ROWS_ALL, logits.data(), 1000), SAMBA_ERROR_ARGUMENT);
  EXPECT_EQ(a.position(), 0);
  EXPECT_EQ(state(a), std::string(stateBytes, '\0'));
  evaluate({fine}, logits)();
  EXPECT_EQ(a.position(), 2);
}

TEST_F(Evaluate, ContextFull) {
  artefact.manifest["model"]["max_context"] = 10;
  Model model = open();
  Session session(model), fresh(model);
  std::vector<int32_t> tokens = someTokens(11);
  std::vector<float> logits;
  auto feed = [&](Session &to, size_t count) {
    return [&, count] { model.evaluate({{to.get(), tokens.data(), count}}, SAMBA_ROWS_NONE, logits); };
  };
  expectStatus(SAMBA_ERROR_CONTEXT_FULL, "11 tokens at position 0 exceed the 10 tokens", feed(session, 11));
  EXPECT_EQ(session.position(), 0);
  feed(session, 10)();
  expectStatus(SAMBA_ERROR_CONTEXT_FULL, "1 tokens at position 10", feed(session, 1));
  feed(session, 0)();
  std::string before = state(fresh);
  expectStatus(SAMBA_ERROR_CONTEXT_FULL, "", [&] {
    model.evaluate({{fresh.get(), tokens.data(), 1}, {session.get(), tokens.data(), 1}}, SAMBA_ROWS_NONE, logits);
  });
  EXPECT_EQ(state(fresh), before);
  session.reset();
  feed(session, 10)();
}

TEST_F(Evaluate, CopyAndRestore) {
  Model model = open();
  Model other(folder / "model.so");
  Session session(model), fork(model), foreign(other);
  std::vector<int32_t> tokens = someTokens(30);
  std::vector<float> expected = predictLogits(artefact, tokens);
  all(model, session, {tokens.begin(), tokens.begin() + 20});
  fork.copyFrom(session);
  std::string snapshot = state(session);
  std::vector<int32_t> rest(tokens.begin() + 20, tokens.end());
  std::vector<float> expectedRest(expected.begin() + 20 * vocabSize, expected.end());
  EXPECT_EQ(all(model, session, rest), expectedRest);
  EXPECT_EQ(all(model, fork, rest), expectedRest);
  Session restored(model);
  ASSERT_EQ(samba_session_restore(restored.get(), snapshot.data(), snapshot.size(), 20), SAMBA_OK);
  EXPECT_EQ(all(model, restored, rest), expectedRest);
  EXPECT_EQ(samba_session_restore(restored.get(), snapshot.data(), snapshot.size() - 1, 20), SAMBA_ERROR_ARGUMENT);
  EXPECT_EQ(samba_session_restore(restored.get(), snapshot.data(), snapshot.size(), -1), SAMBA_ERROR_ARGUMENT);
  EXPECT_EQ(samba_session_copy(foreign.get(), session.get()), SAMBA_ERROR_ARGUMENT);
  EXPECT_EQ(samba_session_copy(session.get(), session.get()), SAMBA_OK);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(session.state()) % 64, 0u);
}

TEST_F(Evaluate, SessionsOutliveTheirModel) {
  samba_session *session = nullptr;
  {
    Model model = open();
    ASSERT_EQ(samba_session_create(model.get(), &session), SAMBA_OK);
  }
  samba_session_reset(session);
  EXPECT_EQ(samba_session_position(session), 0);
  samba_session_free(session);
}

#ifndef SAMBA_FAKE_KERNELS
// One library stays loaded under the names of two descriptors; one of them is then that of another library.
TEST_F(Evaluate, ClosedModelsAreNotMistakenForOthers) {
  artefact.write(folder / "a.so");
  FakeArtefact biased;
  biased.code = readBytes(SAMBA_BIASED_MODEL);
  biased.write(folder / "b.so");
  std::vector<int32_t> tokens = someTokens(5);
  auto first = std::make_unique<Model>(folder / "a.so");
  Model second(folder / "a.so");
  first.reset();
  Model other(folder / "b.so");
  Session session(second), otherSession(other);
  EXPECT_EQ(all(second, session, tokens), predictLogits(artefact, tokens));
  EXPECT_NE(all(other, otherSession, tokens), predictLogits(artefact, tokens));
}
#endif

struct Probed {
  std::map<std::string, std::vector<float>> values;
  std::map<std::string, int64_t> next; // expected first token
  bool inOrder = true;
};

void collect(void *user, const char *name, int64_t first, const float *data, int64_t rows, int64_t columns) {
  Probed &probed = *static_cast<Probed *>(user);
  probed.inOrder &= probed.next[name] == first;
  probed.next[name] += rows;
  probed.values[name].insert(probed.values[name].end(), data, data + rows * columns);
}

TEST_F(Evaluate, Probes) {
  std::vector<int32_t> tokens = someTokens(50);
  Probed whole;
  {
    Model model = open();
    Session session(model);
    model.setProbe(collect, &whole);
    all(model, session, tokens);
  }
  ASSERT_EQ(whole.values.size(), 3u);
  std::vector<float> weights(vocabSize * width);
  std::memcpy(weights.data(), artefact.weights.data(), artefact.weights.size());
  std::vector<float> embeddings;
  for (int32_t token : tokens)
    embeddings.insert(embeddings.end(), weights.begin() + token * width, weights.begin() + (token + 1) * width);
  EXPECT_EQ(whole.values["embeddings"], embeddings);
  for (int64_t chunk : {1, 7, 50}) {
    Model model = open(2, chunk);
    Session session(model);
    Probed probed;
    model.setProbe(collect, &probed);
    all(model, session, tokens);
    EXPECT_TRUE(probed.inOrder);
    EXPECT_EQ(probed.values, whole.values) << chunk;
    model.setProbe(nullptr, nullptr);
    session.reset();
    probed.values.clear();
    all(model, session, tokens);
    EXPECT_TRUE(probed.values.empty());
  }
}

} // namespace
