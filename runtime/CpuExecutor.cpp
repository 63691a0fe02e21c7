//===- CpuExecutor.cpp - steps on the CPU --------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/CpuExecutor.h"
#include "runtime/Error.h"
#include "runtime/HostState.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <sys/mman.h>

using namespace samba::runtime;

// Kernels walk down columns of matrices whose rows are wider than a page, for which huge pages save most address
// translations. Whether the system gives any is its choice.
Block::Block(uint64_t bytes) {
  constexpr uint64_t hugePage = 2 << 20;
  uint64_t alignment = bytes < 2 * hugePage ? 64 : hugePage;
  uint64_t rounded = std::max<uint64_t>(64, (bytes + 63) / 64 * 64);
  void *pointer = nullptr;
  if (rounded > std::numeric_limits<size_t>::max() / 2 || ::posix_memalign(&pointer, alignment, rounded) != 0)
    throw Error(SAMBA_ERROR_MEMORY, "out of memory: cannot allocate " + std::to_string(bytes) + " bytes");
  memory.reset(pointer);
#ifdef MADV_HUGEPAGE
  if (alignment == hugePage)
    ::madvise(pointer, rounded / hugePage * hugePage, MADV_HUGEPAGE);
#endif
  std::memset(pointer, 0, rounded);
}

void Block::Free::operator()(void *pointer) const { std::free(pointer); }

StepSizes Step::sizes() const {
  StepSizes sizes = {static_cast<int64_t>(tokens.size()), static_cast<int64_t>(positions.size()),
                     static_cast<int64_t>(rows.size()), 0};
  for (size_t s = 0; s + 1 < segments.size(); ++s)
    sizes.longest = std::max(sizes.longest, segments[s + 1] - segments[s]);
  return sizes;
}

int32_t samba::runtime::greatest(const float *values, size_t count) {
  int32_t best = -1;
  for (size_t i = 0; i < count; ++i)
    if (!std::isnan(values[i]) && (best < 0 || values[i] > values[best]))
      best = static_cast<int32_t>(i);
  return best;
}

std::unique_ptr<SequenceState> CpuExecutor::createState() {
  return std::make_unique<HostState>(artefact.manifest().stateBytes);
}

StepSizes CpuExecutor::limits() const {
  constexpr int64_t none = std::numeric_limits<int64_t>::max();
  return {none, none, none, none};
}

void CpuExecutor::reserve(int64_t tokens, int64_t chosen) {
  states.reserve(static_cast<size_t>(tokens)); // each sequence of a step has one at least
  if (size_t values = static_cast<size_t>(chosen * artefact.manifest().vocabSize); values > logits.size()) {
    std::vector<float>().swap(logits);
    logits.resize(values);
  }
  int64_t rows = (tokens + 15) / 16 * 16;
  if (rows <= arenaRows)
    return;
  arena = Block(); // first the old one goes
  arenaRows = 0;
  arena = Block(static_cast<uint64_t>(rows) * artefact.manifest().arenaBytesPerToken);
  arenaRows = rows;
}

// The entry point changes none of its inputs; samba_buffer serves outputs too.
template <typename Element> static samba_buffer bufferOf(const std::vector<Element> &elements) {
  return {const_cast<Element *>(elements.data()), static_cast<int64_t>(elements.size())};
}

void CpuExecutor::run(const Step &step, const StepResult &result, samba_probe probe, void *probeUser) {
  float nothing = 0; // so that no pointer is null, even of no rows
  samba_buffer inputs[] = {bufferOf(step.tokens), bufferOf(step.segments), bufferOf(step.positions),
                           bufferOf(step.rows)};
  if (step.rows.empty())
    inputs[3].data = &nothing;
  float *rows = result.tokens ? logits.data() : result.logits;
  samba_buffer output = {step.rows.empty() ? &nothing : rows, inputs[3].rows};
  states.clear();
  for (SequenceState *state : step.states)
    states.push_back(static_cast<HostState *>(state)->data());
  samba_call call = {};
  call.inputs = inputs;
  call.outputs = &output;
  call.states = states.data();
  call.weights = artefact.weights();
  call.arena = arena.data();
  call.arena_rows = (inputs[0].rows + 15) / 16 * 16;
  call.probe = probe;
  call.probe_user = probeUser;
  team.run(artefact.entry(), call);
  size_t vocabSize = static_cast<size_t>(artefact.manifest().vocabSize);
  for (size_t i = 0; result.tokens && i < step.rows.size(); ++i)
    result.tokens[i] = greatest(&logits[i * vocabSize], vocabSize);
}

std::string CpuExecutor::counters() const {
  throw Error(SAMBA_ERROR_DEVICE, "the CPU counts nothing: counters are those of the virtual device");
}
