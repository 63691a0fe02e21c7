//===- Shadow.cpp - shared memory of a block, and what is known of each byte -===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Shadow.h"

#include <algorithm>

using namespace samba::vgpu;

void Shadow::resize(uint32_t bytes, unsigned warps) {
  data.assign(bytes, 0);
  state.assign(bytes, 0);
  writer.assign(bytes, 0);
  reader.assign(warps, std::vector<uint32_t>(bytes, 0));
  readers.assign(bytes / 32 + 1, 0);
}

void Shadow::startBlock(unsigned warps) {
  uint32_t latest = 0;
  for (const Clock &clock : clocks)
    latest = std::max(latest, *std::max_element(clock.of, clock.of + agents));
  latest = std::max(latest, asyncClock);
  if (latest > clockMask / 2) {
    std::fill(writer.begin(), writer.end(), 0);
    for (auto &one : reader)
      std::fill(one.begin(), one.end(), 0);
    latest = 0;
  }
  start = latest + 1;
  for (unsigned w = 0; w < 32; ++w) {
    std::fill(clocks[w].of, clocks[w].of + agents, latest);
    std::fill(clocks[w].fenced, clocks[w].fenced + agents, latest);
    clocks[w].of[w] = start;
  }
  asyncClock = start;
  std::fill(readers.begin(), readers.end(), 0);
  for (uint8_t &byte : state)
    byte &= Valid;
}

Shadow::Problem Shadow::read(unsigned warp, uint32_t at, uint32_t bytes, unsigned &other) {
  uint32_t now = clocks[warp].of[warp];
  uint32_t *mine = reader[warp].data() + at;
  readers[at / 32] |= 1u << warp;
  // Most often one instruction has written all of the bytes.
  uint32_t last = writer[at], same = 0;
  for (uint32_t k = 0; k < bytes; ++k) {
    same |= writer[at + k] ^ last;
    mine[k] = now;
  }
  if (!same && (last & clockMask) >= start && ordered(warp, last))
    return None;
  for (uint32_t k = 0; k < bytes; ++k) {
    uint32_t epoch = writer[at + k];
    if ((epoch & clockMask) < start)
      return Unwritten;
    if (!ordered(warp, epoch)) {
      other = epoch >> clockBits;
      return ReadAfterWrite;
    }
  }
  return None;
}

// The reads of other warps that this one does not know of.
Shadow::Problem Shadow::unorderedRead(unsigned warp, uint32_t at, uint32_t bytes, unsigned &other) const {
  const Clock &clock = clocks[warp];
  for (uint32_t others = readers[at / 32] & ~(1u << warp); others; others &= others - 1) {
    unsigned r = static_cast<unsigned>(__builtin_ctz(others));
    const uint32_t *theirs = reader[r].data() + at;
    for (uint32_t k = 0; k < bytes; ++k)
      if (theirs[k] >= start && theirs[k] > clock.of[r]) {
        other = r;
        return WriteAfterRead;
      }
  }
  return None;
}

Shadow::Problem Shadow::write(unsigned warp, uint32_t at, uint32_t bytes, unsigned &other) {
  if (Problem problem = unorderedRead(warp, at, bytes, other))
    return problem;
  uint32_t epoch = epochOf(warp), last = writer[at], same = 0;
  uint8_t atomics = 0;
  for (uint32_t k = 0; k < bytes; ++k) {
    same |= writer[at + k] ^ last;
    atomics |= state[at + k] & ByAtomic;
  }
  if (!same && !atomics && ((last & clockMask) < start || ordered(warp, last))) {
    for (uint32_t k = 0; k < bytes; ++k)
      writer[at + k] = epoch;
    return None;
  }
  for (uint32_t k = 0; k < bytes; ++k) {
    uint32_t before = writer[at + k];
    if ((before & clockMask) >= start && !ordered(warp, before)) {
      other = before >> clockBits;
      return WriteAfterWrite;
    }
    writer[at + k] = epoch;
    state[at + k] &= static_cast<uint8_t>(~ByAtomic);
  }
  return None;
}

Shadow::Problem Shadow::atomic(unsigned warp, uint32_t at, uint32_t bytes, unsigned &other) {
  if (Problem problem = unorderedRead(warp, at, bytes, other))
    return problem;
  uint32_t epoch = epochOf(warp);
  for (uint32_t k = 0; k < bytes; ++k) {
    uint32_t before = writer[at + k];
    if ((before & clockMask) < start)
      return Unwritten;
    if (!(state[at + k] & ByAtomic) && !ordered(warp, before)) {
      other = before >> clockBits;
      return WriteAfterWrite;
    }
    writer[at + k] = epoch;
    state[at + k] |= ByAtomic;
  }
  return None;
}
