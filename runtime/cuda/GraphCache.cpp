//===- GraphCache.cpp - steps recorded as CUDA graphs --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/cuda/GraphCache.h"
#include "runtime/Error.h"

#include <algorithm>

using namespace samba::runtime;
using namespace samba::runtime::cuda;

GraphCache::~GraphCache() {
  try {
    Context::Lock lock(*context);
    for (auto &[key, entry] : entries)
      if (entry.executable)
        context->driver().graphExecDestroy(entry.executable);
  } catch (const Error &) { // a context that failed has lost them
  }
}

void GraphCache::run(size_t program, const StepSizes &sizes, const std::function<void()> &enqueue) {
  auto [found, isNew] =
      entries.try_emplace({static_cast<int64_t>(program), sizes.tokens, sizes.sequences, sizes.rows, sizes.longest});
  Entry &entry = found->second;
  entry.lastUse = ++uses;
  if (isNew) { // most prompts come once, and recording takes longer than a step
    forgetOldest();
    return enqueue();
  }
  if (!entry.executable)
    entry.executable = record(enqueue);
  context->check(context->driver().graphLaunch(entry.executable, context->stream()), "launching a recorded step");
}

GraphExecHandle GraphCache::record(const std::function<void()> &enqueue) {
  const Driver &driver = context->driver();
  GraphHandle graph = nullptr;
  context->check(driver.streamBeginCapture(context->stream(), captureRelaxed), "recording a step");
  try {
    enqueue();
  } catch (...) {
    driver.streamEndCapture(context->stream(), &graph); // else the stream stays in recording
    if (graph)
      driver.graphDestroy(graph);
    throw;
  }
  context->check(driver.streamEndCapture(context->stream(), &graph), "recording a step");
  GraphExecHandle executable = nullptr;
  Result result = driver.graphInstantiate(&executable, graph, 0);
  driver.graphDestroy(graph);
  context->check(result, "making a graph of a recorded step");
  return executable;
}

void GraphCache::forgetOldest() {
  if (entries.size() <= capacity)
    return;
  auto oldest = std::min_element(entries.begin(), entries.end(),
                                 [](const auto &a, const auto &b) { return a.second.lastUse < b.second.lastUse; });
  if (oldest->second.executable)
    context->driver().graphExecDestroy(oldest->second.executable);
  entries.erase(oldest);
}
