//===- SamplerTest.cpp - the choice of tokens ----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Sampler.h"
#include "samba/samba.hpp"

#include <cmath>
#include <cstddef>
#include <gtest/gtest.h>
#include <limits>
#include <map>

using namespace samba;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

samba_sampling with(float temperature, uint64_t seed = 1) {
  samba_sampling sampling = SAMBA_SAMPLING_INIT;
  sampling.temperature = temperature;
  sampling.seed = seed;
  return sampling;
}

int32_t greedy(const std::vector<float> &logits) { return Sampler().sample(logits.data(), logits.size()); }

/// How often each token is chosen, in parts of 1.
std::map<int32_t, double> frequencies(const samba_sampling &sampling, const std::vector<float> &logits) {
  constexpr int draws = 40000;
  Sampler sampler(sampling);
  std::map<int32_t, double> result;
  for (int i = 0; i < draws; ++i)
    ++result[sampler.sample(logits.data(), logits.size())];
  for (auto &[token, count] : result)
    count /= draws;
  return result;
}

void expectFrequencies(const samba_sampling &sampling, const std::vector<float> &logits,
                       const std::vector<double> &probabilities) {
  std::map<int32_t, double> found = frequencies(sampling, logits);
  for (size_t i = 0; i < probabilities.size(); ++i) {
    if (probabilities[i] == 0)
      EXPECT_EQ(found.count(static_cast<int32_t>(i)), 0u) << i;
    else // five standard deviations
      EXPECT_NEAR(found[static_cast<int32_t>(i)], probabilities[i],
                  5 * std::sqrt(probabilities[i] * (1 - probabilities[i]) / 40000))
          << i;
  }
}

std::vector<float> logarithms(const std::vector<double> &probabilities, double temperature = 1) {
  std::vector<float> logits;
  for (double p : probabilities)
    logits.push_back(static_cast<float>(std::log(p) * temperature + 3));
  return logits;
}

const std::vector<double> distribution = {0.1, 0.4, 0.05, 0.25, 0.2};

TEST(Random, ReferenceSequence) {
  // xoshiro256** from the splitmix64 sequence of seed 0.
  runtime::Random random(0);
  EXPECT_EQ(random.next(), 0x99ec5f36cb75f2b4u);
  EXPECT_EQ(random.next(), 0xbf6e1f784956452au);
  EXPECT_EQ(random.next(), 0x1a5f849d4933e6e0u);
}

TEST(Random, UniformInUnitInterval) {
  runtime::Random random(7);
  double sum = 0;
  for (int i = 0; i < 100000; ++i) {
    double value = random.uniform();
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 1);
    sum += value;
  }
  EXPECT_NEAR(sum / 100000, 0.5, 0.005);
}

TEST(Sampler, Greedy) {
  EXPECT_EQ(greedy({1, 3, 2}), 1);
  EXPECT_EQ(greedy({1, 3, 3, 3}), 1); // the lowest id of equals
  EXPECT_EQ(greedy({-infinity, -5, -infinity}), 1);
  EXPECT_EQ(greedy({-infinity, -infinity}), 0);
  EXPECT_EQ(greedy({1, infinity, 2}), 1);
}

TEST(Sampler, NaN) {
  EXPECT_EQ(greedy({nan, 1, nan, 2}), 3);
  expectFrequencies(with(1), {nan, 0, nan, 0}, {0, 0.5, 0, 0.5});
  for (float temperature : {0.0f, 1.0f}) {
    Sampler sampler(with(temperature));
    std::vector<float> logits = {nan, nan};
    try {
      sampler.sample(logits.data(), logits.size());
      ADD_FAILURE();
    } catch (const Exception &error) {
      EXPECT_EQ(error.status(), SAMBA_ERROR_NUMERIC);
    }
  }
}

TEST(Sampler, Infinite) {
  expectFrequencies(with(1), {infinity, 5, infinity, -infinity}, {0.5, 0, 0.5, 0});
  expectFrequencies(with(1), {-infinity, -infinity}, {0.5, 0.5});
}

TEST(Sampler, Temperature) {
  expectFrequencies(with(1), logarithms(distribution), distribution);
  expectFrequencies(with(2.5f), logarithms(distribution, 2.5), distribution);
  expectFrequencies(with(0.3f), logarithms(distribution, 0.3), distribution);
  // So small that all but the best vanish.
  expectFrequencies(with(1e-30f), logarithms(distribution), {0, 1, 0, 0, 0});
}

TEST(Sampler, TopK) {
  samba_sampling sampling = with(1);
  sampling.top_k = 2;
  expectFrequencies(sampling, logarithms(distribution), {0, 0.4 / 0.65, 0, 0.25 / 0.65, 0});
  sampling.top_k = 1;
  expectFrequencies(sampling, {2, 2, 2}, {1, 0, 0});
  sampling.top_k = 100;
  expectFrequencies(sampling, logarithms(distribution), distribution);
}

TEST(Sampler, TopP) {
  samba_sampling sampling = with(1);
  sampling.top_p = 0.6f; // 0.4 alone is too little
  expectFrequencies(sampling, logarithms(distribution), {0, 0.4 / 0.65, 0, 0.25 / 0.65, 0});
  sampling.top_p = 0.3f;
  expectFrequencies(sampling, logarithms(distribution), {0, 1, 0, 0, 0});
  sampling.top_p = 1e-6f;
  expectFrequencies(sampling, logarithms(distribution), {0, 1, 0, 0, 0});
}

TEST(Sampler, MinP) {
  samba_sampling sampling = with(1);
  sampling.min_p = 0.45f; // of 0.4: at least 0.18
  expectFrequencies(sampling, logarithms(distribution), {0, 0.4 / 0.85, 0, 0.25 / 0.85, 0.2 / 0.85});
  sampling.min_p = 1;
  expectFrequencies(sampling, logarithms(distribution), {0, 1, 0, 0, 0});
}

TEST(Sampler, FiltersTogether) {
  samba_sampling sampling = with(1);
  sampling.top_k = 4;    // drops 0.05
  sampling.min_p = 0.3f; // drops 0.1
  sampling.top_p = 0.7f; // of 0.85: keeps 0.4 and 0.25
  expectFrequencies(sampling, logarithms(distribution), {0, 0.4 / 0.65, 0, 0.25 / 0.65, 0});
}

TEST(Sampler, SameSeedSameTokens) {
  auto draw = [](uint64_t seed) {
    samba_sampling sampling = with(1, seed);
    sampling.top_p = 0.95f;
    Sampler sampler(sampling);
    std::vector<float> logits = logarithms(distribution);
    std::vector<int32_t> tokens;
    for (int i = 0; i < 50; ++i)
      tokens.push_back(sampler.sample(logits.data(), logits.size()));
    return tokens;
  };
  EXPECT_EQ(draw(5), draw(5));
  EXPECT_NE(draw(5), draw(6));
}

TEST(Sampler, RepeatPenalty) {
  samba_sampling sampling = with(0);
  sampling.repeat_penalty = 2;
  sampling.repeat_window = 3;
  Sampler sampler(sampling);
  std::vector<float> logits = {4, 3, 1, -1};
  auto sample = [&] { return sampler.sample(logits.data(), logits.size()); };
  EXPECT_EQ(sample(), 0);
  sampler.accept(0); // 4 -> 2
  EXPECT_EQ(sample(), 1);
  sampler.accept(1);
  sampler.accept(1); // twice, and still 3 -> 1.5
  EXPECT_EQ(sample(), 0);
  sampler.accept(1); // 0 leaves the window
  EXPECT_EQ(sample(), 0);
  logits = {-1, -1.5f};
  EXPECT_EQ(sample(), 0);
  sampler.accept(0); // -1 -> -2, -1.5 -> -3
  EXPECT_EQ(sample(), 0);
  sampler.accept(0);
  sampler.accept(0); // 1 leaves
  EXPECT_EQ(sample(), 1);
}

TEST(Sampler, BadParameters) {
  auto refused = [](auto change) {
    samba_sampling sampling = SAMBA_SAMPLING_INIT;
    change(sampling);
    samba_sampler *sampler = nullptr;
    samba_status status = samba_sampler_create(&sampling, &sampler);
    samba_sampler_free(sampler);
    return status == SAMBA_ERROR_ARGUMENT;
  };
  EXPECT_FALSE(refused([](samba_sampling &) {}));
  EXPECT_TRUE(refused([](samba_sampling &s) { s.size = 0; }));
  EXPECT_TRUE(refused([](samba_sampling &s) { s.temperature = -1; }));
  EXPECT_TRUE(refused([](samba_sampling &s) { s.temperature = nan; }));
  EXPECT_TRUE(refused([](samba_sampling &s) { s.top_k = -1; }));
  EXPECT_TRUE(refused([](samba_sampling &s) { s.top_p = 0; }));
  EXPECT_TRUE(refused([](samba_sampling &s) { s.top_p = nan; }));
  EXPECT_TRUE(refused([](samba_sampling &s) { s.min_p = 1.5f; }));
  EXPECT_TRUE(refused([](samba_sampling &s) { s.repeat_penalty = 0; }));
  EXPECT_TRUE(refused([](samba_sampling &s) { s.repeat_window = -1; }));
}

TEST(Sampler, BiasAndPenalties) {
  std::vector<float> logits = {1, 3, 2, -1};
  Sampler sampler;
  sampler.bias(0, 2.5f);
  EXPECT_EQ(sampler.sample(logits.data(), 4), 0);
  sampler.bias(0, -infinity);
  sampler.bias(1, -infinity);
  sampler.bias(1000, 50); // beyond the vocabulary: no effect
  EXPECT_EQ(sampler.sample(logits.data(), 4), 2);
  EXPECT_THROW(sampler.bias(0, nan), Exception);
  EXPECT_THROW(sampler.bias(0, infinity), Exception);
  EXPECT_THROW(sampler.bias(-1, 0), Exception);

  samba_sampling sampling = with(1);
  sampling.presence_penalty = 0.5f;
  sampling.frequency_penalty = 0.25f;
  sampling.repeat_window = 3;
  Sampler penalties(sampling);
  for (int32_t token : {2, 1, 1, 2}) // the first one is not recent any more
    penalties.accept(token);
  std::vector<double> expected = {std::exp(1.0), std::exp(2.0), std::exp(1.25), std::exp(-1.0)};
  double total = expected[0] + expected[1] + expected[2] + expected[3];
  std::vector<float> found = penalties.probabilities(logits.data(), 4);
  for (size_t i = 0; i < 4; ++i)
    EXPECT_NEAR(found[i], expected[i] / total, 1e-6) << i;
  sampling.presence_penalty = infinity;
  EXPECT_THROW(Sampler{sampling}, Exception);
}

TEST(Sampler, OldCallersHaveNoNewPenalties) {
  struct {
    samba_sampling sampling;
  } call = {with(0)};
  call.sampling.size = offsetof(samba_sampling, presence_penalty);
  call.sampling.presence_penalty = nan;
  Sampler sampler(call.sampling);
}

TEST(Sampler, Probabilities) {
  samba_sampling sampling = with(2);
  sampling.top_k = 3;
  sampling.min_p = 0.3f;
  std::vector<float> logits = logarithms({0.5, 0.1, 0.3, 0.1}, 2);
  std::vector<float> found = Sampler(sampling).probabilities(logits.data(), 4);
  EXPECT_NEAR(found[0], 0.625, 1e-6);
  EXPECT_EQ(found[1], 0);
  EXPECT_NEAR(found[2], 0.375, 1e-6);
  EXPECT_EQ(Sampler().probabilities(logits.data(), 4), (std::vector<float>{1, 0, 0, 0}));
}

// What is chosen has the distribution of the sampler whatever is proposed, and proposals are taken as often as
// possible.
TEST(Sampler, ChoosingAmongProposals) {
  std::vector<double> wanted = {0.4, 0.3, 0.2, 0.1};
  std::vector<float> logits = logarithms(wanted);
  constexpr int draws = 40000;
  for (const std::vector<float> &proposal : std::vector<std::vector<float>>{{0.1f, 0.2f, 0.3f, 0.4f},
                                                                            {1, 0, 0, 0},
                                                                            {0, 0, 0, 1},
                                                                            {0.4f, 0.3f, 0.2f, 0.1f},
                                                                            {0.25f, 0.25f, 0.25f, 0.25f}}) {
    Sampler sampler(with(1, 7));
    runtime::Random random(8);
    std::vector<double> found(4);
    double taken = 0, overlap = 0;
    for (int i = 0; i < draws; ++i) {
      double at = random.uniform();
      int32_t proposed = 0;
      while (at >= static_cast<double>(proposal[static_cast<size_t>(proposed)]) && proposed < 3)
        at -= static_cast<double>(proposal[static_cast<size_t>(proposed++)]);
      int32_t token = sampler.choose(logits.data(), proposal, proposed);
      found[static_cast<size_t>(token)] += 1.0 / draws;
      taken += token == proposed ? 1.0 / draws : 0;
    }
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_NEAR(found[i], wanted[i], 5 * std::sqrt(wanted[i] * (1 - wanted[i]) / draws)) << i;
      overlap += std::min(wanted[i], static_cast<double>(proposal[i]));
    }
    EXPECT_NEAR(taken, overlap, 5 * 0.5 / std::sqrt(draws));
  }
  std::vector<float> proposal = {0, 0, 0, 1};
  EXPECT_EQ(Sampler().choose(logits.data(), proposal, 3), 0);
}

TEST(SamplerTest, GoesOnFromWhatWasSaved) {
  std::vector<float> logits = logarithms({0.1, 0.2, 0.3, 0.15, 0.25});
  samba_sampling sampling = with(1, 3);
  sampling.frequency_penalty = 0.3f;
  sampling.repeat_window = 10;
  Sampler whole(sampling);
  auto draw = [&](Sampler &sampler) {
    int32_t token = sampler.sample(logits.data(), logits.size());
    sampler.accept(token);
    return token;
  };
  for (int i = 0; i < 25; ++i)
    draw(whole);
  std::string saved = whole.serialize();
  sampling.seed = 999; // comes from what is saved
  Sampler other(sampling), reseeded(sampling);
  other.restore(saved);
  EXPECT_EQ(other.serialize(), saved);
  reseeded.restore(saved);
  reseeded.reseed(999);
  int different = 0;
  for (int i = 0; i < 100; ++i) {
    int32_t token = draw(whole);
    ASSERT_EQ(draw(other), token) << i;
    different += draw(reseeded) != token;
  }
  EXPECT_GT(different, 0);

  // A shorter window keeps the last tokens, and those of a run without penalties count in one with them.
  Sampler plain(with(0));
  for (int32_t token : {4, 4, 1, 2})
    plain.accept(token);
  samba_sampling penalised = with(0);
  penalised.presence_penalty = 100;
  penalised.repeat_window = 2;
  Sampler shorter(penalised);
  shorter.restore(plain.serialize());
  std::vector<float> best = {0, 5, 4, 1, 3};
  EXPECT_EQ(shorter.sample(best.data(), best.size()), 4);
}

TEST(SamplerTest, RefusesToGoOnFromSomethingElse) {
  Sampler sampler(with(1));
  for (int32_t token : {5, 6, 7})
    sampler.accept(token);
  std::string saved = sampler.serialize(), zero = saved;
  std::fill(zero.begin() + 8, zero.begin() + 40, '\0'); // random numbers that would all be 0
  std::vector<std::string> wrong = {"", "x", saved + "x", saved.substr(0, saved.size() - 1), saved.substr(0, 40), zero};
  wrong.push_back(saved);
  wrong.back()[0] = 'x';
  wrong.push_back(saved);
  wrong.back()[7] = '\xff'; // far more tokens than there are
  for (const std::string &bytes : wrong) {
    try {
      sampler.restore(bytes);
      ADD_FAILURE() << bytes.size();
    } catch (const Exception &error) {
      EXPECT_EQ(error.status(), SAMBA_ERROR_FORMAT);
      EXPECT_STREQ(error.what(), "not a saved sampler");
    }
    EXPECT_EQ(sampler.serialize(), saved) << "a function that fails changes nothing";
  }
}

} // namespace
