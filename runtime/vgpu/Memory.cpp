//===- Memory.cpp - memory of the virtual device -------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Memory.h"

#include <cstring>
#include <new>
#include <sys/mman.h>

using namespace samba::vgpu;

// Between allocations: far more than an index that is off by a row.
static constexpr uint64_t gap = 1 << 20;

Memory::~Memory() = default;

Allocation::~Allocation() {
  if (data)
    munmap(data, bytes + 1);
  if (traces)
    munmap(traces, bytes * sizeof(Trace) + 1);
}

// Untouched pages cost nothing, and fresh ones are zero.
static void *map(uint64_t bytes) {
  void *data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED)
    throw std::bad_alloc();
  return data;
}

void Memory::startTraces(Allocation &allocation) {
  uint64_t bytes = allocation.bytes * sizeof(Allocation::Trace) + 1;
  if (allocation.traces)
    madvise(allocation.traces, bytes, MADV_DONTNEED);
  else
    allocation.traces = static_cast<Allocation::Trace *>(map(bytes));
}

uint64_t Memory::allocate(uint64_t bytes, std::string name, uint64_t align, bool track) {
  if (align == 0 || (align & (align - 1)) || align > gap)
    throw Error("allocation '" + name + "': alignment " + std::to_string(align) + " is no power of two up to " +
                std::to_string(gap));
  // A multiple of `align`, and of no larger power of two.
  uint64_t address = (next + 2 * align - 1) / (2 * align) * (2 * align) + align;
  place(address, bytes, std::move(name), track);
  return address;
}

void Memory::place(uint64_t address, uint64_t bytes, std::string name, bool track) {
  if (address < next)
    throw Error("allocation '" + name + "' at " + std::to_string(address) + ", expected at least " +
                std::to_string(next));
  if (bytes > capacity - inUse)
    throw std::bad_alloc();
  auto allocation = std::make_unique<Allocation>();
  allocation->bytes = bytes;
  allocation->data = static_cast<uint8_t *>(map(bytes + 1));
  allocation->name = std::move(name);
  allocation->address = address;
  if (track)
    allocation->written.resize(bytes / 8 + 1);
  size_t words = allocation->sectorWords();
  allocation->readSectors.reset(new std::atomic<uint64_t>[words]());
  allocation->writtenSectors.reset(new std::atomic<uint64_t>[words]());
  next = address + bytes + gap;
  inUse += bytes;
  live[address] = std::move(allocation);
}

void Memory::release(uint64_t address) {
  auto found = live.find(address);
  if (found == live.end())
    throw Error("release of an address that is no allocation: " + describe(address, 1));
  Allocation &allocation = *found->second;
  inUse -= allocation.bytes;
  released[address] = {allocation.bytes, allocation.name};
  live.erase(found);
}

void *Memory::host(uint64_t address, uint64_t bytes) {
  Allocation *allocation = find(address, bytes);
  if (!allocation)
    throw Error("host access to " + std::to_string(bytes) + " bytes of device memory " + describe(address, bytes));
  if (!allocation->written.empty())
    for (uint64_t at = address - allocation->address, end = at + bytes; at < end; ++at)
      allocation->written[at / 8] |= 1 << at % 8;
  return allocation->data + (address - allocation->address);
}

void Memory::forget(uint64_t address) {
  auto found = live.find(address);
  if (found == live.end())
    throw Error("no allocation at " + std::to_string(address));
  std::vector<uint8_t> &written = found->second->written;
  std::fill(written.begin(), written.end(), 0);
}

Allocation *Memory::find(uint64_t address, uint64_t bytes) const {
  auto after = live.upper_bound(address);
  if (after == live.begin())
    return nullptr;
  Allocation *allocation = std::prev(after)->second.get();
  return allocation->contains(address, bytes) ? allocation : nullptr;
}

static std::string sized(const std::string &name, uint64_t bytes) {
  return "'" + name + "' (" + std::to_string(bytes) + " bytes)";
}

std::string Memory::describe(uint64_t address, uint64_t bytes) const {
  auto old = released.upper_bound(address);
  if (old != released.begin()) {
    --old;
    if (address - old->first < old->second.first)
      return "at byte " + std::to_string(address - old->first) + " of " + sized(old->second.second, old->second.first) +
             ", which was freed";
  }
  auto after = live.upper_bound(address);
  std::string text;
  uint64_t nearest = UINT64_MAX;
  if (after != live.begin()) {
    const Allocation &before = *std::prev(after)->second;
    uint64_t offset = address - before.address;
    if (offset < before.bytes)
      return "at byte " + std::to_string(offset) + " of " + sized(before.name, before.bytes) + ", " +
             std::to_string(bytes - (before.bytes - offset)) + " bytes past its end";
    nearest = offset - before.bytes;
    text = std::to_string(nearest) + " bytes past the end of " + sized(before.name, before.bytes);
  }
  if (after != live.end() && after->first - address < nearest)
    text = std::to_string(after->first - address) + " bytes before " + sized(after->second->name, after->second->bytes);
  char hexadecimal[32];
  snprintf(hexadecimal, sizeof(hexadecimal), "0x%llx", static_cast<unsigned long long>(address));
  return std::string("at ") + hexadecimal + (text.empty() ? ", no allocation is near" : ", " + text);
}
