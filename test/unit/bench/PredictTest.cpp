//===- PredictTest.cpp - counters to predicted times ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-bench/Predict.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace samba::bench;
using nlohmann::ordered_json;

namespace {

ordered_json counters() {
  return ordered_json::parse(R"({
    "launches": 2, "lanes": {"float": 0}, "unique_bytes_read": 3e9, "unique_bytes_written": 3.5e8, "mma_flops": 0, "wgmma_flops": 0,
    "ex2": 0, "shared_bytes": 1024,
    "global_loads": {"sectors": 90, "ideal": 70}, "global_stores": {"sectors": 10, "ideal": 10},
    "shared_loads": {"wavefronts": 20, "ideal": 15}, "shared_stores": {"wavefronts": 10, "ideal": 5}})");
}

TEST(Predict, TheSlowestRateBounds) {
  const Card &h100 = *findCard("h100");
  ordered_json kernel = predictKernel("k", counters(), h100);
  EXPECT_DOUBLE_EQ(kernel["predicted_s"].get<double>(), 1e-3 + 2 * 1.3e-6);
  EXPECT_EQ(kernel["predicted_by"], "memory");
  EXPECT_DOUBLE_EQ(kernel["coalescing"].get<double>(), 0.8);
  EXPECT_DOUBLE_EQ(kernel["bank_conflicts"].get<double>(), 1.5);

  ordered_json busy = counters();
  busy["mma_flops"] = 989e12 * 0.6 * 2e-3; // mma.sync reaches 60% of the peak
  EXPECT_EQ(predictKernel("k", busy, h100)["predicted_by"], "tensor cores");
  EXPECT_DOUBLE_EQ(predictKernel("k", busy, h100)["predicted_s"].get<double>(), 2e-3 + 2.6e-6);
  busy["wgmma_flops"] = busy["mma_flops"]; // products of warpgroups all of it
  EXPECT_DOUBLE_EQ(predictKernel("k", busy, h100)["predicted_s"].get<double>(), 2e-3 * 0.6 + 2.6e-6);
  busy["ex2"] = 3.71e12 * 3e-3;
  EXPECT_EQ(predictKernel("k", busy, h100)["predicted_by"], "ex2");
  busy["lanes"]["float"] = 29.7e12 * 4e-3;
  EXPECT_EQ(predictKernel("k", busy, h100)["predicted_by"], "fp32");
  EXPECT_DOUBLE_EQ(predictKernel("k", busy, h100)["predicted_s"].get<double>(), 4e-3 + 2.6e-6);

  ordered_json small = counters();
  small["unique_bytes_read"] = small["unique_bytes_written"] = 100;
  EXPECT_EQ(predictKernel("k", small, h100)["predicted_by"], "launch");
  EXPECT_LT(predictKernel("k", counters(), *findCard("h200"))["predicted_s"].get<double>(), 0.8e-3);
  EXPECT_EQ(findCard("gtx"), nullptr);
}

TEST(Predict, CountersOfOneStep) {
  ordered_json before = counters(), now = counters();
  for (const char *key : {"unique_bytes_read", "unique_bytes_written"})
    before[key] = now[key] = 0;
  now["launches"] = 5;
  now["lanes"]["float"] = 7;
  ordered_json step = difference(now, before);
  EXPECT_EQ(step["launches"], 3);
  EXPECT_EQ(step["lanes"]["float"], 7);
  EXPECT_EQ(step["global_loads"]["sectors"], 0);
  EXPECT_EQ(step["shared_bytes"], 1024);
  EXPECT_EQ(difference(now, nullptr), now);
}

TEST(Predict, NothingMovedIsWellCoalesced) {
  ordered_json none = counters();
  for (const char *kind : {"global_loads", "global_stores"})
    none[kind] = {{"sectors", 0}, {"ideal", 0}};
  for (const char *kind : {"shared_loads", "shared_stores"})
    none[kind] = {{"wavefronts", 0}, {"ideal", 0}};
  ordered_json kernel = predictKernel("k", none, *findCard("h100"));
  EXPECT_EQ(kernel["coalescing"], 1);
  EXPECT_EQ(kernel["bank_conflicts"], 1);
}

TEST(Predict, SaysThatItIsPredicted) {
  ordered_json prediction = {{"model", "m"},         {"precision", "bf16"},          {"counted_on", "virtual"},
                             {"gpu", "H100"},        {"step", "prompt 5"},           {"tokens", 5},
                             {"predicted_s", 10e-6}, {"predicted_tokens_per_s", 5e5}};
  prediction["kernels"] = {predictKernel("k", counters(), *findCard("h100"))};
  std::string text = predictionMarkdown(prediction);
  EXPECT_NE(text.find("m, bf16, prompt 5: predicted at least 10.0 us"), std::string::npos) << text;
  EXPECT_NE(text.find("on H100 (counted on virtual, not measured)"), std::string::npos) << text;
  EXPECT_NE(text.find("predicted us"), std::string::npos) << text;
}

} // namespace
