//===- BenchTest.cpp - measuring a hand-written model ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-bench/Bench.h"
#include "test/unit/runtime/FakeArtefact.h"
#include "tools/samba-bench/FusionMatrix.h"
#include "tools/samba-bench/PeakLoops.h"
#include "tools/samba-bench/Profile.h"
#include "tools/samba-bench/Recorder.h"
#include "tools/samba-bench/Report.h"
#include "tools/samba-bench/Statistics.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace samba;
using namespace samba::bench;
using namespace samba::test;
using nlohmann::json;
using nlohmann::ordered_json;

namespace {

/// The five loops of FakeModel.c.
json fakeLoops(size_t count = 5) {
  json loops = json::array();
  for (size_t i = 0; i < count; ++i)
    loops.push_back({{"name", "loop" + std::to_string(i)},
                     {"op", i == 3   ? "gather_rows"
                            : i == 4 ? "linear"
                                     : "x"},
                     {"flops", 16},
                     {"exps", 0},
                     {"weight_bytes", 64}});
  return {{"samba_step", loops}};
}

class Bench : public testing::Test {
protected:
  void write() { artefact.write(path); }
  void run(const Options &options) { runTests(path, options, probe, result["models"], result["tests"]); }
  void profile(const Options &options) { runProfiles(path, options, probe, result["models"], result["profiles"]); }

  Folder folder;
  std::string path = folder / "fake.so";
  FakeArtefact artefact;
  LimitProbe probe;
  ordered_json result = emptyResult();
};

TEST(FusionMatrix, Variants) {
  std::vector<FusionName> known = {{"a", true}, {"b", false}};
  std::vector<Variant> variants = fusionVariants(known, {});
  ASSERT_EQ(variants.size(), 9u);
  EXPECT_EQ(variants[0].fusions, "none");
  EXPECT_EQ(variants[3].fusions, "a");
  EXPECT_EQ(variants[3].against, "none");
  EXPECT_EQ(variants[5].name, "default without a");
  EXPECT_EQ(variants[5].fusions, "default,-a");
  EXPECT_EQ(variants[5].against, "default");
  EXPECT_EQ(variants[6].name, "default with b");
  EXPECT_EQ(variants[8].fusions, "all,-b");
  EXPECT_EQ(variants[8].against, "all");
  EXPECT_EQ(fusionVariants(known, {"b"}).size(), 6u);
  EXPECT_THROW(fusionVariants(known, {"c"}), UsageError);
}

TEST(FusionMatrix, ChangesAreOfPairs) {
  // The machine was half as fast in the second round; the change is the same in both.
  ordered_json change = changeOf({1, 2, 4}, {1.5, 3, 4});
  EXPECT_DOUBLE_EQ(change["median"].get<double>(), 50);
  EXPECT_DOUBLE_EQ(change["lower_quartile"].get<double>(), 25);
  EXPECT_DOUBLE_EQ(change["upper_quartile"].get<double>(), 50);
  EXPECT_TRUE(changeOf({}, {}).is_null());
}

TEST(Statistics, OfSamples) {
  Statistics three({5, 1, 3});
  EXPECT_EQ(three.mean, 3);
  EXPECT_EQ(three.median, 3);
  EXPECT_EQ(three.deviation, 2);
  EXPECT_EQ(three.minimum, 1);
  EXPECT_EQ(three.maximum, 5);
  EXPECT_EQ(Statistics({4, 1, 3, 100}).median, 3.5);
  EXPECT_EQ(Statistics({7}).deviation, 0);
}

TEST_F(Bench, LimitsArePositiveAndOrdered) {
  Limits limits = probe.measure(1, 0.01);
  EXPECT_GT(limits.f32, 1e8);
  EXPECT_GT(limits.read, 1e7);
  EXPECT_EQ(limits.bf16.has_value(), bf16Peak().has_value());
  EXPECT_EQ(limits.int8.has_value(), int8Peak().has_value());
  Limits other = limits;
  other.read *= 3;
  EXPECT_EQ(median({limits, other}).read, 2 * limits.read);
  EXPECT_EQ(median({limits, other}).f32, limits.f32);
}

TEST_F(Bench, RandomTokensAreOfTheVocabularyAndSeeded) {
  std::vector<int32_t> tokens = randomTokens(1000, 7, 3);
  EXPECT_EQ(*std::min_element(tokens.begin(), tokens.end()), 0);
  EXPECT_EQ(*std::max_element(tokens.begin(), tokens.end()), 6);
  EXPECT_EQ(tokens, randomTokens(1000, 7, 3));
  EXPECT_NE(tokens, randomTokens(1000, 7, 4));
}

// A wrong position, or a state of another sequence, makes this model's logits NaN; bounds come from its table.
TEST_F(Bench, TestsOfEveryKind) {
  artefact.manifest["loops"] = fakeLoops();
  write();
  Options options;
  options.prompts = {5, 40};
  options.generations = {3};
  options.mixed = {{4, 2}};
  options.batches = {1, 3};
  options.depths = {0, 9};
  options.threads = {1, 2};
  options.repetitions = 2;
  options.chunk = 16;
  run(options);
  ASSERT_EQ(result["models"].size(), 1u);
  ASSERT_EQ(result["tests"].size(), 2 * (2 + 4 + 4u));
  const ordered_json &prompt = result["tests"][1];
  EXPECT_EQ(prompt["test"], "prompt 40");
  EXPECT_EQ(prompt["tokens"], 40);
  EXPECT_EQ(prompt["repetitions"].size(), 2u);
  EXPECT_EQ(prompt["bound"]["linear_flops"], 16);            // one row of logits
  EXPECT_EQ(prompt["bound"]["weight_bytes"], 3 * 192 + 128); // three steps, the last one with a head
  const ordered_json &last = result["tests"].back();
  EXPECT_EQ(last["test"], "mixed 4+2 at 9 x 3");
  EXPECT_EQ(last["threads"], 2);
  EXPECT_EQ(last["tokens"], 18);
  EXPECT_GT(last["of_bound"].get<double>(), 0);
}

TEST_F(Bench, WithoutLoopsThereAreNoBounds) {
  write();
  Options options;
  options.prompts = {5};
  options.repetitions = 1;
  run(options);
  EXPECT_EQ(result["tests"][0]["bound"], nullptr);
  EXPECT_EQ(result["tests"][0]["of_bound"], nullptr);
  EXPECT_GT(result["tests"][0]["tokens_per_s"]["median"].get<double>(), 0);
  for (Format how : {Format::Markdown, Format::Csv, Format::Json})
    EXPECT_NE(format(result, how), "");
  try {
    profile(options);
    FAIL();
  } catch (const std::runtime_error &error) {
    EXPECT_NE(std::string(error.what()).find("has no loops"), std::string::npos) << error.what();
  }
}

TEST_F(Bench, ProfilesCountBarriers) {
  artefact.manifest["loops"] = fakeLoops();
  write();
  Options options;
  options.prompts = {20};
  options.batches = {2};
  options.depths = {6};
  options.threads = {1, 3};
  options.repetitions = 3;
  options.ops = Ops::Kernels;
  profile(options);
  ASSERT_EQ(result["profiles"].size(), 4u);
  for (const ordered_json &measured : result["profiles"]) {
    EXPECT_EQ(measured["barriers"], 5);
    ASSERT_EQ(measured["kernels"].size(), 5u);
    double share = 0;
    for (const ordered_json &kernel : measured["kernels"])
      share += kernel["share"].get<double>();
    // With more threads than cores a switch of threads takes longer than the kernels of this model.
    EXPECT_GT(share, measured["threads"] == 1 ? 0.1 : 0);
    EXPECT_LE(share, 1.001);
  }
  EXPECT_EQ(result["profiles"][3]["step"], "generate at 6 x 2");
}

TEST_F(Bench, ATableOfOtherCodeIsRefused) {
  for (size_t count : {4, 6}) {
    artefact.manifest["loops"] = fakeLoops(count);
    write();
    Options options;
    options.prompts = {20};
    options.repetitions = 1;
    options.ops = Ops::Kernels;
    try {
      profile(options);
      FAIL();
    } catch (const std::runtime_error &error) {
      std::string expected = "passes 5 barriers, but the manifest (key loops) lists " + std::to_string(count);
      EXPECT_NE(std::string(error.what()).find(expected), std::string::npos) << error.what();
    }
  }
}

TEST_F(Bench, RecordingsAreInOrder) {
  artefact.manifest["loops"] = fakeLoops();
  write();
  StepTable table(path, artefact.manifest.dump());
  Recorder recorder(path, table, 2);
  recorder.setSequences(2, nullptr, 0);
  Recording recording = recorder.run(Step{2, 0, 30, 2}, 1);
  ASSERT_EQ(recording.passed.size(), 5u);
  double last = recording.begin;
  for (double time : recording.passed) {
    EXPECT_GE(time, last);
    last = time;
  }
  EXPECT_GE(recording.end, last);
  for (const std::vector<Passage> &thread : recording.threads)
    for (const Passage &passage : thread)
      EXPECT_GE(passage.passed, passage.reached);
}

TEST_F(Bench, ComparesTheSameTests) {
  write();
  Options options;
  options.prompts = {5, 6};
  options.repetitions = 2;
  run(options);
  ordered_json earlier = result;
  earlier["tests"][1]["tokens_per_s"]["median"] = result["tests"][1]["tokens_per_s"]["median"].get<double>() / 2;
  earlier["tests"][0]["threads"] = 77;
  EXPECT_EQ(compareResults(result, earlier), 1);
  EXPECT_FALSE(result["tests"][0].contains("compared"));
  EXPECT_DOUBLE_EQ(result["tests"][1]["compared"]["ratio"].get<double>(), 2);
  EXPECT_NE(format(result, Format::Markdown).find("earlier"), std::string::npos);
}

TEST(Report, QuotesCsv) {
  ordered_json result = emptyResult();
  result["tests"].push_back({{"file", "a,\"b\".so"}, {"test", "prompt 5"}});
  EXPECT_NE(format(result, Format::Csv).find("\"a,\"\"b\"\".so\",,,,prompt 5"), std::string::npos)
      << format(result, Format::Csv);
}

} // namespace
