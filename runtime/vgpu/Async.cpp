//===- Async.cpp - decodes and runs cp.async -----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A copy reads its source at once and writes its destination only when a wait covers it. Until then the destination is
// marked: whoever touches it has not waited. The write counts as made at the wait, by the warp that waits, so other
// warps need a barrier after it.
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Access.h"

#include <algorithm>
#include <cstring>

using namespace samba::vgpu;
using ptx::Operand;
using ptx::Space;

void samba::vgpu::finishCopies(WarpState &warp, uint32_t mask, uint32_t newer) {
  Shadow &shared = warp.block->shared;
  uint32_t epoch = shared.epochOf(warp.id);
  auto done = [&](const PendingCopy &copy) {
    if (!(mask >> copy.lane & 1) || copy.group + newer >= warp.group[copy.lane])
      return false;
    std::memcpy(shared.data.data() + copy.to, copy.data, copy.bytes);
    for (uint32_t k = copy.to; k < copy.to + copy.bytes; ++k) {
      shared.state[k] &= static_cast<uint8_t>(~(Shadow::Pending | Shadow::ByAtomic));
      shared.writer[k] = epoch;
      shared.writerLanes[k] = 1u << copy.lane; // a wait is for the lane's own copies
    }
    return true;
  };
  warp.copies.erase(std::remove_if(warp.copies.begin(), warp.copies.end(), done), warp.copies.end());
}

namespace {

// a: shared address, b: global address, c: bytes of the source, or e: a predicate that skips the source.
void copy(Warp &w, const Instruction &i) {
  Block &block = *w.block;
  WarpState &warp = block.state(w);
  uint64_t to[lanes], from[lanes];
  addressesOf(w, i, to);
  Instruction source = i;
  source.a = i.b;
  source.immediate = static_cast<int64_t>(static_cast<int32_t>(i.target));
  source.mode = static_cast<uint8_t>(i.count);
  addressesOf(w, source, from);
  uint32_t reading = 0;
  for (uint32_t rest = w.active; rest; rest &= rest - 1) {
    unsigned lane = static_cast<unsigned>(__builtin_ctz(rest));
    uint64_t address = to[lane];
    uint32_t bytes = i.size;
    if (i.c >= 0)
      bytes = w.at<uint32_t>(i.c)[lane];
    else if (i.e >= 0 && (w.predicate(i.e) >> lane & 1) == (i.flags & 1))
      bytes = 0;
    if (bytes > i.size)
      fault(w, i, "out-of-bounds",
            "cp.async of " + std::to_string(bytes) + " bytes from the source to " + std::to_string(i.size),
            static_cast<int>(lane));
    sharedPointer(w, i, lane, address, i.size, Use::Write, i.size);
    PendingCopy pending{lane, warp.group[lane], static_cast<uint32_t>(address), i.size, {}};
    if (bytes) {
      uint64_t at = from[lane];
      if (resolve(spaceOf(source), at) != Space::Global)
        fault(w, i, "out-of-bounds", "the source of cp.async is not in global memory", static_cast<int>(lane));
      if (at % i.size)
        fault(w, i, "misaligned",
              "cp.async reads " + std::to_string(i.size) + " bytes from an address that is no multiple of it",
              static_cast<int>(lane));
      std::memcpy(pending.data, globalPointer(w, i, lane, at, bytes, Use::Read, 1), bytes);
      reading |= 1u << lane;
      block.counters.asyncBytes += bytes;
    }
    warp.copies.push_back(pending);
    if (block.context.checking)
      for (uint32_t k = 0; k < i.size; ++k)
        block.shared.state[address + k] |= Shadow::Pending;
  }
  if (block.context.counting) {
    countGlobal(block, from, reading, i.size, false);
    countShared(block, to, w.active, i.size, true);
  }
}

void commit(Warp &w, const Instruction &) {
  WarpState &warp = w.block->state(w);
  for (uint32_t rest = w.active; rest; rest &= rest - 1)
    ++warp.group[__builtin_ctz(rest)];
}

void wait(Warp &w, const Instruction &i) {
  finishCopies(w.block->state(w), w.active, static_cast<uint32_t>(i.immediate));
}

void waitAll(Warp &w, const Instruction &i) {
  commit(w, i);
  finishCopies(w.block->state(w), w.active, 0);
}

void decode(Decoder &d) {
  if (!d.modifiers.take("async"))
    d.unsupported();
  if (d.modifiers.take("bulk"))
    return decodeBulk(d);
  if (d.modifiers.take("commit_group")) {
    d.expectOperands(0, 0);
    d.emit(commit, Class::Async);
    return;
  }
  if (d.modifiers.take("wait_group")) {
    d.expectOperands(1, 1);
    int64_t newer = d.immediate(d.operand(0), 0, 1 << 20);
    d.emit(wait, Class::Async).immediate = newer;
    return;
  }
  if (d.modifiers.take("wait_all")) {
    d.expectOperands(0, 0);
    d.emit(waitAll, Class::Async);
    return;
  }
  if (d.modifiers.take("mbarrier"))
    return decodeAsyncArrive(d);
  bool all = d.modifiers.take("ca"), global = d.modifiers.take("cg");
  bool shared = d.modifiers.take("shared") || d.modifiers.take("shared::cta");
  if (all == global || !shared || !d.modifiers.take("global"))
    d.unsupported();
  bool policy = false;
  takeCacheHints(d, policy);
  d.expectOperands(3, 4 + policy);
  int64_t bytes = d.immediate(d.operand(2), 4, 16);
  if ((bytes != 4 && bytes != 8 && bytes != 16) || (global && bytes != 16))
    d.unsupported("a copy of " + std::to_string(bytes) + " bytes");
  Place to = placeOf(d, d.operand(0), Space::Shared), from = placeOf(d, d.operand(1), Space::Global);
  int32_t count = -1, skip = -1;
  bool negated = false;
  if (d.operandCount() > 3u + policy) {
    if (d.isPredicate(d.operand(3)))
      skip = d.predicateSource(d.operand(3), negated);
    else
      count = d.source(d.operand(3), u32);
  }
  if (from.address.offset != static_cast<int32_t>(from.address.offset))
    d.unsupported("an offset of more than 32 bits");
  Instruction &i = d.emit(copy, Class::Async);
  i.a = to.address.base;
  i.immediate = to.address.offset;
  i.mode = to.mode;
  i.b = from.address.base;
  i.target = static_cast<uint32_t>(from.address.offset);
  i.count = from.mode;
  i.c = count;
  i.e = skip;
  i.flags = negated ? 0 : 1;
  i.size = static_cast<uint8_t>(bytes);
}

} // namespace

const Opcode samba::vgpu::asyncOpcodes[] = {{"cp", decode}, {nullptr, nullptr}};
