//===- StateLayout.cpp - which parts of a state change when --------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/StateLayout.h"

#include <algorithm>
#include <cstring>
#include <string_view>

using namespace samba::runtime;

static bool endsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

StateLayout::StateLayout(const Manifest &manifest) {
  std::vector<Range> taken;
  for (const StateField &field : manifest.fields) {
    if (field.shape.size() != 3 || !(endsWith(field.name, ".key") || endsWith(field.name, ".value")))
      continue;
    int64_t heads = field.shape[0], slots = field.shape[1];
    rings.push_back({field.offset, heads, slots, field.bytes / static_cast<uint64_t>(heads * slots)});
    taken.push_back({field.offset, field.bytes});
    longest = std::max(longest.value_or(0), slots);
  }
  std::sort(taken.begin(), taken.end(), [](const Range &a, const Range &b) { return a.offset < b.offset; });
  uint64_t at = 0;
  for (const Range &range : taken) {
    if (range.offset > at)
      rest.push_back({at, range.offset - at});
    at = std::max(at, range.offset + range.bytes);
  }
  if (at < manifest.stateBytes)
    rest.push_back({at, manifest.stateBytes - at});
}

std::vector<char> StateLayout::saveRest(const char *state) const {
  size_t bytes = 0;
  for (const Range &range : rest)
    bytes += range.bytes;
  std::vector<char> saved;
  saved.reserve(bytes);
  for (const Range &range : rest)
    saved.insert(saved.end(), state + range.offset, state + range.offset + range.bytes);
  return saved;
}

void StateLayout::restoreRest(char *state, const std::vector<char> &saved) const {
  const char *from = saved.data();
  for (const Range &range : rest) {
    std::memcpy(state + range.offset, from, range.bytes);
    from += range.bytes;
  }
}

/// Calls visit(offset in the state, bytes) for runs of slots, at most two for each head of a ring.
template <typename Visit> void StateLayout::visitSlots(int64_t position, int64_t count, Visit visit) const {
  for (const Ring &ring : rings) {
    int64_t total = std::min(count, ring.slots);
    int64_t first = count > ring.slots ? 0 : position % ring.slots;
    int64_t before = std::min(total, ring.slots - first); // the others are at the beginning of the ring
    for (int64_t head = 0; head < ring.heads; ++head) {
      uint64_t begin = ring.offset + static_cast<uint64_t>(head * ring.slots) * ring.slotBytes;
      visit(begin + static_cast<uint64_t>(first) * ring.slotBytes, static_cast<uint64_t>(before) * ring.slotBytes);
      if (total > before)
        visit(begin, static_cast<uint64_t>(total - before) * ring.slotBytes);
    }
  }
}

std::vector<char> StateLayout::saveSlots(const char *state, int64_t position, int64_t count) const {
  size_t bytes = 0;
  visitSlots(position, count, [&](uint64_t, uint64_t size) { bytes += size; });
  std::vector<char> saved;
  saved.reserve(bytes);
  visitSlots(position, count,
             [&](uint64_t offset, uint64_t size) { saved.insert(saved.end(), state + offset, state + offset + size); });
  return saved;
}

void StateLayout::restoreSlots(char *state, int64_t position, int64_t count, const std::vector<char> &saved) const {
  const char *from = saved.data();
  visitSlots(position, count, [&](uint64_t offset, uint64_t size) {
    std::memcpy(state + offset, from, size);
    from += size;
  });
}
