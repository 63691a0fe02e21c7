//===- Bench.cpp - timing a compiled model --------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-bench/Bench.h"

#include "tools/samba-bench/Statistics.h"
#include "tools/samba-bench/TestRun.h"
#include "tools/samba-run/Console.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <random>

using namespace samba;
using namespace samba::bench;
using nlohmann::ordered_json;

namespace {

constexpr double probeSeconds = 0.03;
// Limits are measured again after each repetition that is long beside the probe.
constexpr double longRepetition = 0.25;

/// The steps that a test consists of.
std::vector<Step> stepsOf(const Test &test, int64_t chunk) {
  std::vector<Step> steps;
  for (int64_t sequence = 0; test.prompt > 0 && sequence < test.batch; ++sequence)
    for (int64_t done = 0; done < test.prompt; done += chunk) {
      int64_t tokens = std::min(chunk, test.prompt - done);
      steps.push_back({1, test.depth + done, tokens, done + tokens == test.prompt});
    }
  for (int64_t i = 0; i < test.generate; ++i)
    for (int64_t sequence = 0; sequence < test.batch; sequence += chunk) {
      int64_t together = std::min(chunk, test.batch - sequence);
      steps.push_back({together, test.depth + test.prompt + i, 1, together});
    }
  return steps;
}

ordered_json boundJson(const Test &test, int64_t chunk, const StepTable &table, const Limits &limits) {
  if (!table.known())
    return nullptr;
  double seconds = 0, computeBound = 0;
  Bound sums;
  Work work;
  for (const Step &step : stepsOf(test, chunk)) {
    Bound bound = table.boundOf(step, limits);
    seconds += bound.seconds();
    computeBound += bound.compute > bound.memory ? bound.seconds() : 0;
    sums.compute += bound.compute;
    sums.memory += bound.memory;
    work += table.workOf(step);
  }
  bool compute = computeBound > seconds / 2;
  return {{"seconds", seconds},
          {"tokens_per_s", static_cast<double>(test.tokens()) / seconds},
          {"binding", compute ? std::string("compute ") + table.linearLimit(limits) : "memory"},
          {"compute_s", sums.compute},
          {"memory_s", sums.memory},
          {"linear_flops", work.linearFlops},
          {"attention_flops", work.attentionFlops},
          {"weight_bytes", work.weightBytes},
          {"state_bytes", work.stateBytes}};
}

} // namespace

std::vector<int32_t> samba::bench::randomTokens(int64_t count, int32_t vocabSize, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<int32_t> id(0, vocabSize - 1);
  std::vector<int32_t> tokens(static_cast<size_t>(count));
  for (int32_t &token : tokens)
    token = id(random);
  return tokens;
}

const std::vector<char> &samba::bench::snapshotAt(int64_t depth, const Model &model, uint64_t seed,
                                                  Snapshots &snapshots) {
  auto [entry, isNew] = snapshots.try_emplace(depth);
  if (isNew) {
    Session session(model);
    std::vector<int32_t> tokens = randomTokens(depth, model.vocabSize(), seed);
    session.evaluate(tokens.data(), tokens.size(), SAMBA_ROWS_NONE, nullptr, 0);
    const char *state = static_cast<const char *>(session.state());
    entry->second.assign(state, state + samba_state_bytes(model.get()));
  }
  return entry->second;
}

samba_options samba::bench::openOptions(const Options &options, int64_t threads) {
  samba_options open = SAMBA_OPTIONS_INIT;
  open.threads = static_cast<int32_t>(threads);
  open.chunk = options.chunk;
  open.device = options.device ? options.device->c_str() : nullptr;
  return open;
}

ordered_json samba::bench::describeModel(const std::string &path, const Model &model, const StepTable &table) {
  return {{"file", path.substr(path.rfind('/') + 1)},
          {"model", model.name()},
          {"precision", table.precision()},
          {"target_cpu", table.cpu()},
          {"weights_bytes", table.weightsFileBytes()},
          {"state_bytes", samba_state_bytes(model.get())},
          {"barriers_per_step", table.known() ? ordered_json(table.loops(Step()).size()) : ordered_json(nullptr)}};
}

void samba::bench::runTests(const std::string &path, const Options &options, LimitProbe &probe, ordered_json &models,
                            ordered_json &tests) {
  Snapshots snapshots;
  ordered_json description;
  std::vector<int64_t> threadCounts = options.threads.empty() ? std::vector<int64_t>{0} : options.threads;
  for (int64_t threads : threadCounts) {
    Model model(path, openOptions(options, threads));
    bool onCpu = model.device() == "cpu"; // what bounds are known of
    StepTable table(path, model.manifest(), model.cpu());
    if (description.is_null()) {
      description = describeModel(path, model, table);
      models.push_back(description);
      if (onCpu && !table.known())
        std::fprintf(stderr, "samba-bench: warning: the manifest of '%s' has no loops: no bounds\n", path.c_str());
    }
    for (const Test &test : testsOf(options)) {
      if (run::interrupted())
        return;
      if (options.progress)
        std::fprintf(stderr, "%s %s, %d threads: %s\n", std::string(model.name()).c_str(), table.precision().c_str(),
                     model.threads(), test.name().c_str());
      TestRun timed(test, model, options, snapshots);
      std::vector<Limits> limits;
      auto measureLimits = [&] {
        if (onCpu)
          limits.push_back(probe.measure(model.threads(), probeSeconds));
      };
      measureLimits();
      timed.run();
      std::vector<double> seconds, rates;
      while (static_cast<int64_t>(seconds.size()) < options.repetitions && !run::interrupted()) {
        seconds.push_back(std::max(1e-9, timed.run()));
        rates.push_back(static_cast<double>(test.tokens()) / seconds.back());
        if (options.progress)
          std::fprintf(stderr, "  %zu of %lld: %.2f tokens/s\n", seconds.size(),
                       static_cast<long long>(options.repetitions), rates.back());
        if (seconds.back() > longRepetition)
          measureLimits();
      }
      if (seconds.empty())
        return;
      measureLimits();

      ordered_json result = {{"file", description["file"]},
                             {"model", description["model"]},
                             {"precision", description["precision"]},
                             {"threads", model.threads()},
                             {"device", model.device()},
                             {"test", test.name()},
                             {"kind", test.kind()},
                             {"prompt", test.prompt},
                             {"generate", test.generate},
                             {"batch", test.batch},
                             {"depth", test.depth},
                             {"chunk", model.chunk()},
                             {"tokens", test.tokens()},
                             {"repetitions", seconds},
                             {"seconds", toJson(Statistics(seconds))},
                             {"tokens_per_s", toJson(Statistics(rates))}};
      result["limits"] = result["bound"] = result["of_bound"] = nullptr;
      if (onCpu) {
        Limits middle = median(limits);
        result["limits"] = toJson(middle);
        result["bound"] = boundJson(test, model.chunk(), table, middle);
      }
      if (!result["bound"].is_null())
        result["of_bound"] = result["bound"]["seconds"].get<double>() / Statistics(seconds).median;
      tests.push_back(std::move(result));
    }
  }
}
