//===- TestRun.cpp - one test of one compiled model -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-bench/TestRun.h"

#include "tools/samba-bench/Statistics.h"

using namespace samba;
using namespace samba::bench;

std::string Test::name() const {
  if (generate == 0)
    return "prompt " + std::to_string(prompt);
  std::string name = prompt == 0 ? "generate " + std::to_string(generate)
                                 : "mixed " + std::to_string(prompt) + "+" + std::to_string(generate);
  if (depth > 0)
    name += " at " + std::to_string(depth);
  return batch > 1 ? name + " x " + std::to_string(batch) : name;
}

std::vector<Test> samba::bench::testsOf(const Options &options) {
  std::vector<Test> tests;
  for (int64_t prompt : options.prompts)
    tests.push_back({prompt, 0, 1, 0});
  for (int64_t batch : options.batches)
    for (int64_t depth : options.depths) {
      for (int64_t generate : options.generations)
        tests.push_back({0, generate, batch, depth});
      for (auto [prompt, generate] : options.mixed)
        tests.push_back({prompt, generate, batch, depth});
    }
  return tests;
}

TestRun::TestRun(const Test &test, const Model &model, const Options &options, Snapshots &snapshots)
    : test(test), model(model) {
  if (test.depth > 0)
    start = &snapshotAt(test.depth, model, options.seed, snapshots);
  prompt = randomTokens(test.prompt, model.vocabSize(), options.seed + 1);
  generated = randomTokens(test.generate * test.batch, model.vocabSize(), options.seed + 2);
  for (int64_t i = 0; i < test.batch; ++i)
    sessions.emplace_back(model);
  logits.resize(static_cast<size_t>(test.batch) * static_cast<size_t>(model.vocabSize()));
}

double TestRun::run() {
  for (Session &session : sessions)
    if (start)
      check(samba_session_restore(session.get(), start->data(), start->size(), test.depth));
    else
      session.reset();
  double begin = now();
  if (test.prompt > 0)
    for (Session &session : sessions)
      session.evaluate(prompt.data(), prompt.size(), SAMBA_ROWS_LAST, logits.data(), logits.size());
  std::vector<samba_segment> segments;
  for (int64_t i = 0; i < test.generate; ++i) {
    segments.clear();
    for (int64_t s = 0; s < test.batch; ++s)
      segments.push_back(
          {sessions[static_cast<size_t>(s)].get(), &generated[static_cast<size_t>(i * test.batch + s)], 1});
    model.evaluate(segments, SAMBA_ROWS_LAST, logits);
  }
  return now() - begin;
}
