//===- Profile.cpp - the time of each kernel of a step --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-bench/Profile.h"

#include "tools/samba-bench/Bench.h"
#include "tools/samba-bench/Recorder.h"
#include "tools/samba-bench/Statistics.h"
#include "tools/samba-bench/Trace.h"
#include "tools/samba-run/Console.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

using namespace samba;
using namespace samba::bench;
using nlohmann::ordered_json;

namespace {

constexpr double probeSeconds = 0.05, shortProbeSeconds = 0.005;

/// A line of the table.
struct Kernel {
  std::string name, layer;
  int64_t launches = 0, barriers = 0;
  double seconds = 0, bound = 0, computeBound = 0;
  Work work;
};

ordered_json toJson(const Kernel &kernel, double total) {
  return {{"kernel", kernel.name},
          {"layer", kernel.layer.empty() ? ordered_json(nullptr) : ordered_json(kernel.layer)},
          {"launches", kernel.launches},
          {"barriers", kernel.barriers},
          {"seconds", kernel.seconds},
          {"share", total > 0 ? kernel.seconds / total : 0},
          {"flops", kernel.work.flops()},
          {"exps", kernel.work.exps},
          {"bytes", kernel.work.bytes()},
          {"flops_per_s", kernel.work.flops() / kernel.seconds},
          {"bytes_per_s", kernel.work.bytes() / kernel.seconds},
          {"bound_s", kernel.bound},
          {"binding", kernel.computeBound > kernel.bound / 2 ? "compute" : "memory"},
          {"of_bound", kernel.bound / kernel.seconds}};
}

/// Sums loops up by kernel, or by kernel and layer, in the order in which they first occur.
std::vector<Kernel> sumUp(const std::vector<double> &seconds, const StepTable &table, const Step &step,
                          const Limits &limits, bool byLayer) {
  std::vector<Kernel> kernels;
  std::map<std::pair<std::string, std::string>, size_t> index;
  std::vector<Loop> loops = table.loops(step);
  for (size_t i = 0; i < seconds.size(); ++i) {
    const Loop &loop = loops[i];
    std::string layer = byLayer ? loop.layer : "";
    auto [entry, isNew] = index.try_emplace({loop.kernel, layer}, kernels.size());
    if (isNew) {
      kernels.emplace_back();
      kernels.back().name = loop.kernel;
      kernels.back().layer = layer;
    }
    Kernel &kernel = kernels[entry->second];
    kernel.launches += loop.starts;
    ++kernel.barriers;
    kernel.seconds += std::max(1e-9, seconds[i]);
    kernel.work += table.workOf(loop, step);
    Bound bound = table.boundOf(loop, step, limits);
    kernel.bound += bound.seconds();
    kernel.computeBound += bound.compute > bound.memory ? bound.seconds() : 0;
  }
  return kernels;
}

struct Case {
  std::string name;
  Step step;
};

std::vector<Case> casesOf(const Options &options) {
  std::vector<Case> cases;
  for (int64_t prompt : options.prompts) {
    int64_t tokens = std::min(prompt, options.chunk);
    cases.push_back({"prompt " + std::to_string(tokens), {1, 0, tokens, 1}});
  }
  for (int64_t batch : options.batches)
    for (int64_t depth : options.depths) {
      std::string name = "generate at " + std::to_string(depth);
      cases.push_back({batch > 1 ? name + " x " + std::to_string(batch) : name, {batch, depth, 1, batch}});
    }
  return cases;
}

class Profiler {
public:
  Profiler(const std::string &path, const Options &options, LimitProbe &probe, int64_t threads)
      : options(options), probe(probe), model(path, openOptions(threads)), table(path, model.manifest(), model.cpu()) {
    if (!table.known())
      throw std::runtime_error("the manifest of '" + path +
                               "' has no loops: compile the model again to profile its kernels");
  }

  const Model &openModel() const { return model; }
  const StepTable &stepTable() const { return table; }

  ordered_json profile(const Case &profiled, Recorder &recorder, Snapshots &snapshots) {
    prepare(profiled, recorder, snapshots);
    std::vector<Limits> limits{probe.measure(model.threads(), probeSeconds)};
    recorder.run(profiled.step, options.seed);
    std::vector<std::vector<double>> loops(table.loops(profiled.step).size());
    std::vector<double> totals, outside;
    for (int64_t i = 0; i < options.repetitions && !run::interrupted(); ++i) {
      prepare(profiled, recorder, snapshots);
      Recording recording = recorder.run(profiled.step, options.seed + 1);
      std::vector<double> seconds = recording.loopSeconds();
      for (size_t loop = 0; loop < loops.size(); ++loop)
        loops[loop].push_back(seconds[loop]);
      totals.push_back(recording.end - recording.begin);
      outside.push_back(recording.end - recording.passed.back());
      if (options.best)
        limits.push_back(probe.measure(model.threads(), shortProbeSeconds));
    }
    if (totals.empty())
      return nullptr;
    limits.push_back(probe.measure(model.threads(), probeSeconds));
    Limits typical = options.best ? best(limits) : median(limits);
    auto secondsOf = [&](const std::vector<double> &values) {
      return options.best ? Statistics(values).minimum : Statistics(values).median;
    };

    std::vector<double> seconds;
    double sum = secondsOf(outside);
    for (const std::vector<double> &loop : loops)
      sum += seconds.emplace_back(secondsOf(loop));
    ordered_json kernels = ordered_json::array();
    double bound = 0;
    for (const Kernel &kernel : sumUp(seconds, table, profiled.step, typical, options.ops == Ops::Layers)) {
      bound += kernel.bound;
      kernels.push_back(toJson(kernel, sum));
    }
    return {{"threads", model.threads()},
            {"step", profiled.name},
            {"tokens", profiled.step.sequences * profiled.step.tokens},
            {"batch", profiled.step.sequences},
            {"depth", profiled.step.context},
            {"barriers", loops.size()},
            {"seconds", bench::toJson(Statistics(totals))},
            {"outside_s", secondsOf(outside)},
            {"bound_s", bound},
            {"best", options.best},
            {"of_bound", bound / (options.best ? sum : Statistics(totals).median)},
            {"limits", bench::toJson(typical)},
            {"kernels", kernels}};
  }

  void writeTrace(const std::string &file, Recorder &recorder, Snapshots &snapshots) {
    std::vector<TracedStep> steps;
    for (const Case &traced : {casesOf(options).front(), casesOf(options)[options.prompts.size()]}) {
      prepare(traced, recorder, snapshots);
      recorder.run(traced.step, options.seed); // the first one reads the weights from the disk
      prepare(traced, recorder, snapshots);
      Step step = traced.step;
      for (int i = 0; i < (step.tokens > 1 || steps.empty() ? 1 : 3); ++i) {
        steps.push_back({traced.name, step, recorder.run(step, options.seed + 1)});
        ++step.context;
      }
    }
    bench::writeTrace(file, table, steps);
  }

private:
  samba_options openOptions(int64_t threads) const {
    samba_options open = SAMBA_OPTIONS_INIT;
    open.threads = static_cast<int32_t>(threads);
    open.chunk = options.chunk;
    return open;
  }

  void prepare(const Case &profiled, Recorder &recorder, Snapshots &snapshots) const {
    int64_t depth = profiled.step.context;
    recorder.setSequences(profiled.step.sequences,
                          depth > 0 ? &snapshotAt(depth, model, options.seed, snapshots) : nullptr, depth);
  }

  const Options &options;
  LimitProbe &probe;
  Model model; // for snapshots
  StepTable table;
};

} // namespace

void samba::bench::runProfiles(const std::string &path, const Options &options, LimitProbe &probe, ordered_json &models,
                               ordered_json &profiles) {
  Snapshots snapshots;
  ordered_json description;
  std::vector<int64_t> threadCounts = options.threads.empty() ? std::vector<int64_t>{0} : options.threads;
  for (int64_t threads : threadCounts) {
    Profiler profiler(path, options, probe, threads);
    Recorder recorder(path, profiler.stepTable(), profiler.openModel().threads());
    if (description.is_null()) {
      description = describeModel(path, profiler.openModel(), profiler.stepTable());
      models.push_back(description);
    }
    if (options.ops != Ops::None)
      for (const Case &profiled : casesOf(options)) {
        if (run::interrupted())
          return;
        if (options.progress)
          std::fprintf(stderr, "%s %s, %d threads: kernels of %s\n", description["model"].get<std::string>().c_str(),
                       profiler.stepTable().precision().c_str(), profiler.openModel().threads(), profiled.name.c_str());
        ordered_json measured = profiler.profile(profiled, recorder, snapshots);
        if (measured.is_null())
          return;
        ordered_json result = {
            {"file", description["file"]}, {"model", description["model"]}, {"precision", description["precision"]}};
        result.update(measured);
        profiles.push_back(std::move(result));
      }
    if (options.trace && !run::interrupted())
      profiler.writeTrace(*options.trace, recorder, snapshots);
  }
}
