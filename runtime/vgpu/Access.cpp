//===- Access.cpp - checked access to memory -----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Access.h"

#include <algorithm>
#include <cstring>

using namespace samba::vgpu;
using ptx::Space;

void samba::vgpu::addressesOf(Warp &warp, const Instruction &i, uint64_t (&addresses)[lanes]) {
  uint64_t offset = static_cast<uint64_t>(i.immediate);
  if (i.mode & wideBase) {
    const uint64_t *base = warp.at<uint64_t>(i.a);
    for (unsigned lane = 0; lane < lanes; ++lane)
      addresses[lane] = base[lane] + offset;
  } else {
    const uint32_t *base = warp.at<uint32_t>(i.a);
    for (unsigned lane = 0; lane < lanes; ++lane)
      addresses[lane] = uint32_t(base[lane] + uint32_t(offset));
  }
}

Space samba::vgpu::resolve(Space space, uint64_t &address) {
  if (space != Space::Generic)
    return space;
  const std::pair<uint64_t, Space> windows[] = {
      {sharedWindow, Space::Shared}, {localWindow, Space::Local}, {parameterWindow, Space::Parameter}};
  for (auto [window, result] : windows)
    if (address - window < windowBytes) {
      address -= window;
      return result;
    }
  return Space::Global;
}

static const char *verb(Use use) { return use == Use::Read ? "read" : use == Use::Write ? "write" : "atomic access"; }

static std::string hexadecimal(uint64_t value) {
  char text[32];
  snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

static std::string describe(const std::vector<Kernel::Place> &places, uint32_t dynamicOffset, uint32_t dynamicBytes,
                            uint64_t address) {
  const Kernel::Place *nearest = nullptr;
  uint64_t distance = UINT64_MAX;
  std::string side;
  Kernel::Place dynamic{"dynamic shared memory", dynamicOffset, dynamicBytes};
  auto consider = [&](const Kernel::Place &place) {
    uint64_t end = uint64_t(place.offset) + place.bytes;
    uint64_t away = address >= end ? address - end : address < place.offset ? place.offset - address : 0;
    if (away < distance) {
      distance = away;
      nearest = &place;
      side = address >= end ? " bytes past the end of " : address < place.offset ? " bytes before " : "";
    }
  };
  for (const Kernel::Place &place : places)
    consider(place);
  if (dynamicBytes)
    consider(dynamic);
  if (!nearest)
    return "at " + hexadecimal(address) + ", the kernel has none";
  std::string name = "'" + nearest->name + "' (" + std::to_string(nearest->bytes) + " bytes)";
  if (side.empty())
    return "over the end of " + name + ", at byte " + std::to_string(address - nearest->offset);
  return std::to_string(distance) + side + name;
}

static void checkAlignment(Warp &warp, const Instruction &i, unsigned lane, const char *space, uint64_t address,
                           uint32_t bytes, uint32_t alignment, Use use) {
  if (address & (alignment - 1))
    fault(warp, i, "misaligned",
          std::string(space) + " " + verb(use) + " of " + std::to_string(bytes) + " bytes at " + hexadecimal(address) +
              ", which need not be a multiple of " + std::to_string(alignment),
          static_cast<int>(lane));
}

uint8_t *samba::vgpu::globalPointer(Warp &warp, const Instruction &i, unsigned lane, uint64_t address, uint32_t bytes,
                                    Use use, uint32_t alignment, Sharing sharing) {
  Block &block = *warp.block;
  Allocation *allocation = block.recent;
  if (!allocation || !allocation->contains(address, bytes)) {
    allocation = block.context.memory.find(address, bytes);
    if (!allocation)
      fault(warp, i, "out-of-bounds",
            std::string("global ") + verb(use) + " of " + std::to_string(bytes) + " bytes " +
                block.context.memory.describe(address, bytes),
            static_cast<int>(lane));
    block.recent = allocation;
  }
  checkAlignment(warp, i, lane, "global", address, bytes, alignment, use);
  uint64_t offset = address - allocation->address;
  if (use != Use::Read && allocation->readOnly)
    fault(warp, i, "read-only", "write to constant '" + allocation->name + "'", static_cast<int>(lane));
  if (block.context.globalRaces)
    block.checkTraces(warp, i, {block.state(warp).id, sharing.together ? everyLane : lane}, lane, *allocation, offset,
                      bytes, use != Use::Read, sharing.value);
  if (!allocation->written.empty())
    block.checkWritten(warp, i, lane, *allocation, offset, bytes, use != Use::Write, use != Use::Read);
  return allocation->data + offset;
}

// The rare part of sharedPointer: says what is wrong, if something is.
[[gnu::noinline]] static void explainShared(Warp &warp, const Instruction &i, unsigned lane, uint64_t address,
                                            uint32_t bytes, Use use) {
  Block &block = *warp.block;
  Shadow &shared = block.shared;
  bool inside = address < shared.data.size() && bytes <= shared.data.size() - address;
  uint8_t any = 0;
  for (uint32_t k = 0; inside && k < bytes; ++k) {
    any |= shared.state[address + k];
    inside = shared.state[address + k] & Shadow::Valid;
  }
  if (!inside)
    fault(warp, i, "out-of-bounds",
          std::string("shared ") + verb(use) + " of " + std::to_string(bytes) + " bytes " +
              describe(block.kernel.sharedPlaces, block.kernel.dynamicOffset, block.context.launch.dynamicShared,
                       address),
          static_cast<int>(lane));
  if (any & Shadow::Object)
    fault(warp, i, "mbarrier",
          std::string("plain ") + verb(use) + " of the mbarrier at byte " + block.sharedName(address),
          static_cast<int>(lane));
  if (any & Shadow::Pending)
    fault(warp, i, "unwaited",
          std::string("shared ") + verb(use) + " of byte " + block.sharedName(address) + " by " +
              std::to_string(bytes) + " bytes before a wait covers the asynchronous copy to it",
          static_cast<int>(lane));
}

[[gnu::noinline]] static void explainOrder(Warp &warp, const Instruction &i, unsigned lane, uint64_t address,
                                           uint32_t bytes, Use use, Shadow::Problem problem, Accessor by,
                                           Accessor other) {
  std::string what = std::string("shared ") + verb(use) + " of byte " + warp.block->sharedName(address) + " by " +
                     std::to_string(bytes) + " bytes";
  if (problem == Shadow::Unwritten)
    fault(warp, i, "uninitialised", what + ", which nothing has written", static_cast<int>(lane));
  const char *before =
      problem == Shadow::WriteAfterRead ? " is not ordered after the read by " : " is not ordered after the write by ";
  Unordered found(by, before, other);
  fault(warp, i, found.check, what + found.message, static_cast<int>(lane));
}

void samba::vgpu::checkAsyncReads(Warp &warp, const Instruction &i, unsigned lane, uint64_t address, uint32_t bytes) {
  for (const AsyncRead &read : warp.block->asyncReads)
    if (address < read.to && address + bytes > read.from)
      fault(warp, i, "unwaited",
            "shared write of byte " + warp.block->sharedName(address) + " by " + std::to_string(bytes) +
                " bytes before a wait covers the asynchronous read of it in PTX line " + std::to_string(read.line),
            static_cast<int>(lane));
}

const uint8_t *samba::vgpu::asyncSource(Warp &warp, const Instruction &i, unsigned reader, uint64_t address,
                                        uint32_t bytes) {
  Block &block = *warp.block;
  Shadow &shared = block.shared;
  unsigned lane = reader == everyLane ? static_cast<unsigned>(__builtin_ctz(warp.active)) : reader;
  if (address >= shared.data.size() || bytes > shared.data.size() - address || !shared.plain(address, bytes))
    explainShared(warp, i, lane, address, bytes, Use::Read);
  if (!block.context.checking)
    return shared.data.data() + address;
  unsigned self = block.state(warp).id;
  Accessor by{self, reader};
  for (uint32_t at = static_cast<uint32_t>(address); at < address + bytes; ++at) {
    uint32_t epoch = shared.writer[at], agent = epoch >> clockBits;
    if ((epoch & clockMask) < shared.start)
      explainOrder(warp, i, lane, at, 1, Use::Read, Shadow::Unwritten, by, {});
    if (!shared.ordered(by, at))
      explainOrder(warp, i, lane, at, 1, Use::Read, Shadow::ReadAfterWrite, by, shared.writerOf(by, at));
    if (agent != asyncAgent && shared.clocks[self].fenced[agent] < (epoch & clockMask))
      fault(warp, i, "fence",
            "asynchronous read of byte " + block.sharedName(at) + ", written by warp " + std::to_string(agent) +
                " without a fence.proxy.async after it");
  }
  return shared.data.data() + address;
}

uint8_t *samba::vgpu::sharedPointer(Warp &warp, const Instruction &i, unsigned lane, uint64_t address, uint32_t bytes,
                                    Use use, uint32_t alignment, Sharing sharing) {
  Block &block = *warp.block;
  Shadow &shared = block.shared;
  if (address >= shared.data.size() || bytes > shared.data.size() - address || !shared.plain(address, bytes))
    explainShared(warp, i, lane, address, bytes, use);
  if (address & (alignment - 1))
    checkAlignment(warp, i, lane, "shared", address, bytes, alignment, use);
  if (!block.context.checking)
    return shared.data.data() + address;
  if (use != Use::Read && !block.asyncReads.empty())
    checkAsyncReads(warp, i, lane, address, bytes);
  Accessor by{block.state(warp).id, sharing.together ? everyLane : lane}, other{};
  uint32_t at = static_cast<uint32_t>(address);
  Shadow::Problem problem = use == Use::Read    ? shared.read(by, at, bytes, other)
                            : use == Use::Write ? shared.write(by, at, bytes, sharing.value, other)
                                                : shared.atomic(by, at, bytes, other);
  if (problem != Shadow::None)
    explainOrder(warp, i, lane, address, bytes, use, problem, by, other);
  return shared.data.data() + address;
}

uint8_t *samba::vgpu::pointer(Warp &warp, const Instruction &i, unsigned lane, Space space, uint64_t address,
                              uint32_t bytes, Use use, Sharing sharing) {
  Block &block = *warp.block;
  switch (resolve(space, address)) {
  case Space::Shared:
    return sharedPointer(warp, i, lane, address, bytes, use, bytes, sharing);
  case Space::Local: {
    std::vector<uint8_t> &local = block.state(warp).local;
    uint32_t size = block.kernel.localBytes;
    bool inside = false;
    for (const Kernel::Place &place : block.kernel.localPlaces)
      inside |= address >= place.offset && bytes <= place.bytes && address - place.offset <= place.bytes - bytes;
    if (!inside)
      fault(warp, i, "out-of-bounds",
            std::string("local ") + verb(use) + " of " + std::to_string(bytes) + " bytes " +
                describe(block.kernel.localPlaces, 0, 0, address),
            static_cast<int>(lane));
    checkAlignment(warp, i, lane, "local", address, bytes, bytes, use);
    return local.data() + uint64_t(lane) * size + address;
  }
  case Space::Parameter: {
    const std::vector<uint8_t> &parameters = block.context.launch.parameters;
    if (use != Use::Read)
      fault(warp, i, "read-only", "write to a kernel parameter", static_cast<int>(lane));
    if (address >= parameters.size() || bytes > parameters.size() - address)
      fault(warp, i, "out-of-bounds",
            "read of " + std::to_string(bytes) + " bytes at byte " + std::to_string(address) + " of the " +
                std::to_string(parameters.size()) + " bytes of parameters",
            static_cast<int>(lane));
    checkAlignment(warp, i, lane, "parameter", address, bytes, bytes, use);
    return const_cast<uint8_t *>(parameters.data()) + address;
  }
  default:
    return globalPointer(warp, i, lane, address, bytes, use, bytes, sharing);
  }
}

void samba::vgpu::touch(Allocation &allocation, uint64_t offset, uint64_t bytes, bool store) {
  std::atomic<uint64_t> *words = (store ? allocation.writtenSectors : allocation.readSectors).get();
  for (uint64_t sector = offset / 32, last = (offset + bytes - 1) / 32; sector <= last; ++sector) {
    std::atomic<uint64_t> &word = words[sector / 64];
    uint64_t bit = uint64_t(1) << sector % 64;
    if (!(word.load(std::memory_order_relaxed) & bit)) {
      word.fetch_or(bit, std::memory_order_relaxed);
      allocation.touched.store(true, std::memory_order_relaxed);
    }
  }
}

void samba::vgpu::countGlobal(Block &block, const uint64_t (&addresses)[lanes], uint32_t mask, uint32_t bytes,
                              bool store) {
  Traffic &traffic = store ? block.counters.globalStores : block.counters.globalLoads;
  uint64_t apart = 0;
  for (unsigned lane = 0; lane < lanes; ++lane)
    apart |= addresses[lane] ^ (addresses[0] + uint64_t(lane) * bytes);
  if (mask == allLanes && !apart && block.recent && block.recent->contains(addresses[0], uint64_t(bytes) * lanes)) {
    uint64_t first = addresses[0] / 32, last = (addresses[0] + uint64_t(bytes) * lanes - 1) / 32;
    touch(*block.recent, addresses[0] - block.recent->address, uint64_t(bytes) * lanes, store);
    ++traffic.requests;
    traffic.bytes += uint64_t(bytes) * lanes;
    traffic.units += last - first + 1;
    traffic.ideal += bytes;
    return;
  }
  struct Sector {
    uint64_t number;
    uint32_t bytes; // a bit for each
  } sectors[lanes];
  unsigned count = 0, active = 0;
  uint32_t all = static_cast<uint32_t>((uint64_t(1) << bytes) - 1);
  for (uint32_t rest = mask; rest; rest &= rest - 1) {
    uint64_t address = addresses[__builtin_ctz(rest)], number = address / 32;
    uint32_t bits = all << address % 32;
    ++active;
    // Most often it is the sector of the lane before.
    unsigned k = count;
    while (k && sectors[k - 1].number != number)
      --k;
    if (k)
      sectors[k - 1].bytes |= bits;
    else
      sectors[count++] = {number, bits};
  }
  unsigned distinct = 0;
  for (unsigned k = 0; k < count; ++k) {
    distinct += static_cast<unsigned>(__builtin_popcount(sectors[k].bytes));
    Allocation *allocation = block.recent;
    uint64_t address = sectors[k].number * 32 + static_cast<unsigned>(__builtin_ctz(sectors[k].bytes));
    if (!allocation || !allocation->contains(address, 1))
      allocation = block.context.memory.find(address, 1);
    if (allocation)
      touch(*allocation, address - allocation->address, 1, store);
  }
  ++traffic.requests;
  traffic.bytes += uint64_t(active) * bytes;
  traffic.units += count;
  traffic.ideal += (distinct + 31) / 32;
}

void samba::vgpu::countShared(Block &block, const uint64_t (&addresses)[lanes], uint32_t mask, uint32_t bytes,
                              bool store) {
  Traffic &traffic = store ? block.counters.sharedStores : block.counters.sharedLoads;
  ++traffic.requests;
  traffic.bytes += uint64_t(__builtin_popcount(mask)) * bytes;
  uint64_t apart = addresses[0] % 4;
  for (unsigned lane = 0; lane < lanes; ++lane)
    apart |= addresses[lane] ^ (addresses[0] + uint64_t(lane) * bytes);
  if (mask == allLanes && !apart && bytes >= 4) {
    traffic.units += bytes / 4;
    traffic.ideal += bytes / 4;
    return;
  }
  // A wavefront serves each of 32 banks once. Wide accesses take the lanes in groups that together ask for 128 bytes.
  unsigned group = bytes <= 4 ? 32 : 128 / bytes;
  for (unsigned first = 0; first < lanes; first += group) {
    uint32_t words[32][32];
    uint8_t count[32] = {};
    unsigned most = 0, total = 0;
    for (unsigned lane = first; lane < first + group; ++lane) {
      if (!(mask >> lane & 1))
        continue;
      uint32_t end = static_cast<uint32_t>((addresses[lane] + bytes + 3) / 4);
      for (uint32_t word = static_cast<uint32_t>(addresses[lane] / 4); word < end; ++word) {
        unsigned bank = word % 32, k = 0;
        while (k < count[bank] && words[bank][k] != word)
          ++k;
        if (k < count[bank] || k == 32)
          continue;
        words[bank][count[bank]++] = word;
        ++total;
        most = std::max<unsigned>(most, count[bank]);
      }
    }
    traffic.units += most;
    traffic.ideal += (total + 31) / 32;
  }
}

Place samba::vgpu::placeOf(Decoder &d, const ptx::Operand &operand, Space space) {
  Place place;
  place.address = d.address(operand);
  if (place.address.variable && space == Space::Generic && place.address.space != Space::Global)
    d.unsupported("a generic address that is a variable of another space");
  if (place.address.variable && space != place.address.space &&
      !(space == Space::Parameter && place.address.space == Space::Local) && space != Space::Generic)
    d.fail("the variable lies in another space than that of " + std::string(d.instruction().opcode));
  if (place.address.variable && place.address.space == Space::Local)
    space = Space::Local; // parameters of a call
  place.mode = static_cast<uint8_t>(static_cast<uint8_t>(space) | (place.address.wide ? wideBase : 0));
  return place;
}

Space samba::vgpu::takeSpace(Decoder &d) {
  const std::pair<const char *, Space> names[] = {
      {"global", Space::Global},          {"shared", Space::Shared},
      {"shared::cta", Space::Shared},     {"local", Space::Local},
      {"const", Space::Constant},         {"param", Space::Parameter},
      {"param::entry", Space::Parameter}, {"param::func", Space::Parameter}};
  for (auto [name, value] : names)
    if (d.modifiers.take(name))
      return value;
  return Space::Generic;
}

void samba::vgpu::takeCacheHints(Decoder &d, bool &policy) {
  for (const char *word : {"ca", "cg", "cs", "lu", "cv", "wb", "wt", "nc", "L1::evict_normal", "L1::evict_unchanged",
                           "L1::evict_first", "L1::evict_last", "L1::no_allocate", "L2::64B", "L2::128B", "L2::256B",
                           "L2::evict_first", "L2::evict_last", "L2::evict_normal"})
    while (d.modifiers.take(word)) {
    }
  policy = d.modifiers.take("L2::cache_hint");
}
