//===- Mbarrier.cpp - decodes and runs mbarrier --------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The state of an mbarrier is kept beside shared memory; its eight bytes are marked, so that plain accesses to them are
// found. An arrival releases what the warp knows, a successful wait acquires what all arrivals of the phase knew.
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Access.h"

#include <algorithm>
#include <cstring>

using namespace samba::vgpu;
using ptx::Operand;
using ptx::Space;
using ptx::Type;

static constexpr uint32_t mostArrivals = (1 << 20) - 1;

Mbarrier &samba::vgpu::mbarrierAt(Warp &w, const Instruction &i, unsigned lane, uint64_t address) {
  Block &block = *w.block;
  auto found = block.mbarriers.find(static_cast<uint32_t>(address));
  if (address > UINT32_MAX || found == block.mbarriers.end())
    fault(w, i, "mbarrier", "no mbarrier has been initialised at shared address " + std::to_string(address),
          static_cast<int>(lane));
  Accessor self{block.state(w).id, lane};
  if (block.context.checking && !block.shared.ordered(self, static_cast<uint32_t>(address))) {
    Accessor by = block.shared.writerOf(self, static_cast<uint32_t>(address));
    bool same = by.warp == self.warp;
    fault(w, i, same ? "race-of-lanes" : "race",
          "the use of the mbarrier at byte " + block.sharedName(address) +
              " is not ordered after its initialisation by " +
              (same ? nameOfLane(by.lane) + " of the same warp" : "warp " + std::to_string(by.warp)),
          static_cast<int>(lane));
  }
  return found->second;
}

static void completeIfDone(Block &block, Mbarrier &mbarrier) {
  if (mbarrier.pending || mbarrier.bytes)
    return;
  mbarrier.phase ^= 1;
  mbarrier.pending = mbarrier.expected;
  mbarrier.completed = mbarrier.arriving;
  ++block.progress;
}

void samba::vgpu::completeBytes(Block &block, Mbarrier &mbarrier, uint32_t bytes) {
  mbarrier.bytes -= bytes;
  completeIfDone(block, mbarrier);
}

namespace {

enum : uint32_t { Arrive = 1, Expect = 2, Complete = 4, Drop = 8 };

uint64_t sharedAddress(Warp &w, const Instruction &i, unsigned lane, uint64_t address) {
  if (resolve(spaceOf(i), address) != Space::Shared)
    fault(w, i, "out-of-bounds", "the mbarrier is not in shared memory", static_cast<int>(lane));
  return address;
}

void initialise(Warp &w, const Instruction &i) {
  Block &block = *w.block;
  uint64_t addresses[lanes];
  addressesOf(w, i, addresses);
  for (uint32_t rest = w.active; rest; rest &= rest - 1) {
    unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
    uint64_t address = sharedAddress(w, i, lane, addresses[lane]);
    uint32_t count = w.at<uint32_t>(i.b)[lane];
    if (block.mbarriers.count(static_cast<uint32_t>(address)))
      fault(w, i, "mbarrier", "the mbarrier at byte " + block.sharedName(address) + " is initialised twice",
            static_cast<int>(lane));
    sharedPointer(w, i, lane, address, 8, Use::Write, 8);
    if (count == 0 || count > mostArrivals)
      fault(w, i, "mbarrier", "a count of " + std::to_string(count) + ", expected 1 to " + std::to_string(mostArrivals),
            static_cast<int>(lane));
    Mbarrier mbarrier{count, count, 0, 0, block.shared.epochOf(block.state(w).id), {}, {}};
    block.mbarriers[static_cast<uint32_t>(address)] = mbarrier;
    std::for_each(block.shared.state.begin() + address, block.shared.state.begin() + address + 8,
                  [](uint8_t &state) { state |= Shadow::Object; });
  }
}

void invalidate(Warp &w, const Instruction &i) {
  Block &block = *w.block;
  uint64_t addresses[lanes];
  addressesOf(w, i, addresses);
  for (uint32_t rest = w.active; rest; rest &= rest - 1) {
    unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
    uint64_t address = sharedAddress(w, i, lane, addresses[lane]);
    mbarrierAt(w, i, lane, address);
    block.mbarriers.erase(static_cast<uint32_t>(address));
    std::for_each(block.shared.state.begin() + address, block.shared.state.begin() + address + 8,
                  [](uint8_t &state) { state &= static_cast<uint8_t>(~Shadow::Object); });
  }
}

// flags: what to do. b: a count or a number of bytes, or none; d: the state, or none.
void act(Warp &w, const Instruction &i) {
  Block &block = *w.block;
  WarpState &warp = block.state(w);
  uint64_t addresses[lanes];
  addressesOf(w, i, addresses);
  for (uint32_t rest = w.active; rest; rest &= rest - 1) {
    unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
    Mbarrier &mbarrier = mbarrierAt(w, i, lane, sharedAddress(w, i, lane, addresses[lane]));
    uint32_t value = i.b >= 0 ? w.at<uint32_t>(i.b)[lane] : 1;
    if (i.d >= 0)
      w.at<uint64_t>(i.d)[lane] = mbarrier.phase;
    if (i.flags & (Expect | Complete)) {
      if (value > mostArrivals)
        fault(w, i, "mbarrier", std::to_string(value) + " bytes, expected at most " + std::to_string(mostArrivals),
              static_cast<int>(lane));
      mbarrier.bytes += i.flags & Expect ? int64_t(value) : -int64_t(value);
    }
    if (i.flags & Arrive) {
      uint32_t count = i.flags & Expect ? 1 : value;
      if (count == 0 || count > mbarrier.pending)
        fault(w, i, "mbarrier",
              std::to_string(count) + " arrivals where " + std::to_string(mbarrier.pending) + " are expected",
              static_cast<int>(lane));
      if (i.flags & Drop)
        mbarrier.expected -= count;
      mbarrier.pending -= count;
      mbarrier.arriving.join(block.shared.clocks[warp.id]);
    }
    completeIfDone(block, mbarrier);
  }
  ++block.shared.clocks[warp.id].of[warp.id];
  ++block.progress;
}

// Delivers the copies that signal the mbarrier at the address.
void deliver(Block &block, uint32_t address) {
  auto waiting = [&](BulkLoad &load) {
    if (load.mbarrier != address)
      return false;
    size_t at = 0;
    for (const Piece &piece : load.pieces) {
      std::memcpy(block.shared.data.data() + piece.shared, load.data.data() + at, piece.bytes);
      for (uint32_t k = piece.shared; k < piece.shared + piece.bytes; ++k)
        block.shared.state[k] &= static_cast<uint8_t>(~Shadow::Pending);
      at += piece.bytes;
    }
    Mbarrier &mbarrier = block.mbarriers.at(address);
    uint32_t &known = mbarrier.arriving.of[asyncAgent];
    known = std::max(known, load.clock);
    completeBytes(block, mbarrier, load.bytes);
    return true;
  };
  block.loads.erase(std::remove_if(block.loads.begin(), block.loads.end(), waiting), block.loads.end());
}

// d: a predicate. b: the parity, or the state of an arrival.
constexpr uint32_t mayWait = 1;
void test(Warp &w, const Instruction &i) {
  Block &block = *w.block;
  WarpState &warp = block.state(w);
  uint64_t addresses[lanes];
  addressesOf(w, i, addresses);
  uint32_t done = 0;
  for (uint32_t rest = w.active; rest; rest &= rest - 1) {
    unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
    uint64_t address = sharedAddress(w, i, lane, addresses[lane]);
    Mbarrier &mbarrier = mbarrierAt(w, i, lane, address);
    uint64_t phase = i.size == 8 ? w.at<uint64_t>(i.b)[lane] : w.at<uint32_t>(i.b)[lane];
    // Copies arrive at the last moment: for a wait that has no other reason to go on.
    if (mbarrier.phase == (phase & 1))
      deliver(block, static_cast<uint32_t>(address));
    if (mbarrier.phase != (phase & 1))
      done |= 1u << lane;
  }
  if (done != w.active && i.flags & mayWait) {
    warp.state = WarpState::AtMbarrier;
    return;
  }
  for (uint32_t rest = done, same; rest; rest &= ~same) {
    uint64_t address = addresses[__builtin_ctz(rest)];
    same = 0;
    for (uint32_t others = rest; others; others &= others - 1)
      if (addresses[__builtin_ctz(others)] == address)
        same |= others & -others;
    resolve(spaceOf(i), address);
    const Clock &completed = block.mbarriers.at(static_cast<uint32_t>(address)).completed;
    block.shared.clocks[warp.id].join(completed);
    block.shared.learn(warp.id, same, warp.present & ~warp.exited, completed.of[warp.id]);
  }
  w.predicate(i.d) = (w.predicate(i.d) & ~w.active) | done;
  warp.yield = done != w.active;
}

// cp.async.mbarrier.arrive: an arrival when the lane's copies so far are there. They are delivered here, at the latest
// moment that other warps could tell.
void arriveAfterCopies(Warp &w, const Instruction &i) {
  WarpState &warp = w.block->state(w);
  for (uint32_t rest = w.active; rest; rest &= rest - 1)
    ++warp.group[__builtin_ctz(rest)];
  finishCopies(warp, w.active, 0);
  Instruction arrival = i;
  if (!(i.mode & 16)) {
    // Without .noinc the arrival is one more than was expected.
    uint64_t addresses[lanes];
    addressesOf(w, i, addresses);
    for (uint32_t rest = w.active; rest; rest &= rest - 1) {
      unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
      ++mbarrierAt(w, i, lane, sharedAddress(w, i, lane, addresses[lane])).pending;
    }
  }
  arrival.flags = Arrive;
  arrival.b = arrival.d = -1;
  act(w, arrival);
}

void takeScopes(Decoder &d) {
  for (const char *word : {"release", "acquire", "relaxed", "cta", "cluster"})
    d.modifiers.take(word);
}

Space takeSharedSpace(Decoder &d) {
  if (d.modifiers.take("shared::cluster"))
    return Space::Shared;
  Space space = takeSpace(d);
  if (space != Space::Shared && space != Space::Generic)
    d.unsupported();
  return space;
}

Instruction &emitAt(Decoder &d, Handler handler, const Place &place) {
  Instruction &i = d.emit(handler, Class::Barrier);
  i.a = place.address.base;
  i.immediate = place.address.offset;
  i.mode = place.mode;
  return i;
}

void decode(Decoder &d) {
  takeScopes(d);
  if (d.modifiers.take("init")) {
    Space space = takeSharedSpace(d);
    d.type();
    d.expectOperands(2, 2);
    Place place = placeOf(d, d.operand(0), space);
    int32_t count = d.source(d.operand(1), u32);
    emitAt(d, initialise, place).b = count;
    return;
  }
  if (d.modifiers.take("inval")) {
    Space space = takeSharedSpace(d);
    d.type();
    d.expectOperands(1, 1);
    emitAt(d, invalidate, placeOf(d, d.operand(0), space));
    return;
  }
  bool parity = d.modifiers.take("parity"), tests = d.modifiers.take("test_wait"), tries = d.modifiers.take("try_wait");
  if (tests || tries) {
    if (tries)
      d.requireArch(90, "mbarrier.try_wait");
    Space space = takeSharedSpace(d);
    d.type();
    d.expectOperands(3, 4);
    int32_t to = d.predicateDestination(d.operand(0));
    Place place = placeOf(d, d.operand(1), space);
    int32_t phase = d.source(d.operand(2), parity ? u32 : u64);
    Instruction &i = emitAt(d, test, place);
    i.d = to;
    i.b = phase;
    i.size = parity ? 4 : 8;
    i.flags = tries ? mayWait : 0;
    return;
  }
  uint32_t flags = 0;
  if (d.modifiers.take("arrive"))
    flags = Arrive | (d.modifiers.take("expect_tx") ? Expect : 0);
  else if (d.modifiers.take("arrive_drop"))
    flags = Arrive | Drop | (d.modifiers.take("expect_tx") ? Expect : 0);
  else if (d.modifiers.take("expect_tx"))
    flags = Expect;
  else if (d.modifiers.take("complete_tx"))
    flags = Complete;
  else
    d.unsupported();
  d.modifiers.take("noComplete");
  if (flags & (Expect | Complete))
    d.requireArch(90, "a count of bytes");
  Space space = takeSharedSpace(d);
  d.type();
  // The state is there unless the first operand is the address.
  size_t first = d.operand(0).kind == Operand::Address ? 0 : 1;
  d.expectOperands(first + 1, first + 2);
  int32_t to = first && d.operand(0).kind != Operand::Sink ? d.destination(d.operand(0), b64) : -1;
  Place place = placeOf(d, d.operand(first), space);
  int32_t value = d.operandCount() > first + 1 ? d.source(d.operand(first + 1), u32) : -1;
  if (value < 0 && flags & (Expect | Complete))
    d.unsupported("no number of bytes");
  Instruction &i = emitAt(d, act, place);
  i.d = to;
  i.b = value;
  i.flags = flags;
}

// A cluster of one block: every address is that of the block itself.
void mapAddress(Decoder &d) {
  d.requireArch(90, "mapa");
  d.modifiers.take("shared::cluster");
  Type type = d.type();
  d.expectOperands(3, 3);
  int32_t a = d.source(d.operand(1), type), to = d.destination(d.operand(0), type);
  d.source(d.operand(2), u32);
  Instruction &i = d.emit(laneTable().integer(Op::Move, {Type::Bits, type.bits}, 0), Class::Move);
  i.d = to;
  i.a = a;
}

} // namespace

void samba::vgpu::decodeAsyncArrive(Decoder &d) {
  if (!d.modifiers.take("arrive"))
    d.unsupported();
  bool counted = d.modifiers.take("noinc");
  Space space = takeSharedSpace(d);
  d.type();
  d.expectOperands(1, 1);
  Instruction &i = emitAt(d, arriveAfterCopies, placeOf(d, d.operand(0), space));
  if (counted)
    i.mode |= 16;
}

const Opcode samba::vgpu::mbarrierOpcodes[] = {{"mbarrier", decode}, {"mapa", mapAddress}, {nullptr, nullptr}};
