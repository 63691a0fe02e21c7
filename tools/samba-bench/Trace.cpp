//===- Trace.cpp - steps as a trace for Perfetto --------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-bench/Trace.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

using namespace samba::bench;
using nlohmann::ordered_json;

namespace {

constexpr int modelTrack = 0; // that of thread i is i + 1

class Trace {
public:
  Trace(const StepTable &table, double begin) : table(table), begin(begin) {}

  void nameTrack(int track, const std::string &name) {
    events.push_back({{"name", "thread_name"}, {"ph", "M"}, {"pid", 1}, {"tid", track}, {"args", {{"name", name}}}});
    events.push_back(
        {{"name", "thread_sort_index"}, {"ph", "M"}, {"pid", 1}, {"tid", track}, {"args", {{"sort_index", track}}}});
  }

  void add(const TracedStep &traced) {
    const Recording &recording = traced.recording;
    span(modelTrack, traced.name, "step", recording.begin, recording.end,
         {{"sequences", traced.step.sequences},
          {"tokens of each", traced.step.tokens},
          {"tokens before", traced.step.context}});
    std::vector<Loop> loops = table.loops(traced.step);
    addLayers(recording, loops);
    for (size_t thread = 0; thread < recording.threads.size(); ++thread) {
      double last = recording.begin;
      for (size_t i = 0; i < recording.threads[thread].size(); ++i) {
        const Passage &passage = recording.threads[thread][i];
        const Loop &loop = loops[i];
        Work work = table.workOf(loop, traced.step);
        int track = static_cast<int>(thread) + 1;
        span(track, loop.kernel, loop.op, last, passage.reached,
             {{"layer", loop.layer},
              {"op", loop.op},
              {"flops of the loop", work.flops()},
              {"bytes of the loop", work.bytes()}});
        span(track, "wait", "wait", passage.reached, passage.passed, {{"for", loop.kernel}});
        last = passage.passed;
      }
    }
  }

  ordered_json json() const { return {{"traceEvents", events}, {"displayTimeUnit", "ns"}}; }

private:
  /// Layers, and in them the kernels.
  void addLayers(const Recording &recording, const std::vector<Loop> &loops) {
    for (size_t i = 0; i < loops.size();) {
      size_t layerEnd = i + 1;
      while (layerEnd < loops.size() && !loops[i].layer.empty() && loops[layerEnd].layer == loops[i].layer)
        ++layerEnd;
      auto timeOf = [&](size_t loop) { return loop == 0 ? recording.begin : recording.passed[loop - 1]; };
      if (!loops[i].layer.empty())
        span(modelTrack, loops[i].layer, "layer", timeOf(i), timeOf(layerEnd), ordered_json::object());
      for (; i < layerEnd; ++i)
        span(modelTrack, loops[i].kernel, loops[i].op, timeOf(i), timeOf(i + 1), {{"op", loops[i].op}});
    }
  }

  void span(int track, const std::string &name, const std::string &category, double from, double to,
            const ordered_json &arguments) {
    events.push_back({{"name", name},
                      {"cat", category},
                      {"ph", "X"},
                      {"ts", (from - begin) * 1e6},
                      {"dur", std::max(0.0, to - from) * 1e6},
                      {"pid", 1},
                      {"tid", track},
                      {"args", arguments}});
  }

  const StepTable &table;
  double begin;
  ordered_json events = ordered_json::array();
};

} // namespace

void samba::bench::writeTrace(const std::string &path, const StepTable &table, const std::vector<TracedStep> &steps) {
  Trace trace(table, steps.front().recording.begin);
  trace.nameTrack(modelTrack, "model");
  for (size_t i = 0; i < steps.front().recording.threads.size(); ++i)
    trace.nameTrack(static_cast<int>(i) + 1, "thread " + std::to_string(i));
  for (const TracedStep &step : steps)
    trace.add(step);
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  bool opened = file.is_open();
  if (opened)
    file << trace.json().dump(-1, ' ', false, ordered_json::error_handler_t::replace) << '\n' << std::flush;
  if (!opened || !file) {
    std::string reason = std::strerror(errno);
    std::error_code ignored;
    if (opened && std::filesystem::is_regular_file(path, ignored)) // not a device
      std::filesystem::remove(path, ignored);
    throw std::runtime_error("cannot write '" + path + "': " + reason);
  }
}
