//===- StateLayout.h - which parts of a state change when ------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_STATELAYOUT_H
#define RUNTIME_STATELAYOUT_H

#include "runtime/Manifest.h"

#include <optional>
#include <vector>

namespace samba::runtime {

/// Pieces of a state of the same size, at the same distance from each other.
struct StatePieces {
  uint64_t offset, bytes, pitch, count;
  uint64_t total() const { return bytes * count; }
};
using StateParts = std::vector<StatePieces>;

/// The parts of a state by how tokens change them: rings of keys and values, of which the token at position p
/// overwrites slot p mod slots of every head, and all the rest, which every token may change anywhere.
class StateLayout {
public:
  explicit StateLayout(const Manifest &manifest);

  /// The longest ring; none if there are no rings.
  std::optional<int64_t> longestRing() const { return longest; }

  /// What is outside of the rings.
  const StateParts &rest() const { return outside; }
  /// The slots that `count` tokens from `position` on overwrite.
  StateParts slots(int64_t position, int64_t count) const;

private:
  struct Ring {
    uint64_t offset;
    int64_t heads, slots;
    uint64_t slotBytes;
  };

  std::vector<Ring> rings;
  StateParts outside;
  std::optional<int64_t> longest;
};

} // namespace samba::runtime

#endif // RUNTIME_STATELAYOUT_H
