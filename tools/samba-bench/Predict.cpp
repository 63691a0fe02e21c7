//===- Predict.cpp - what kernels could take on a GPU ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-bench/Predict.h"

#include "tools/samba-bench/MarkdownTable.h"
#include "tools/samba-bench/TestRun.h"
#include "tools/samba-run/Console.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

using namespace samba;
using namespace samba::bench;
using nlohmann::ordered_json;

// Of the SXM cards, as published; the share of mma.sync and the launch as measured by others.
static const Card cards[] = {
    {"h100", "H100", 3.35e12, 989e12, 0.6, 3.71e12, 29.7e12, 1.3e-6},
    {"h200", "H200", 4.8e12, 989e12, 0.6, 3.71e12, 29.7e12, 1.3e-6},
};

const Card *samba::bench::findCard(const std::string &name) {
  for (const Card &card : cards)
    if (name == card.name)
      return &card;
  return nullptr;
}

std::string samba::bench::cardNames() {
  std::string names;
  for (const Card &card : cards)
    names += (names.empty() ? "" : " or ") + std::string(card.name);
  return names;
}

static double at(const ordered_json &counters, const char *path) {
  return counters.at(ordered_json::json_pointer(path)).get<double>();
}

/// Of what was moved, the part that had to be; 1 if nothing was moved.
static double ratio(double ideal, double units) { return units > 0 ? ideal / units : 1; }

ordered_json samba::bench::predictKernel(const std::string &kernel, const ordered_json &counters, const Card &card) {
  double launches = at(counters, "/launches");
  double bytes = at(counters, "/unique_bytes_read") + at(counters, "/unique_bytes_written");
  // Only the products of warpgroups can reach the peak.
  double mma = at(counters, "/mma_flops"), wgmma = at(counters, "/wgmma_flops"), ex2 = at(counters, "/ex2"),
         fp32 = at(counters, "/lanes/float");
  const std::pair<const char *, double> bounds[] = {
      {"memory", bytes / card.bytes},
      {"tensor cores", ((mma - wgmma) / card.mmaShare + wgmma) / card.mma},
      {"ex2", ex2 / card.ex2},
      {"fp32", fp32 / card.fp32}};
  auto longest =
      std::max_element(std::begin(bounds), std::end(bounds), [](auto &a, auto &b) { return a.second < b.second; });
  double started = launches * card.launch;
  return {{"kernel", kernel},
          {"launches", launches},
          {"bytes", bytes},
          {"mma_flops", mma},
          {"wgmma_flops", wgmma},
          {"ex2", ex2},
          {"fp32", fp32},
          {"coalescing", ratio(at(counters, "/global_loads/ideal") + at(counters, "/global_stores/ideal"),
                               at(counters, "/global_loads/sectors") + at(counters, "/global_stores/sectors"))},
          {"bank_conflicts",
           1 / ratio(at(counters, "/shared_loads/ideal") + at(counters, "/shared_stores/ideal"),
                     at(counters, "/shared_loads/wavefronts") + at(counters, "/shared_stores/wavefronts"))},
          {"predicted_s", longest->second + started},
          {"predicted_by", started > longest->second ? "launch" : longest->first}};
}

ordered_json samba::bench::difference(const ordered_json &now, const ordered_json &before) {
  if (before.is_null())
    return now;
  ordered_json result = now;
  for (auto &[key, value] : result.items())
    if (value.is_object())
      value = difference(value, before.at(key));
    else if (key != "shared_bytes") // a maximum
      value = value.get<uint64_t>() - before.at(key).get<uint64_t>();
  return result;
}

namespace {

/// What each kernel does in a step.
ordered_json predictStep(const Model &model, const ordered_json &before, const Card &card) {
  ordered_json kernels = ordered_json::array();
  ordered_json now = ordered_json::parse(model.deviceCounters());
  for (auto &[name, counters] : now.items()) {
    ordered_json done = difference(counters, before.value(name, ordered_json()));
    if (done.at("launches") != 0)
      kernels.push_back(predictKernel(name, done, card));
  }
  std::stable_sort(kernels.begin(), kernels.end(), [](const ordered_json &a, const ordered_json &b) {
    return a.at("predicted_s").get<double>() > b.at("predicted_s").get<double>();
  });
  return kernels;
}

} // namespace

void samba::bench::runPredictions(const std::string &path, const Options &options, ordered_json &predictions) {
  predictions = predictions.is_null() ? ordered_json::array() : predictions;
  const Card &card = *findCard(*options.predict);
  Snapshots snapshots;
  Model model(path, openOptions(options, 0));
  StepTable table(path, model.manifest());
  for (Test test : testsOf(options)) {
    if (run::interrupted())
      return;
    test.generate = std::min<int64_t>(test.generate, 1);
    if (options.progress)
      std::fprintf(stderr, "%s on %s: %s\n", std::string(model.name()).c_str(), std::string(model.device()).c_str(),
                   test.name().c_str());
    TestRun counted(test, model, options, snapshots);
    ordered_json before = ordered_json::parse(model.deviceCounters());
    counted.run();
    ordered_json kernels = predictStep(model, before, card);
    double seconds = 0;
    for (const ordered_json &kernel : kernels)
      seconds += kernel.at("predicted_s").get<double>();
    predictions.push_back({{"file", path.substr(path.rfind('/') + 1)},
                           {"model", model.name()},
                           {"precision", table.precision()},
                           {"counted_on", model.device()},
                           {"gpu", card.title},
                           {"step", test.name()},
                           {"tokens", test.tokens()},
                           {"predicted_s", seconds},
                           {"predicted_tokens_per_s", static_cast<double>(test.tokens()) / seconds},
                           {"kernels", kernels}});
  }
}

std::string samba::bench::predictionMarkdown(const ordered_json &prediction) {
  std::string gpu = textOf(prediction.at("gpu"));
  std::string text = textOf(prediction.at("model")) + ", " + textOf(prediction.at("precision")) + ", " +
                     textOf(prediction.at("step")) + ": predicted at least " + cell(prediction, "/predicted_s", 1e6) +
                     " us, at most " + cell(prediction, "/predicted_tokens_per_s") + " tokens/s on " + gpu +
                     " (counted on " + textOf(prediction.at("counted_on")) + ", not measured)\n\n";
  MarkdownTable table({"kernel", ">launches", ">MB", ">mma GFLOP", ">ex2 M", ">fp32 M", ">coalescing",
                       ">bank conflicts", ">predicted us", "predicted by"});
  for (const ordered_json &kernel : prediction.at("kernels"))
    table.add({textOf(kernel.at("kernel")), cell(kernel, "/launches"), cell(kernel, "/bytes", 1e-6),
               cell(kernel, "/mma_flops", 1e-9), cell(kernel, "/ex2", 1e-6), cell(kernel, "/fp32", 1e-6),
               cell(kernel, "/coalescing"), cell(kernel, "/bank_conflicts"), cell(kernel, "/predicted_s", 1e6),
               textOf(kernel.at("predicted_by"))});
  return text + table.text();
}
