//===- SpeculationTest.cpp - several tokens in one pass ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Speculation.h"
#include "test/unit/runtime/RunFixture.h"

#include <array>
#include <cmath>
#include <cstring>
#include <map>

using namespace samba;
using namespace samba::run;
using namespace samba::test;
using nlohmann::json;

namespace {

/// Guesses that are given; what is beyond them is a wrong one.
class FixedDraft : public Draft {
public:
  FixedDraft(std::vector<int32_t> sequence, size_t every) : sequence(std::move(sequence)), every(every) {}
  std::vector<int32_t> propose(const std::vector<int32_t> &known, size_t count) override {
    std::vector<int32_t> guesses;
    for (size_t i = known.size(); i < known.size() + count; ++i) {
      bool right = i < sequence.size() && i % every != 0;
      guesses.push_back(right ? sequence[i] : 3);
    }
    return guesses;
  }

private:
  std::vector<int32_t> sequence;
  size_t every; // each token whose index is a multiple of that is guessed wrong
};

class Speculating : public Run {
protected:
  std::vector<float> feed(const Model &model, Session &session) {
    std::vector<float> logits(vocabSize);
    model.evaluate({{session.get(), prompt.data(), prompt.size()}}, SAMBA_ROWS_LAST, logits);
    return logits;
  }

  json run(const std::string &arguments) {
    Result result = shell(folder, "$RUN $D/model.so --json --ignore-eos --tokens $D/tokens.json " + arguments);
    EXPECT_EQ(result.status, 0) << arguments << ": " << result.err;
    return result.status == 0 ? json::parse(result.out) : json();
  }
};

TEST(LookupDraftTest, WhatCameAfter) {
  LookupDraft draft;
  using Ids = std::vector<int32_t>;
  EXPECT_EQ(draft.propose({1}, 4), Ids());
  EXPECT_EQ(draft.propose({1, 2}, 4), Ids());
  EXPECT_EQ(draft.propose({1, 2, 3, 4, 1, 2}, 4), (Ids{3, 4, 1, 2}));
  EXPECT_EQ(draft.propose({1, 2, 3, 4, 1, 2}, 1), Ids{3});
  EXPECT_EQ(draft.propose({1, 2, 3, 4, 1, 2, 7, 9, 1, 2}, 2), (Ids{7, 9})); // the last time
  // Three tokens count more than two.
  EXPECT_EQ(draft.propose({1, 2, 3, 4, 1, 2, 7, 9, 1, 2, 3, 5, 4, 1, 2}, 2), (Ids{7, 9}));
  EXPECT_EQ(draft.propose({1, 2, 3, 4, 1, 2, 7, 9, 1, 2, 3, 5, 4, 1, 2, 8, 8}, 2), Ids());
}

// The state afterwards, too, is that of plain decoding, bit for bit: the fake model knows no rounding.
TEST_F(Speculating, GreedyIsPlain) {
  artefact.manifest["state"]["fields"][2]["name"] = "layers.1.other"; // its ring is too short
  artefact.write(folder / "model.so");
  Model model(folder / "model.so");
  Wish wish;
  wish.tokens = 50;
  wish.ignoreEos = true;
  std::vector<int32_t> expected = predictGreedy(artefact, prompt, 50), whole = prompt;
  whole.insert(whole.end(), expected.begin(), expected.end());
  Session plain(model);
  std::vector<float> none;
  model.evaluate({{plain.get(), whole.data(), whole.size() - 1}}, SAMBA_ROWS_NONE, none);
  for (size_t rows : {2, 3, 8})
    for (size_t every : {1, 2, 3, 7, 1000}) {
      Session session(model);
      std::vector<float> logits = feed(model, session);
      Continuation continuation(model, wish);
      Speculation speculation(model, session, continuation, std::make_unique<FixedDraft>(whole, every), prompt, 0,
                              rows);
      speculation.run(logits.data(), [] { return true; }, [](const std::string &) {});
      EXPECT_EQ(continuation.tokens(), expected) << rows << " " << every;
      speculation.settle();
      EXPECT_EQ(session.position(), plain.position());
      EXPECT_EQ(std::memcmp(session.state(), plain.state(), stateBytes), 0) << rows << " " << every;
      json statistics = speculation.statistics();
      if (every == 1000) {
        EXPECT_GT(statistics["accepted"], 0);
        EXPECT_GT(statistics["tokens_per_pass"], 1.0);
      }
    }
}

TEST_F(Speculating, InTheProgram) {
  artefact.manifest["state"]["fields"][2]["name"] = "layers.1.other";
  artefact.write(folder / "model.so");
  FakeArtefact biased = artefact;
  biased.code = readBytes(SAMBA_BIASED_MODEL);
  biased.write(folder / "draft.so");
  json expected = predictGreedy(artefact, prompt, 60);
  for (const char *draft : {"lookup", "lookup:1", "lookup:20", "$D/model.so", "$D/draft.so"}) {
    json result = run(std::string("-n 60 --speculate=") + draft);
    EXPECT_EQ(result["tokens"], expected) << draft;
    EXPECT_GE(result["speculation"]["tokens_per_pass"], 1.0) << result["speculation"];
  }
  // The same random tokens, too, where guesses are not drawn.
  EXPECT_EQ(run("-n 60 --temp 2 --seed 4 --speculate=lookup")["tokens"], run("-n 60 --temp 2 --seed 4")["tokens"]);
  // Endings: by length within a pass, by a saved state, by the context.
  run("-n 17 --speculate=$D/model.so --save-state $D/s");
  Result rest = shell(folder, "$RUN $D/model.so --json --ignore-eos --load-state $D/s -n 43");
  EXPECT_EQ(json::parse(rest.out)["tokens"], json(std::vector<int32_t>(expected.begin() + 17, expected.end())));
  artefact.manifest["model"]["max_context"] = 30;
  artefact.write(folder / "model.so");
  Result full = shell(folder, "$RUN $D/model.so --json --ignore-eos --tokens $D/tokens.json --speculate=$D/draft.so");
  EXPECT_EQ(full.status, 1);
  EXPECT_NE(full.err.find("context full"), std::string::npos) << full.err;
  EXPECT_EQ(json::parse(full.out)["tokens"], json(predictGreedy(artefact, prompt, 11)));
}

TEST_F(Speculating, Refusals) {
  for (const char *arguments : {"--speculate=", "--speculate=lookup:0", "--speculate=lookup:x"})
    EXPECT_EQ(shell(folder, std::string("$RUN $D/model.so --json --tokens $D/tokens.json ") + arguments).status, 2);
  EXPECT_EQ(shell(folder, "$RUN $D/model.so --score $D/tokens.json --speculate=lookup").status, 2);
  artefact.manifest["model"]["vocab_size"] = 16;
  artefact.write(folder / "other.so");
  Result result = shell(folder, "$RUN $D/model.so --json --tokens $D/tokens.json --speculate=$D/other.so");
  EXPECT_EQ(result.status, 1);
  EXPECT_NE(result.err.find("has a vocabulary of 16, expected that of 'fake', 32"), std::string::npos) << result.err;
}

// Tokens that are drawn with guesses of another model have the distribution of plain sampling.
TEST_F(Speculating, DrawnTokensHaveTheDistribution) {
  artefact.manifest["state"]["fields"][2]["name"] = "layers.1.other";
  artefact.write(folder / "model.so");
  FakeArtefact biased = artefact;
  biased.code = readBytes(SAMBA_BIASED_MODEL);
  biased.write(folder / "draft.so");
  Model model(folder / "model.so", {sizeof(samba_options), 1, 0, 0, nullptr, 0});
  Session session(model);
  std::vector<float> first = feed(model, session);
  constexpr int runs = 3000, length = 9;
  samba_options options = {sizeof(samba_options), 1, 0, 0, nullptr, 0};
  std::map<std::pair<int, int32_t>, std::array<double, 2>> counts; // place and token -> plain, speculative
  int64_t accepted = 0;
  Wish wish;
  wish.tokens = length;
  wish.ignoreEos = true;
  wish.sampling.temperature = 8;
  for (int i = 0; i < runs; ++i)
    for (size_t speculative : {0, 1}) {
      wish.sampling.seed = static_cast<uint64_t>(2 * i) + speculative;
      Session branch = session.fork();
      Continuation continuation(model, wish);
      if (speculative) {
        Speculation speculation(model, branch, continuation,
                                std::make_unique<ModelDraft>(folder / "draft.so", options, model, wish.sampling),
                                prompt, 0, 4);
        speculation.run(first.data(), [] { return true; }, [](const std::string &) {});
        accepted += speculation.statistics()["accepted"].get<int64_t>();
      } else {
        std::vector<float> logits = first;
        while (!continuation.ended()) {
          if (!continuation.tokens().empty())
            branch.evaluate(&continuation.tokens().back(), 1, SAMBA_ROWS_LAST, logits.data(), logits.size());
          continuation.step(logits.data());
        }
      }
      for (int place = 0; place < length; ++place)
        counts[{place, continuation.tokens()[static_cast<size_t>(place)]}][speculative] += 1;
    }
  EXPECT_GT(accepted, runs / 10);
  double squares = 0;
  int degrees = -length;
  for (const auto &[where, both] : counts) {
    double sum = both[0] + both[1];
    if (sum < 20)
      continue;
    squares += (both[0] - both[1]) * (both[0] - both[1]) / sum;
    ++degrees;
  }
  ASSERT_GT(degrees, 50);
  // Chi-square, by its normal approximation: five standard deviations.
  EXPECT_LT(squares, degrees + 5 * std::sqrt(2.0 * degrees)) << degrees;
}

} // namespace
