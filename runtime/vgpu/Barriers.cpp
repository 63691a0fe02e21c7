//===- Barriers.cpp - decodes and runs barriers and fences ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Block.h"
#include "runtime/vgpu/Decoder.h"

using namespace samba::vgpu;
using ptx::Operand;

void Block::releaseBarrier(uint32_t number) {
  Barrier &barrier = barriers[number];
  for (uint32_t w : barrier.waiting) {
    WarpState &warp = warps[w];
    shared.clocks[w].join(barrier.clock);
    shared.meet(w, allLanes, allLanes);
    warp.state = WarpState::Ready;
  }
  barrier = {};
  ++progress;
}

namespace {

// Instruction::mode of barriers.
enum : uint8_t { Sync, Arrive, RedPopc, RedAnd, RedOr };

/// The value that all active lanes have.
uint32_t uniform(Warp &w, const Instruction &i, int32_t offset, const char *what) {
  const uint32_t *values = w.at<uint32_t>(offset);
  uint32_t first = values[__builtin_ctz(w.active)];
  for (uint32_t rest = w.active; rest; rest &= rest - 1)
    if (values[__builtin_ctz(rest)] != first)
      fault(w, i, "divergent-barrier", std::string("the lanes give different ") + what);
  return first;
}

void barrier(Warp &w, const Instruction &i) {
  Block &block = *w.block;
  WarpState &warp = block.state(w);
  uint32_t number = uniform(w, i, i.a, "barrier numbers");
  if (number >= 16 && !(i.flags & 2))
    fault(w, i, "divergent-barrier", "barrier " + std::to_string(number) + " of 16");
  uint32_t living = warp.present & ~warp.exited;
  if (w.active != living)
    fault(w, i, "divergent-barrier",
          "barrier " + std::to_string(number) + " is reached by " + std::to_string(__builtin_popcount(w.active)) +
              " of the " + std::to_string(__builtin_popcount(living)) + " threads of warp " + std::to_string(warp.id));
  if (warp.exited)
    fault(w, i, "divergent-barrier", "other threads of the warp have ended before barrier " + std::to_string(number));
  uint32_t threads = static_cast<uint32_t>(block.warps.size() * lanes), expected = threads;
  if (i.b >= 0) {
    expected = uniform(w, i, i.b, "numbers of threads");
    if (expected % lanes || expected == 0 || expected > threads)
      fault(w, i, "divergent-barrier",
            "barrier " + std::to_string(number) + " of " + std::to_string(expected) + " threads in a block of " +
                std::to_string(threads));
  }
  Barrier &at = block.barriers[number];
  if (at.arrived && at.expected != expected)
    fault(w, i, "divergent-barrier",
          "barrier " + std::to_string(number) + " of " + std::to_string(expected) + " threads, others wait there for " +
              std::to_string(at.expected));
  at.expected = expected;
  at.arrived += lanes;
  at.clock.join(block.shared.clocks[warp.id]);
  ++block.progress;
  if (i.mode == Arrive) {
    // Later accesses are not ordered by what others do after the barrier.
    ++block.shared.clocks[warp.id].of[warp.id];
  } else {
    warp.state = WarpState::AtBarrier;
    warp.barrier = number;
    at.waiting.push_back(warp.id);
    if (i.mode >= RedPopc) {
      uint32_t set = (w.predicate(i.c) ^ (i.flags & 1 ? allLanes : 0)) & w.active;
      at.count += static_cast<unsigned>(__builtin_popcount(set));
      at.all &= set == w.active;
      at.any |= set != 0;
      at.results.push_back({warp.id, i.d, i.mode});
    }
  }
  if (at.arrived < at.expected)
    return;
  for (const Barrier::Result &result : at.results) {
    WarpState &to = block.warps[result.warp];
    uint32_t mask = to.present;
    if (result.mode == RedPopc)
      for (unsigned lane = 0; lane < lanes; ++lane)
        to.at<uint32_t>(result.to)[lane] = at.count;
    else
      to.predicate(result.to) = (result.mode == RedAnd ? at.all : at.any) ? mask : 0;
  }
  block.releaseBarrier(number);
}

void decodeBarrier(Decoder &d) {
  d.modifiers.take("cta");
  d.modifiers.take("aligned");
  if (d.modifiers.take("warp")) {
    if (!d.modifiers.take("sync"))
      d.unsupported();
    return decodeWarpSync(d);
  }
  if (d.modifiers.take("cluster"))
    return decodeClusterBarrier(d);
  uint8_t mode = Sync;
  if (d.modifiers.take("red")) {
    mode = d.modifiers.take("popc") ? RedPopc : d.modifiers.take("and") ? RedAnd : RedOr;
    if (mode == RedOr && !d.modifiers.take("or"))
      d.unsupported();
    d.type();
  } else if (d.modifiers.take("arrive")) {
    mode = Arrive;
  } else if (!d.modifiers.take("sync")) {
    d.unsupported();
  }
  size_t first = mode >= RedPopc ? 1 : 0, inputs = d.operandCount() - first - (first ? 1 : 0);
  d.expectOperands(first * 2 + 1, first * 2 + 2);
  int32_t number = d.source(d.operand(first), u32), threads = -1, predicate = -1, to = -1;
  if (inputs > 1)
    threads = d.source(d.operand(first + 1), u32);
  else if (mode == Arrive)
    d.unsupported("no number of threads");
  bool negated = false;
  if (first) {
    predicate = d.predicateSource(d.operand(d.operandCount() - 1), negated);
    to = mode == RedPopc ? d.destination(d.operand(0), u32) : d.predicateDestination(d.operand(0));
  }
  Instruction &i = d.emit(barrier, Class::Barrier);
  i.a = number;
  i.b = threads;
  i.c = predicate;
  i.d = to;
  i.mode = mode;
  i.flags = negated ? 1 : 0;
}

void nothing(Warp &, const Instruction &) {}

// Fences order nothing that this device does not order anyway, between blocks; within a block races need barriers.
void proxyFence(Warp &w, const Instruction &) {
  unsigned self = w.block->state(w).id;
  Clock &clock = w.block->shared.clocks[self];
  for (unsigned agent = 0; agent < agents; ++agent)
    clock.fenced[agent] = clock.of[agent] > clock.fenced[agent] ? clock.of[agent] : clock.fenced[agent];
  ++clock.of[self];
}

void fence(Decoder &d) {
  if (d.modifiers.take("proxy")) {
    bool async = d.modifiers.take("async") || d.modifiers.take("async::generic");
    while (!d.modifiers.next().empty()) {
    }
    d.emit(async ? proxyFence : nothing, Class::Barrier);
    return;
  }
  bool mbarriers = d.modifiers.take("mbarrier_init");
  while (!d.modifiers.next().empty()) {
  }
  d.emit(mbarriers ? proxyFence : nothing, Class::Barrier);
}

void sleep(Warp &w, const Instruction &) { w.block->state(w).yield = true; }
void nanosleep(Decoder &d) {
  d.modifiers.take("u32");
  d.expectOperands(1, 1);
  d.emit(sleep, Class::Control);
}

// Launches depend on each other only through the stream here: the launch before has ended.
void dependents(Decoder &d) {
  if (!d.modifiers.take("wait") && !d.modifiers.take("launch_dependents"))
    d.unsupported();
  d.requireArch(90, "griddepcontrol");
  d.emit(nothing, Class::Control);
}

} // namespace

const Opcode samba::vgpu::barrierOpcodes[] = {
    {"bar", decodeBarrier},   {"barrier", decodeBarrier},     {"membar", fence},  {"fence", fence},
    {"nanosleep", nanosleep}, {"griddepcontrol", dependents}, {nullptr, nullptr},
};

// A cluster has one block here, so its barrier is one of the block's threads. All of it happens at the wait.
void samba::vgpu::decodeClusterBarrier(Decoder &d) {
  d.requireArch(90, "barrier.cluster");
  bool arrive = d.modifiers.take("arrive"), wait = d.modifiers.take("wait");
  for (const char *word : {"release", "acquire", "relaxed", "aligned"})
    d.modifiers.take(word);
  d.expectOperands(0, 0);
  if (arrive == wait)
    d.unsupported();
  int32_t number = d.constant(16, 32);
  Instruction &i = d.emit(arrive ? nothing : barrier, Class::Barrier);
  i.a = number;
  i.mode = Sync;
  i.flags = 2;
}
