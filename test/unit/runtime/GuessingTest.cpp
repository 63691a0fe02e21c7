//===- GuessingTest.cpp - what guesses cost and save ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Speculation without a model: the text is known beforehand, and a pass takes as long as a table says. So the results
// are the same on each machine.
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Guessing.h"
#include "samba/samba.hpp"
#include "test/unit/runtime/RunFixture.h"

#include <gtest/gtest.h>
#include <random>

using namespace samba::run;
using namespace samba::test;

namespace {

using Ids = std::vector<int32_t>;

struct Machine {
  const char *name;
  std::vector<double> passes; // by rows; the first one is 1
};

Machine linear(const char *name, double row) {
  Machine machine = {name, {}};
  for (int rows = 1; rows <= 8; ++rows)
    machine.passes.push_back(1 + row * (rows - 1));
  return machine;
}

const std::vector<Machine> machines = {
    {"samba-tiny on Zen 4", {1, 0.99, 1.46, 1.17, 1.71, 2.14, 2.34, 2.04}},
    linear("a large model", 0.03),
    linear("between", 0.3),
    linear("nothing to gain", 1),
};

struct Outcome {
  double plain = 0, time = 0; // in passes of one row
  double tokens = 0, passes = 0;
  double speedUp() const { return plain / time; }
};

/// Decodes text[prompt ..] as Speculation does. A pass takes up to a tenth more than the table says, and now and then
/// ten times as much.
Outcome decode(const Ids &text, size_t prompt, const Machine &machine, uint64_t seed, size_t rows = 8) {
  std::mt19937_64 random(seed);
  auto noise = [&] { return random() % 50 == 0 ? 10.0 : 1 + static_cast<double>(random() % 1000) / 10000; };
  Ids sequence(text.begin(), text.begin() + static_cast<ptrdiff_t>(prompt));
  Guessing guessing(std::make_unique<LookupDraft>(), sequence, 0.3);
  sequence.push_back(text[prompt]);
  size_t pending = 1;
  Outcome outcome;
  while (sequence.size() < text.size()) {
    size_t left = text.size() - sequence.size();
    Ids guesses = guessing.next(sequence, pending, std::min(rows - pending, left - 1));
    size_t fed = pending + guesses.size(), right = 0;
    while (right < guesses.size() && guesses[right] == text[sequence.size() + right])
      ++right;
    auto begin = text.begin() + static_cast<ptrdiff_t>(sequence.size());
    Ids fresh(begin, begin + static_cast<ptrdiff_t>(right) + 1);
    double seconds = machine.passes[fed - 1];
    outcome.time += seconds;
    outcome.plain += static_cast<double>(fresh.size());
    outcome.tokens += static_cast<double>(fresh.size());
    ++outcome.passes;
    bool timed = fed > 1 || guessing.wantsTime();
    guessing.came(fresh, fed, guesses.size(), timed ? seconds * noise() : Payoff::unknown, 0);
    sequence.insert(sequence.end(), fresh.begin(), fresh.end());
    pending = right == guesses.size() ? 1 : pending + fresh.size();
  }
  return outcome;
}

Ids randomText(size_t count, int32_t vocabulary, uint64_t seed) {
  std::mt19937_64 random(seed);
  Ids text;
  for (size_t i = 0; i < count; ++i)
    text.push_back(static_cast<int32_t>(random() % static_cast<uint64_t>(vocabulary)));
  return text;
}

Ids naturalText() {
  Folder folder;
  FakeArtefact artefact;
  artefact.useTokenizer();
  artefact.manifest["model"]["vocab_size"] = 2048;
  artefact.write(folder / "model.so");
  return samba::Model(folder / "model.so").tokenize(readBytes(SAMBA_SOURCE_DIR "/models/samba-tiny/validation.txt"));
}

// Each text by itself, so even one that is a trap. A single wrong guess costs a pass or two.
TEST(Guessing, NeverMuchSlower) {
  Ids natural = naturalText();
  for (const Machine &machine : machines)
    for (size_t length : {100, 200, 600}) {
      double worst = 10;
      Outcome all;
      auto add = [&](const Ids &text, size_t prompt, uint64_t seed) {
        Outcome outcome = decode(text, prompt, machine, seed);
        worst = std::min(worst, outcome.speedUp());
        all.plain += outcome.plain;
        all.time += outcome.time;
      };
      for (uint64_t i = 0; i < 60; ++i) {
        size_t prompt = 10 + i * 37 % 300;
        auto begin = natural.begin() + static_cast<ptrdiff_t>(i * 311 % (natural.size() - prompt - length));
        add(Ids(begin, begin + static_cast<ptrdiff_t>(prompt + length)), prompt, i);
        for (int32_t vocabulary : {3, 20, 2048})
          add(randomText(prompt + length, vocabulary, i), prompt, i);
        // A prompt that promises repetition, and a text without.
        Ids phrase = randomText(15, 2048, i), text;
        while (text.size() < prompt)
          text.insert(text.end(), phrase.begin(), phrase.end());
        text.resize(prompt);
        Ids rest = randomText(length, 30, i + 1000);
        text.insert(text.end(), rest.begin(), rest.end());
        add(text, prompt, i);
      }
      EXPECT_GE(worst, 0.97) << machine.name << ", " << length << " tokens";
      EXPECT_GE(all.speedUp(), 0.99) << machine.name << ", " << length << " tokens";
    }
}

// A text that comes again, and one that goes in circles, with a token that differs now and then.
TEST(Guessing, FasterWithRepetition) {
  Ids natural = naturalText();
  for (const Machine &machine : machines) {
    if (machine.passes[7] > 4)
      continue;
    Outcome again, circles;
    for (uint64_t i = 0; i < 40; ++i) {
      auto begin = natural.begin() + static_cast<ptrdiff_t>(i * 401);
      Ids text(begin, begin + 200), phrase(begin, begin + 12);
      text.insert(text.end(), begin + 20, begin + 180);
      Outcome outcome = decode(text, 205, machine, i);
      again.plain += outcome.plain;
      again.time += outcome.time;
      text.clear();
      for (int32_t turn = 0; text.size() < 200; ++turn) {
        phrase[5] = 1000 + turn / 3;
        text.insert(text.end(), phrase.begin(), phrase.end());
      }
      outcome = decode(text, 30, machine, i);
      circles.plain += outcome.plain;
      circles.time += outcome.time;
    }
    EXPECT_GE(again.speedUp(), 1.5) << machine.name;
    EXPECT_GE(circles.speedUp(), 1.5) << machine.name;
  }
}

TEST(PayoffTest, LearnsAccuracyByKind) {
  Payoff payoff(0);
  EXPECT_EQ(Payoff::kindOf(0, 5), 0u);
  EXPECT_EQ(Payoff::kindOf(3, 2), 5u);
  EXPECT_EQ(Payoff::kindOf(8, 40), Payoff::kinds - 1);
  double before = payoff.accuracy(3);
  EXPECT_DOUBLE_EQ(payoff.accuracy(8), before);
  for (int i = 0; i < 100; ++i) {
    payoff.guessed(4, true);
    payoff.guessed(2, i % 4 == 0);
  }
  EXPECT_GT(payoff.accuracy(4), 0.95);
  EXPECT_NEAR(payoff.accuracy(2), 0.25, 0.05);
  EXPECT_GT(payoff.accuracy(8), 0.9) << "longer contexts are as good until they are known better";
  for (int i = 0; i < 100; ++i)
    payoff.guessed(4, false);
  EXPECT_LT(payoff.accuracy(4), 0.1) << "old ones are forgotten";
}

TEST(PayoffTest, NeedsPlainPassesToCompareWith) {
  Payoff payoff(0);
  for (int i = 0; i < 50; ++i)
    payoff.guessed(3, true);
  EXPECT_EQ(payoff.worth(1, 3, 7), 0u);
  for (int i = 0; i < 3; ++i)
    payoff.passed(1, 1, 1.0, 0, 0);
  EXPECT_EQ(payoff.worth(1, 3, 7), 1u) << "few rows at first";
  payoff.passed(2, 2, 1.0, 1, 0);
  EXPECT_EQ(payoff.worth(1, 3, 7), 3u);
  EXPECT_EQ(payoff.worth(1, 3, 2), 2u);
  EXPECT_EQ(payoff.worth(1, 3, 0), 0u);
  // And now and then, as a machine changes.
  size_t passes = 0;
  while (payoff.worth(1, 3, 7) > 0 && passes < 1000) {
    payoff.passed(4, 4, 1.2, 3, 0);
    ++passes;
  }
  EXPECT_EQ(passes, 63u);
}

TEST(PayoffTest, StopsWhenTimeIsLost) {
  Payoff payoff(0);
  for (int i = 0; i < 50; ++i)
    payoff.guessed(3, true);
  for (int i = 0; i < 3; ++i)
    payoff.passed(1, 1, 1.0, 0, 0);
  payoff.passed(2, 1, 1.3, 1, 0); // wrong, whatever the accuracy was
  EXPECT_EQ(payoff.worth(1, 3, 7), 0u);
  int waited = 0;
  for (; payoff.worth(1, 3, 7) == 0 && waited < 1000; ++waited)
    payoff.passed(1, 1, 1.0, 0, 0);
  EXPECT_NEAR(waited, 0.3 / 0.015, 5);
}

TEST(PayoffTest, CountsTheTimeOfTheDraft) {
  Payoff cheap(0), dear(0);
  for (Payoff *payoff : {&cheap, &dear}) {
    for (int i = 0; i < 50; ++i)
      payoff->guessed(0, i % 5 != 0);
    for (int i = 0; i < 3; ++i)
      payoff->passed(1, 1, 1.0, 0, 0);
    for (int i = 0; i < 4; ++i)
      payoff->passed(2, 2, 1.1, 1, payoff == &dear ? 0.9 : 0.05);
    payoff->passed(1, 1, 1.0, 0, 0);
  }
  EXPECT_GT(cheap.worth(1, 0, 7), 0u);
  EXPECT_EQ(dear.worth(1, 0, 7), 0u);
}

TEST(PayoffTest, TimesFewPlainPasses) {
  Payoff payoff(0);
  int timed = 0;
  for (int i = 0; i < 90; ++i) {
    timed += payoff.wantsTime();
    payoff.passed(1, 1, payoff.wantsTime() ? 1.0 : Payoff::unknown, 0, 0);
  }
  EXPECT_EQ(timed, 3 + 87 / 9);
  EXPECT_DOUBLE_EQ(payoff.plainSeconds(), 1.0);
  EXPECT_DOUBLE_EQ(payoff.totalSeconds(), 90.0);
}

// What another program takes from a pass must not count as its cost.
TEST(PayoffTest, InterruptedPasses) {
  Payoff payoff(0);
  payoff.passed(1, 1, 50.0, 0, 0);
  payoff.passed(1, 1, 1.0, 0, 0);
  payoff.passed(1, 1, 30.0, 0, 0);
  EXPECT_DOUBLE_EQ(payoff.plainSeconds(), 1.0);
  payoff.passed(1, 1, 100.0, 0, 0);
  EXPECT_LT(payoff.plainSeconds(), 1.1);
  payoff.passed(2, 1, 100.0, 1, 0);
  EXPECT_LE(payoff.cost(2), 3.0);
}

// A ring of two slots: no pass may have more rows than that, whatever the option says.
TEST_F(Run, ShortWindows) {
  for (const char *draft : {"lookup:20", "$D/model.so"}) {
    Result result = shell(folder, std::string("$RUN $D/model.so --json --ignore-eos --tokens $D/tokens.json -n 60 "
                                              "--speculate=") +
                                      draft);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(nlohmann::json::parse(result.out)["tokens"], nlohmann::json(predictGreedy(artefact, prompt, 60)));
  }
}

} // namespace
