//===- StateLayout.cpp - which parts of a state change when --------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/StateLayout.h"

#include <algorithm>
#include <string_view>

using namespace samba::runtime;

static bool endsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

StateLayout::StateLayout(const Manifest &manifest) {
  struct Range {
    uint64_t offset, bytes;
  };
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
  auto leave = [&](uint64_t begin, uint64_t end) {
    if (end > begin)
      outside.push_back({begin, end - begin, end - begin, 1});
  };
  uint64_t at = 0;
  for (const Range &range : taken) {
    leave(at, range.offset);
    at = std::max(at, range.offset + range.bytes);
  }
  leave(at, manifest.stateBytes);
}

StateParts StateLayout::slots(int64_t position, int64_t count) const {
  StateParts parts;
  for (const Ring &ring : rings) {
    int64_t total = std::min(count, ring.slots);
    int64_t first = count > ring.slots ? 0 : position % ring.slots;
    int64_t before = std::min(total, ring.slots - first); // the others are at the beginning of the ring
    uint64_t pitch = static_cast<uint64_t>(ring.slots) * ring.slotBytes, heads = static_cast<uint64_t>(ring.heads);
    parts.push_back({ring.offset + static_cast<uint64_t>(first) * ring.slotBytes,
                     static_cast<uint64_t>(before) * ring.slotBytes, pitch, heads});
    if (total > before)
      parts.push_back({ring.offset, static_cast<uint64_t>(total - before) * ring.slotBytes, pitch, heads});
  }
  return parts;
}
