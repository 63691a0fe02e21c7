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
  writerLanes.assign(bytes, 0);
  readerLanes.assign(warps, std::vector<uint32_t>(bytes, 0));
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
    laneOrders[w].all = latest;
    laneOrders[w].pairs.clear();
  }
  asyncClock = start;
  std::fill(readers.begin(), readers.end(), 0);
  for (uint8_t &byte : state)
    byte &= Valid;
}

void Shadow::meet(unsigned warp, uint32_t lanes, uint32_t living) {
  LaneOrder &order = laneOrders[warp];
  uint32_t &now = clocks[warp].of[warp];
  if (!(living & ~lanes)) {
    order.all = now;
    order.pairs.clear();
  } else {
    order.pairs.resize(32 * 32);
    uint32_t known[32] = {};
    for (uint32_t rest = lanes; rest; rest &= rest - 1) {
      unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
      for (unsigned other = 0; other < 32; ++other)
        known[other] = std::max(known[other], order.pairs[lane * 32 + other]);
    }
    for (uint32_t rest = lanes; rest; rest &= rest - 1)
      known[__builtin_ctz(rest)] = now;
    for (uint32_t rest = lanes; rest; rest &= rest - 1)
      std::copy(known, known + 32, order.pairs.begin() + __builtin_ctz(rest) * 32);
  }
  ++now;
}

void Shadow::learn(unsigned warp, uint32_t lanes, uint32_t living, uint32_t clock) {
  LaneOrder &order = laneOrders[warp];
  if (clock <= order.all)
    return;
  if (!(living & ~lanes)) {
    order.all = clock;
    return;
  }
  order.pairs.resize(32 * 32);
  for (uint32_t rest = lanes; rest; rest &= rest - 1)
    for (unsigned other = 0; other < 32; ++other) {
      uint32_t &known = order.pairs[static_cast<unsigned>(__builtin_ctz(rest)) * 32 + other];
      known = std::max(known, clock);
    }
}

bool Shadow::ordered(Accessor by, uint32_t epoch, uint32_t lanes, Which which) const {
  uint32_t clock = epoch & clockMask;
  if (epoch >> clockBits != by.warp)
    return ordered(by.warp, epoch);
  const LaneOrder &order = laneOrders[by.warp];
  if (clock <= order.all)
    return true;
  bool known = lanes && which == Each;
  for (uint32_t rest = lanes; rest && known == (which == Each); rest &= rest - 1)
    known = order.knows(by.lane, static_cast<unsigned>(__builtin_ctz(rest)), clock);
  return known;
}

Accessor Shadow::accessorOf(Accessor by, uint32_t epoch, uint32_t lanes) const {
  Accessor found{epoch >> clockBits, lanes ? static_cast<unsigned>(__builtin_ctz(lanes)) : everyLane};
  for (uint32_t rest = found.warp == by.warp ? lanes : 0; rest; rest &= rest - 1) {
    found.lane = static_cast<unsigned>(__builtin_ctz(rest));
    if (!laneOrders[by.warp].knows(by.lane, found.lane, epoch & clockMask))
      break;
  }
  return found;
}

// After some lanes have met: the reads that this lane knows of come before all that knows of its own.
void Shadow::forgetKnownReads(Accessor by, uint32_t at, uint32_t bytes) {
  const LaneOrder &order = laneOrders[by.warp];
  for (uint32_t k = at; k < at + bytes; ++k)
    for (uint32_t rest = readerLanes[by.warp][k]; rest; rest &= rest - 1) {
      unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
      if (order.knows(by.lane, lane, reader[by.warp][k]))
        readerLanes[by.warp][k] &= ~(1u << lane);
    }
}

Shadow::Problem Shadow::read(Accessor by, uint32_t at, uint32_t bytes, Accessor &other) {
  const LaneOrder &order = laneOrders[by.warp];
  uint32_t now = clocks[by.warp].of[by.warp], lanes = by.lane == everyLane ? UINT32_MAX : 1u << by.lane;
  uint32_t *mine = reader[by.warp].data() + at, *mineLanes = readerLanes[by.warp].data() + at;
  readers[at / 32] |= 1u << by.warp;
  if (!order.pairs.empty())
    forgetKnownReads(by, at, bytes);
  // Most often one instruction has written all of the bytes.
  uint32_t last = writer[at], same = 0;
  for (uint32_t k = 0; k < bytes; ++k) {
    same |= writer[at + k] ^ last;
    mineLanes[k] = (mine[k] > order.all ? mineLanes[k] : 0) | lanes;
    mine[k] = now;
  }
  uint32_t clock = last & clockMask;
  if (!same && clock >= start && (last >> clockBits == by.warp ? clock <= order.all : ordered(by.warp, last)))
    return None;
  for (uint32_t k = at; k < at + bytes; ++k) {
    if ((writer[k] & clockMask) < start)
      return Unwritten;
    if (!ordered(by, k)) {
      other = writerOf(by, k);
      return ReadAfterWrite;
    }
  }
  return None;
}

// The reads of other warps and lanes that this one does not know of.
Shadow::Problem Shadow::unorderedRead(Accessor by, uint32_t at, uint32_t bytes, Accessor &other) const {
  const Clock &clock = clocks[by.warp];
  for (uint32_t others = readers[at / 32] & ~(1u << by.warp); others; others &= others - 1) {
    unsigned r = static_cast<unsigned>(__builtin_ctz(others));
    const uint32_t *theirs = reader[r].data() + at;
    for (uint32_t k = 0; k < bytes; ++k)
      if (theirs[k] >= start && theirs[k] > clock.of[r]) {
        other = {r, static_cast<unsigned>(__builtin_ctz(readerLanes[r][at + k]))};
        return WriteAfterRead;
      }
  }
  if (!(readers[at / 32] >> by.warp & 1))
    return None;
  const LaneOrder &order = laneOrders[by.warp];
  const uint32_t *mine = reader[by.warp].data() + at, *mineLanes = readerLanes[by.warp].data() + at;
  for (uint32_t k = 0; k < bytes; ++k) {
    uint32_t epoch = by.warp << clockBits | mine[k];
    if (mine[k] <= order.all || ordered(by, epoch, mineLanes[k], Each))
      continue;
    other = accessorOf(by, epoch, mineLanes[k]);
    return WriteAfterRead;
  }
  return None;
}

Shadow::Problem Shadow::write(Accessor by, uint32_t at, uint32_t bytes, const uint8_t *value, Accessor &other) {
  if (Problem problem = unorderedRead(by, at, bytes, other))
    return problem;
  const LaneOrder &order = laneOrders[by.warp];
  uint32_t epoch = epochOf(by.warp), last = writer[at], same = 0, lanes = by.lane == everyLane ? 0 : 1u << by.lane;
  uint8_t atomics = 0;
  for (uint32_t k = at; k < at + bytes; ++k) {
    same |= writer[k] ^ last;
    atomics |= state[k] & ByAtomic;
  }
  uint32_t clock = last & clockMask;
  bool own = last >> clockBits == by.warp;
  if (!same && !atomics && (clock < start || (own ? clock <= order.all : ordered(by.warp, last)))) {
    for (uint32_t k = at; k < at + bytes; ++k) {
      writer[k] = epoch;
      writerLanes[k] = lanes;
    }
    return None;
  }
  for (uint32_t k = at; k < at + bytes; ++k) {
    uint32_t before = writer[k], together = 0;
    clock = before & clockMask;
    own = before >> clockBits == by.warp;
    if (clock >= start && !ordered(by, before, writerLanes[k], Each)) {
      bool equal = own && value && !(state[k] & ByAtomic) && data[k] == value[k - at];
      if (!equal) {
        other = writerOf(by, k);
        return WriteAfterWrite;
      }
      together = writerLanes[k];
    }
    writer[k] = epoch;
    writerLanes[k] = lanes | together;
    state[k] &= static_cast<uint8_t>(~ByAtomic);
  }
  return None;
}

Shadow::Problem Shadow::atomic(Accessor by, uint32_t at, uint32_t bytes, Accessor &other) {
  if (Problem problem = unorderedRead(by, at, bytes, other))
    return problem;
  uint32_t epoch = epochOf(by.warp);
  for (uint32_t k = at; k < at + bytes; ++k) {
    if ((writer[k] & clockMask) < start)
      return Unwritten;
    bool before = ordered(by, k);
    if (!(state[k] & ByAtomic) && !before) {
      other = writerOf(by, k);
      return WriteAfterWrite;
    }
    // Of several lanes none knows the result of all.
    writerLanes[k] = before ? 1u << by.lane : 0;
    writer[k] = epoch;
    state[k] |= ByAtomic;
  }
  return None;
}
