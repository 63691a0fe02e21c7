//===- Recorder.cpp - when threads reach and pass barriers ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-bench/Recorder.h"

#include "tools/samba-bench/Bench.h"
#include "tools/samba-bench/Statistics.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>

using namespace samba;
using namespace samba::bench;

std::vector<double> Recording::loopSeconds() const {
  std::vector<double> seconds;
  double last = begin;
  for (double time : passed) {
    seconds.push_back(time - last);
    last = time;
  }
  return seconds;
}

/// The arguments of the entry point, and behind them what is not for it. `call` is the first member, so that a pointer
/// to it is one to the whole.
struct Recorder::Call {
  samba_call call;
  samba_entry entry;
  std::vector<std::vector<Passage>> *passages;
};

/// The team that one thread of the code sees.
struct Recorder::Member {
  samba_team team;
  samba_team *inner;
  std::vector<Passage> *passages;

  static Member &of(samba_team *team) { return *reinterpret_cast<Member *>(team); }
};

void Recorder::enter(const samba_call *call, samba_team *inner) {
  const Call &whole = *reinterpret_cast<const Call *>(call);
  Member member = {{claim, barrier, inner->thread, inner->threads, inner->shared},
                   inner,
                   &(*whole.passages)[static_cast<size_t>(inner->thread)]};
  whole.entry(call, &member.team);
}

uint64_t Recorder::claim(samba_team *team, uint64_t total) {
  samba_team *inner = Member::of(team).inner;
  return inner->claim(inner, total);
}

void Recorder::barrier(samba_team *team) {
  Member &member = Member::of(team);
  double reached = now();
  member.inner->barrier(member.inner);
  member.passages->push_back({reached, now()});
}

Recorder::Recorder(const std::string &path, const StepTable &table, int32_t threads)
    : path(path), table(table), artefact(path, false), team(threads) {
  passages.resize(static_cast<size_t>(team.threads()));
}

void Recorder::setSequences(int64_t count, const std::vector<char> *state, int64_t context) {
  states.clear();
  for (int64_t i = 0; i < count; ++i) {
    states.emplace_back(artefact.manifest().stateBytes);
    if (state)
      std::memcpy(states.back().data(), state->data(), state->size());
  }
  positions.assign(static_cast<size_t>(count), context);
}

Recording Recorder::run(const Step &step, uint64_t seed) {
  int64_t sequences = static_cast<int64_t>(states.size()), total = sequences * step.tokens;
  int64_t arenaRows = (total + 15) / 16 * 16;
  std::vector<int32_t> tokens = randomTokens(total, artefact.manifest().vocabSize, seed);
  std::vector<int64_t> segments{0}, rows;
  std::vector<void *> pointers;
  for (int64_t s = 0; s < sequences; ++s) {
    segments.push_back((s + 1) * step.tokens);
    rows.push_back(segments.back() - 1);
    pointers.push_back(states[static_cast<size_t>(s)].data());
  }
  runtime::Block arena(static_cast<uint64_t>(arenaRows) * artefact.manifest().arenaBytesPerToken);
  std::vector<float> logits(rows.size() * static_cast<size_t>(artefact.manifest().vocabSize));
  samba_buffer inputs[] = {{tokens.data(), total},
                           {segments.data(), sequences + 1},
                           {positions.data(), sequences},
                           {rows.data(), sequences}};
  samba_buffer output = {logits.data(), sequences};
  Call call = {{}, artefact.entry(), &passages};
  call.call.inputs = inputs;
  call.call.outputs = &output;
  call.call.states = pointers.data();
  call.call.weights = artefact.weights();
  call.call.arena = arena.data();
  call.call.arena_rows = arenaRows;

  size_t loops = table.loops(step).size();
  for (std::vector<Passage> &thread : passages) {
    thread.clear();
    thread.reserve(loops + 64); // so that it need not grow while the clock runs
  }
  Recording recording;
  recording.begin = now();
  team.run(enter, call.call);
  recording.end = now();
  for (const std::vector<Passage> &thread : passages)
    // A thread that the system did not grant has passed none.
    if (thread.size() != loops && (!thread.empty() || &thread == &passages.front()))
      throw std::runtime_error("'" + path + "': a step passes " + std::to_string(thread.size()) +
                               " barriers, but the manifest (key loops) lists " + std::to_string(loops) +
                               " loops: it is not that of this code");
  recording.threads = passages;
  recording.passed.assign(loops, std::numeric_limits<double>::infinity());
  for (const std::vector<Passage> &thread : passages)
    for (size_t i = 0; i < thread.size(); ++i)
      recording.passed[i] = std::min(recording.passed[i], thread[i].passed);
  for (int64_t &position : positions)
    position += step.tokens;
  return recording;
}
