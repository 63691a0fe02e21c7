//===- Block.cpp - runs a thread block -----------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Block.h"

#include <algorithm>
#include <cstring>

using namespace samba::vgpu;

static std::string triple(uint32_t x, uint32_t y, uint32_t z) {
  return "(" + std::to_string(x) + "," + std::to_string(y) + "," + std::to_string(z) + ")";
}

static std::string placeOf(const LaunchContext &context, const Instruction &i) {
  std::string text = "PTX line " + std::to_string(i.line);
  if (i.file || i.sourceLine) {
    const auto &files = context.kernel.program->source.files;
    auto file = files.find(i.file);
    std::string name = file == files.end() ? "file " + std::to_string(i.file) : file->second;
    if (size_t slash = name.find_last_of('/'); slash != std::string::npos)
      name = name.substr(slash + 1);
    text += " (" + name + ":" + std::to_string(i.sourceLine) + ")";
  }
  return text;
}

void samba::vgpu::fault(Warp &warp, const Instruction &i, const char *check, const std::string &message, int lane) {
  Block &block = *warp.block;
  WarpState &state = block.state(warp);
  if (lane < 0)
    lane = warp.active ? __builtin_ctz(warp.active) : 0;
  const uint32_t *size = block.context.launch.block;
  uint32_t thread = state.id * lanes + static_cast<uint32_t>(lane);
  Finding finding;
  finding.check = check;
  finding.kernel = block.kernel.name;
  finding.line = i.line;
  finding.message = message + "; " + placeOf(block.context, i) + ", block " +
                    triple(block.ctaid[0], block.ctaid[1], block.ctaid[2]) + ", thread " +
                    triple(thread % size[0], thread / size[0] % size[1], thread / size[0] / size[1]);
  throw Fault(finding);
}

Block::Block(const LaunchContext &context) : context(context), kernel(context.kernel) {
  unsigned count = static_cast<unsigned>((context.threads + lanes - 1) / lanes);
  warps.resize(count);
  for (unsigned w = 0; w < count; ++w) {
    WarpState &warp = warps[w];
    warp.id = w;
    warp.block = this;
    uint64_t left = context.threads - uint64_t(w) * lanes;
    warp.present = left >= lanes ? allLanes : (1u << left) - 1;
    warp.storage.resize(kernel.fileBytes() + 64);
    auto address = reinterpret_cast<uintptr_t>(warp.storage.data());
    warp.file = warp.storage.data() + (64 - address % 64) % 64;
    std::memcpy(warp.file + kernel.registerBytes, context.constants.data(), context.constants.size());
    warp.local.resize(uint64_t(kernel.localBytes) * lanes);
  }
  uint32_t bytes = kernel.dynamicOffset + context.launch.dynamicShared;
  shared.resize(bytes, count);
  for (const Kernel::Place &place : kernel.sharedPlaces)
    std::fill_n(shared.state.begin() + place.offset, place.bytes, Shadow::Valid);
  std::fill_n(shared.state.begin() + kernel.dynamicOffset, context.launch.dynamicShared, Shadow::Valid);
}

std::string Block::sharedName(uint64_t address) const {
  for (const Kernel::Place &place : kernel.sharedPlaces)
    if (address >= place.offset && address - place.offset < place.bytes)
      return std::to_string(address - place.offset) + " of '" + place.name + "'";
  return std::to_string(address - kernel.dynamicOffset) + " of dynamic shared memory";
}

void Block::checkWritten(Warp &warp, const Instruction &i, unsigned lane, Allocation &allocation, uint64_t offset,
                         uint32_t bytes, bool reads, bool writes) {
  // Blocks on other threads change bits of the same byte.
  for (uint64_t at = offset; at < offset + bytes; ++at) {
    auto *byte = reinterpret_cast<std::atomic<uint8_t> *>(&allocation.written[at / 8]);
    uint8_t bit = static_cast<uint8_t>(1 << at % 8);
    if (reads && !(byte->load(std::memory_order_relaxed) & bit))
      fault(warp, i, "uninitialised",
            "global read of byte " + std::to_string(at) + " of '" + allocation.name + "', which nothing has written",
            static_cast<int>(lane));
    if (writes)
      byte->fetch_or(bit, std::memory_order_relaxed);
  }
}

std::string samba::vgpu::nameOfLane(unsigned lane) {
  return lane == everyLane ? "all lanes" : "lane " + std::to_string(lane);
}

Unordered::Unordered(Accessor by, const std::string &before, Accessor other) {
  if (other.warp == by.warp) {
    check = "race-of-lanes";
    message = " for " + nameOfLane(by.lane) + before + nameOfLane(other.lane) + " of the same warp, number " +
              std::to_string(by.warp);
  } else {
    check = "race";
    message = before + (other.warp == asyncAgent ? "an asynchronous copy" : "warp " + std::to_string(other.warp));
  }
}

void Block::checkTraces(Warp &warp, const Instruction &i, Accessor by, unsigned lane, Allocation &allocation,
                        uint64_t offset, uint32_t bytes, bool writes, const uint8_t *value) {
  constexpr uint32_t many = UINT32_MAX;
  uint32_t epoch = shared.epochOf(by.warp), lanes = by.lane == everyLane ? 0 : 1u << by.lane;
  auto race = [&](uint64_t at, const char *check, const std::string &other) {
    fault(warp, i, check,
          std::string("global ") + (writes ? "write" : "read") + " of byte " + std::to_string(at) + " of '" +
              allocation.name + "'" + other,
          static_cast<int>(lane));
  };
  auto unordered = [&](uint64_t at, const char *before, uint32_t epoch, uint32_t lanes) {
    Unordered found(by, std::string(" is not ordered after the ") + before + " by ",
                    shared.accessorOf(by, epoch, lanes));
    race(at, found.check, found.message);
  };
  for (uint64_t at = offset; at < offset + bytes; ++at) {
    Allocation::Trace &trace = allocation.traces[at];
    if (trace.writerBlock && trace.writerBlock != number)
      race(at, "race-of-blocks",
           ", which block number " + std::to_string(trace.writerBlock - 1) + " writes in the same launch");
    if (writes && trace.readerBlock && trace.readerBlock != number)
      race(at, "race-of-blocks", ", which another block reads in the same launch");
    uint32_t together = 0;
    if (trace.writerBlock &&
        !shared.ordered(by, trace.writer, trace.writerLanes, writes ? Shadow::Each : Shadow::Any)) {
      bool equal = trace.writer >> clockBits == by.warp && value && allocation.data[at] == value[at - offset];
      if (!equal)
        unordered(at, "write", trace.writer, trace.writerLanes);
      together = trace.writerLanes;
    }
    if (writes && trace.readerBlock && !shared.ordered(by, trace.reader, trace.readerLanes, Shadow::Each))
      unordered(at, "read", trace.reader, trace.readerLanes);
    if (writes) {
      trace.writerBlock = number;
      trace.writer = epoch;
      trace.writerLanes = lanes | together;
      continue;
    }
    // Of several warps that read one is remembered.
    trace.readerBlock = trace.readerBlock && trace.readerBlock != number ? many : number;
    bool more = trace.reader >> clockBits == by.warp && (trace.reader & clockMask) > shared.laneOrders[by.warp].all;
    trace.readerLanes = (by.lane == everyLane ? allLanes : lanes) | (more ? trace.readerLanes : 0);
    trace.reader = epoch;
  }
}

uint32_t Block::nextRandom() {
  random += 0x9e3779b97f4a7c15u;
  uint64_t mixed = (random ^ random >> 30) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
  return static_cast<uint32_t>(mixed >> 32);
}

static uint32_t valueOf(SpecialRegister what, const Block &block, uint32_t warp, uint32_t lane) {
  using S = SpecialRegister;
  const Launch &launch = block.context.launch;
  uint32_t thread = warp * lanes + lane;
  switch (what) {
  case S::TidX:
    return thread % launch.block[0];
  case S::TidY:
    return thread / launch.block[0] % launch.block[1];
  case S::TidZ:
    return thread / launch.block[0] / launch.block[1];
  case S::NtidX:
    return launch.block[0];
  case S::NtidY:
    return launch.block[1];
  case S::NtidZ:
    return launch.block[2];
  case S::CtaidX:
    return block.ctaid[0];
  case S::CtaidY:
    return block.ctaid[1];
  case S::CtaidZ:
    return block.ctaid[2];
  case S::NctaidX:
    return launch.grid[0];
  case S::NctaidY:
    return launch.grid[1];
  case S::NctaidZ:
    return launch.grid[2];
  case S::Laneid:
    return lane;
  case S::Warpid:
    return warp;
  case S::Nwarpid:
    return 64;
  case S::Smid:
    return 0;
  case S::Nsmid:
    return 132;
  case S::MaskEq:
    return 1u << lane;
  case S::MaskLt:
    return (1u << lane) - 1;
  case S::MaskLe:
    return (2u << lane) - 1;
  case S::MaskGe:
    return ~((1u << lane) - 1);
  case S::MaskGt:
    return ~((2u << lane) - 1);
  case S::DynamicShared:
    return launch.dynamicShared;
  case S::TotalShared:
    return launch.dynamicShared + block.kernel.sharedBytes;
  case S::Zero:
    return 0;
  case S::One:
    return 1;
  }
  return 0;
}

void Block::start(uint64_t index) {
  const Launch &launch = context.launch;
  ctaid[0] = static_cast<uint32_t>(index % launch.grid[0]);
  ctaid[1] = static_cast<uint32_t>(index / launch.grid[0] % launch.grid[1]);
  ctaid[2] = static_cast<uint32_t>(index / launch.grid[0] / launch.grid[1]);
  number = static_cast<uint32_t>(index) + 1;
  random = context.options.seed * 0x2545f4914f6cdd1du + index;
  shared.startBlock(static_cast<unsigned>(warps.size()));
  for (Barrier &barrier : barriers)
    barrier = {};
  mbarriers.clear();
  loads.clear();
  asyncReads.clear();
  for (WarpState &warp : warps) {
    std::memset(warp.file, 0, kernel.registerBytes);
    for (const Kernel::Special &special : kernel.specials)
      for (unsigned lane = 0; lane < lanes; ++lane) {
        uint64_t value = valueOf(special.what, *this, warp.id, lane);
        std::memcpy(warp.file + special.offset + lane * special.bytes, &value, special.bytes);
      }
    warp.state = WarpState::Ready;
    warp.exited = 0;
    warp.carry = 0;
    warp.executed = 0;
    warp.copies.clear();
    warp.stores.clear();
    warp.products.clear();
    warp.storeGroup = warp.productGroup = 0;
    std::fill(warp.group, warp.group + lanes, 0);
    warp.paths.assign(1, {0, static_cast<uint32_t>(kernel.code.size()), warp.present});
  }
  counters.blocks += 1;
  counters.warps += warps.size();
}

void Block::branch(WarpState &warp, const Instruction &i, uint32_t taken) {
  Path &path = warp.paths.back();
  uint32_t mask = path.mask & ~warp.exited, rest = mask & ~taken, next = path.pc + 1;
  if (!rest || !taken) {
    path.pc = taken ? i.target : next;
    return;
  }
  // Both ways: this path goes on where they meet, unless it would end there anyway.
  uint32_t meeting = i.reconverge;
  if (meeting == path.reconverge)
    warp.paths.pop_back();
  else
    path.pc = meeting;
  if (next != meeting)
    warp.paths.push_back({next, meeting, rest});
  if (i.target != meeting)
    warp.paths.push_back({i.target, meeting, taken});
}

void Block::table(WarpState &warp, const Instruction &i) {
  Path path = warp.paths.back();
  uint32_t left = warp.active, others = path.mask & ~warp.exited & ~warp.active;
  const uint32_t *index = warp.at<uint32_t>(i.a);
  if (i.reconverge == path.reconverge)
    warp.paths.pop_back();
  else
    warp.paths.back().pc = i.reconverge;
  auto push = [&](uint32_t target, uint32_t mask) {
    if (target != i.reconverge)
      warp.paths.push_back({target, i.reconverge, mask});
  };
  if (others)
    push(path.pc + 1 + i.count, others);
  while (left) {
    unsigned lane = static_cast<unsigned>(__builtin_ctz(left));
    uint32_t entry = index[lane], same = 0;
    if (entry >= i.count)
      fault(warp, i, "out-of-bounds",
            "brx.idx takes target " + std::to_string(entry) + " of " + std::to_string(i.count), static_cast<int>(lane));
    for (uint32_t rest = left; rest; rest &= rest - 1)
      if (index[__builtin_ctz(rest)] == entry)
        same |= 1u << __builtin_ctz(rest);
    left &= ~same;
    push(kernel.code[i.target + entry].target, same);
  }
}

void Block::exit(WarpState &warp, uint32_t mask, const Instruction &i) {
  if (!warp.stores.empty() && (warp.exited | mask) == warp.present)
    fault(warp, i, "unwaited", "the warp ends before its bulk copies to global memory are waited for");
  warp.exited |= mask;
  ++progress;
  Path &path = warp.paths.back();
  path.pc += 1;
}

void Block::step(WarpState &warp, uint64_t instructions) {
  const Instruction *code = kernel.code.data();
  uint32_t size = static_cast<uint32_t>(kernel.code.size());
  warp.yield = false;
  while (instructions--) {
    // Paths that have arrived, or of which no lane is left, are done.
    Path *path;
    for (;;) {
      if (warp.paths.empty()) {
        warp.state = WarpState::Done;
        ++progress;
        return;
      }
      path = &warp.paths.back();
      if (path->pc != path->reconverge && path->mask & ~warp.exited && path->pc < size)
        break;
      warp.paths.pop_back();
    }
    const Instruction &i = code[path->pc];
    uint32_t mask = path->mask & ~warp.exited, active = mask;
    if (i.guard >= 0)
      active &= i.guardNegated ? ~warp.predicate(i.guard) : warp.predicate(i.guard);
    warp.active = active;
    if (i.counted) {
      if (++warp.executed > context.options.watchdog)
        fault(warp, i, "watchdog", "the warp has run " + std::to_string(context.options.watchdog) + " instructions");
      counters.instructions[i.kind] += 1;
      unsigned count = static_cast<unsigned>(__builtin_popcount(active));
      counters.lanes[i.kind] += count;
      counters.floatOperations += count * i.operations;
      counters.ex2 += i.exponential ? count : 0;
    }
    switch (i.control) {
    case Control::None:
      if (active) {
        i.run(warp, i);
        // A handler that waits is run again.
        if (warp.state != WarpState::Ready && warp.state != WarpState::AtBarrier)
          return;
      }
      warp.paths.back().pc += 1;
      if (warp.state == WarpState::AtBarrier || warp.yield)
        return;
      break;
    case Control::Branch:
      branch(warp, i, active);
      break;
    case Control::Table:
      if (active)
        table(warp, i);
      else
        path->pc += 1 + i.count;
      break;
    case Control::Exit:
      if (active)
        exit(warp, active, i);
      else
        path->pc += 1;
      break;
    }
  }
}

void Block::deadlock() {
  for (WarpState &warp : warps) {
    if (warp.state == WarpState::Done)
      continue;
    const Path &path = warp.paths.back();
    bool barrier = warp.state == WarpState::AtBarrier;
    const Instruction &i = kernel.code[barrier ? path.pc - 1 : path.pc];
    std::string text = "warp " + std::to_string(warp.id) + " waits for ever";
    if (barrier) {
      const Barrier &at = barriers[warp.barrier];
      text += " at barrier " + std::to_string(warp.barrier) + ": " + std::to_string(at.arrived) + " of " +
              std::to_string(at.expected) + " threads have arrived";
    } else {
      text += " for an mbarrier";
    }
    warp.active = path.mask & ~warp.exited;
    fault(warp, i, "deadlock", text);
  }
  throw Error("a block without warps waits");
}

void Block::run(uint64_t index) {
  start(index);
  std::vector<unsigned> order(warps.size());
  for (unsigned w = 0; w < order.size(); ++w)
    order[w] = w;
  for (size_t left = warps.size(); left;) {
    // A seed other than 0 changes who runs first, and for how long.
    bool shuffled = context.options.seed != 0;
    if (shuffled)
      for (size_t k = order.size(); k > 1; --k)
        std::swap(order[k - 1], order[nextRandom() % k]);
    uint64_t before = progress;
    bool ran = false;
    for (unsigned w : order) {
      WarpState &warp = warps[w];
      if (warp.state == WarpState::Done || warp.state == WarpState::AtBarrier)
        continue;
      bool waited = warp.state == WarpState::AtMbarrier;
      warp.state = WarpState::Ready;
      uint64_t executed = warp.executed;
      step(warp, shuffled ? 1 + nextRandom() % 256 : 4096);
      ran |= !waited || warp.state != WarpState::AtMbarrier || warp.executed > executed + 1;
      if (warp.state == WarpState::Done)
        --left;
    }
    if (left && !ran && progress == before)
      deadlock();
  }
}
