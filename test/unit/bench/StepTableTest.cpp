//===- StepTableTest.cpp - what a step of a model has to do ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-bench/StepTable.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

using namespace samba::bench;
using nlohmann::json;

namespace {

json loop(const char *name, const char *op, int flops, int exps, int weightBytes) {
  return {{"name", name}, {"op", op}, {"flops", flops}, {"exps", exps}, {"weight_bytes", weightBytes}};
}

json field(const char *name, std::vector<int> shape) {
  return {{"name", name}, {"offset", 0}, {"dtype", "f32"}, {"shape", shape}};
}

/// A block with attention over a window of 4 and one with a scan.
json someManifest() {
  json attention = loop("attention", "sliding_window_attention", 86, 2, 0);
  attention["flops_per_key"] = 80;
  return {{"precision", "f32"},
          {"target", {{"cpu", "generic"}, {"features", {"avx512bf16"}}}},
          {"weights", {{"bytes", 1000}}},
          {"state",
           {{"fields",
             {field("layers.0.key", {1, 4, 10}), field("layers.0.value", {1, 4, 10}), field("layers.1.ssm", {2, 8})}}}},
          {"loops",
           {{"samba_step",
             {loop("embeddings", "embedding", 0, 0, 0),
              {{"call", "attend"}, {"layer", "layers.0.mixer"}},
              {{"call", "scan"}, {"layer", "layers.1.mixer"}},
              loop("rows", "gather_rows", 0, 0, 0),
              loop("lm_head", "linear", 1000, 0, 500)}},
            {"attend", {loop("q", "linear", 200, 0, 100), attention, attention}},
            {"scan", {loop("up+scan", "linear", 300, 0, 150), loop("up+scan", "selective_scan", 10, 7, 20)}}}}};
}

std::string messageOf(const json &manifest) {
  try {
    StepTable table("x.so", manifest.dump());
  } catch (const std::runtime_error &error) {
    return error.what();
  }
  return "";
}

TEST(StepTable, ExpandsCallsInOrder) {
  StepTable table("x.so", someManifest().dump());
  std::vector<std::string> names, layers;
  std::vector<bool> starts, repeats, perRow;
  for (const Loop &loop : table.loops()) {
    names.push_back(loop.kernel);
    layers.push_back(loop.layer);
    starts.push_back(loop.starts);
    repeats.push_back(loop.repeats);
    perRow.push_back(loop.perRow);
  }
  std::string a = "layers.0.mixer", b = "layers.1.mixer";
  EXPECT_EQ(names, (std::vector<std::string>{"embeddings", "q", "attention", "attention", "up+scan", "up+scan", "rows",
                                             "lm_head"}));
  EXPECT_EQ(layers, (std::vector<std::string>{"", a, a, a, b, b, "", ""}));
  EXPECT_EQ(starts, (std::vector<bool>{1, 1, 1, 0, 1, 0, 1, 1}));
  EXPECT_EQ(repeats, (std::vector<bool>{0, 0, 0, 1, 0, 0, 0, 0}));
  EXPECT_EQ(perRow, (std::vector<bool>{0, 0, 0, 0, 0, 0, 1, 1}));
}

TEST(StepTable, LeavesOutLoopsOfSmallSteps) {
  json manifest = someManifest();
  json norm = loop("norm+q", "rms_norm", 10, 0, 0);
  norm["rows_above"] = 4;
  json &attend = manifest["loops"]["attend"];
  attend[0]["name"] = "norm+q";
  attend.insert(attend.begin(), norm);
  attend[3]["tokens_above"] = 1; // the ring write
  StepTable table("x.so", manifest.dump());
  auto kernels = [&](const Step &step) {
    std::vector<std::string> names;
    for (const Loop &loop : table.loops(step))
      names.push_back(loop.kernel + (loop.starts ? "" : "'"));
    return names;
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(kernels({1, 0, 1, 1}),
            (Names{"embeddings", "norm+q", "attention", "up+scan", "up+scan'", "rows", "lm_head"}));
  EXPECT_EQ(kernels({5, 0, 1, 5}),
            (Names{"embeddings", "norm+q", "norm+q'", "attention", "up+scan", "up+scan'", "rows", "lm_head"}));
  EXPECT_EQ(kernels({1, 0, 3, 1}),
            (Names{"embeddings", "norm+q", "attention", "attention'", "up+scan", "up+scan'", "rows", "lm_head"}));
  EXPECT_EQ(table.loops({1, 0, 9, 1}).size(), table.loops().size());
}

TEST(StepTable, CountsTheWorkOfAStep) {
  StepTable table("x.so", someManifest().dump());
  // Two fresh sequences of three tokens, which see 1, 2 and 3 keys; one row of logits.
  Work prompt = table.workOf(Step{2, 0, 3, 1});
  EXPECT_EQ(prompt.linearFlops, 6 * (200 + 300) + 1000);
  EXPECT_EQ(prompt.attentionFlops, 2 * (1 + 2 + 3) * 80);
  EXPECT_EQ(prompt.otherFlops, 6 * 10);
  EXPECT_EQ(prompt.exps, 2 * 6 * 2 + 6 * 7);
  EXPECT_EQ(prompt.weightBytes, 100 + 150 + 20 + 500);
  EXPECT_EQ(prompt.stateBytes, 2 * (3 * 80 + 2 * 64)); // three slots written; the scan's state read and written

  // The window is full: four keys are read and one is written.
  Work generation = table.workOf(Step{1, 9, 1, 1});
  EXPECT_EQ(generation.attentionFlops, 4 * 80);
  EXPECT_EQ(generation.stateBytes, 5 * 80 + 2 * 64);

  // It fills on the way: 3, 4, 4 and 4 keys.
  EXPECT_EQ(table.workOf(Step{1, 2, 4, 0}).attentionFlops, 15 * 80);
  EXPECT_EQ(table.workOf(Step{1, 2, 4, 0}).weightBytes, 270); // no logits, no head
}

// Slots of keys and values take what their type takes, in i8 with 4 bytes for the scale of each row.
TEST(StepTable, NarrowKeysAndValues) {
  for (auto [dtype, slotBytes] : {std::pair("f32", 40), std::pair("bf16", 20), std::pair("i8", 14)}) {
    json manifest = someManifest();
    for (int i : {0, 1})
      manifest["state"]["fields"][i]["dtype"] = dtype;
    StepTable table("x.so", manifest.dump());
    EXPECT_EQ(table.workOf(Step{1, 9, 1, 1}).stateBytes, 5 * 2 * slotBytes + 2 * 64) << dtype;
  }
}

TEST(StepTable, BoundsByTheSlowerLimit) {
  json manifest = someManifest();
  Limits limits;
  limits.f32 = 100;
  limits.bf16 = 1000;
  limits.read = 10;
  StepTable table("x.so", manifest.dump());
  Step step{1, 9, 1, 1};
  Bound bound = table.boundOf(step, limits);
  EXPECT_DOUBLE_EQ(bound.compute, (200 + 300 + 1000 + 320) / 100.0);
  EXPECT_DOUBLE_EQ(bound.memory, (770 + 528) / 10.0);
  EXPECT_DOUBLE_EQ(bound.seconds(), bound.memory);
  EXPECT_STREQ(bound.binding(), "memory");
  EXPECT_STREQ(table.linearLimit(limits), "f32");
  // The arithmetic of the scan counts only for itself, an exponential as four multiply-adds.
  EXPECT_DOUBLE_EQ(table.boundOf(table.loops()[5], step, limits).compute, (10 + 7 * 8) / 100.0);
  EXPECT_EQ(table.boundOf(table.loops()[3], step, limits).seconds(), 0);

  manifest["precision"] = "bf16";
  StepTable narrow("x.so", manifest.dump());
  EXPECT_STREQ(narrow.linearLimit(limits), "bf16");
  EXPECT_DOUBLE_EQ(narrow.boundOf(step, limits).compute, 1500 / 1000.0 + 320 / 100.0);
  limits.bf16.reset();
  EXPECT_STREQ(narrow.linearLimit(limits), "f32");
  manifest["target"]["features"] = json::array();
  limits.bf16 = 1000;
  EXPECT_STREQ(StepTable("x.so", manifest.dump()).linearLimit(limits), "f32");

  // Some matrices of a quantised model are not: those with two bytes per weight.
  manifest["precision"] = "int4";
  manifest["target"]["features"] = {"avx512bf16", "avx512vnni"};
  manifest["loops"]["attend"][0]["weight_bytes"] = 200;
  limits.int8 = 2000;
  StepTable quantised("x.so", manifest.dump());
  EXPECT_STREQ(quantised.linearLimit(limits), "int8");
  EXPECT_DOUBLE_EQ(quantised.boundOf(step, limits).compute, 1300 / 2000.0 + 200 / 1000.0 + 320 / 100.0);
}

TEST(StepTable, OlderManifestsHaveNone) {
  json manifest = someManifest();
  manifest["loops"] = nullptr;
  EXPECT_FALSE(StepTable("x.so", manifest.dump()).known());
  manifest.erase("loops");
  EXPECT_FALSE(StepTable("x.so", manifest.dump()).known());
}

TEST(StepTable, RefusesWhatIsMalformed) {
  auto changed = [](const char *pointer, json value) {
    json manifest = someManifest();
    manifest[json::json_pointer(pointer)] = std::move(value);
    return messageOf(manifest);
  };
  auto has = [](const std::string &message, const char *part) {
    return message.find("'x.so'") != std::string::npos && message.find(part) != std::string::npos &&
           message.find('\n') == std::string::npos;
  };
  EXPECT_TRUE(has(changed("/loops", 3), "key loops: expected an object"));
  EXPECT_TRUE(has(changed("/loops", {{"other", json::array()}}), "samba_step"));
  EXPECT_TRUE(has(changed("/loops/samba_step/1/call", "nobody"), "loops.nobody: expected an array"));
  EXPECT_TRUE(has(changed("/loops/samba_step/1/call", 7), "loops.samba_step[1].call: expected a string"));
  EXPECT_TRUE(has(changed("/loops/attend/0", "text"), "loops.attend[0]: expected an object"));
  EXPECT_TRUE(has(changed("/loops/attend/0/flops", -1), "loops.attend[0].flops: expected a number"));
  EXPECT_TRUE(has(changed("/loops/attend/1/flops_per_key", "many"), "loops.attend[1].flops_per_key"));
  EXPECT_TRUE(has(changed("/loops/scan/1", {{"call", "scan"}, {"layer", "x"}}), "does not call itself"));
  EXPECT_TRUE(has(changed("/state", nullptr), "malformed"));
  EXPECT_TRUE(has(changed("/state/fields/0/shape", "wide"), "malformed"));
  EXPECT_TRUE(has(changed("/weights", 1), "malformed"));
  // Functions without loops that call each other exponentially often.
  json manifest = someManifest();
  for (int i = 0; i < 12; ++i) {
    json calls = json::array();
    for (int j = 0; j < 40; ++j)
      calls.push_back({{"call", "f" + std::to_string(i + 1)}, {"layer", "x"}});
    manifest["loops"]["f" + std::to_string(i)] = calls;
  }
  manifest["loops"]["f12"] = json::array();
  manifest["loops"]["samba_step"] = {{{"call", "f0"}, {"layer", "x"}}};
  EXPECT_TRUE(has(messageOf(manifest), "one of at most"));
}

} // namespace
