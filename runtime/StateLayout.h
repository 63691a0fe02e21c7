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

/// The parts of a state by how tokens change them: rings of keys and values, of which the token at position p
/// overwrites slot p mod slots of every head, and all the rest, which every token may change anywhere.
///
/// `save` and `restore` of both parts copy to and from plain buffers, so that a state can be brought back.
class StateLayout {
public:
  explicit StateLayout(const Manifest &manifest);

  /// The longest ring; none if there are no rings.
  std::optional<int64_t> longestRing() const { return longest; }

  /// What is outside of the rings.
  std::vector<char> saveRest(const char *state) const;
  void restoreRest(char *state, const std::vector<char> &saved) const;
  /// The slots that `count` tokens from `position` on overwrite.
  std::vector<char> saveSlots(const char *state, int64_t position, int64_t count) const;
  void restoreSlots(char *state, int64_t position, int64_t count, const std::vector<char> &saved) const;

private:
  struct Ring {
    uint64_t offset;
    int64_t heads, slots;
    uint64_t slotBytes;
  };
  struct Range {
    uint64_t offset, bytes;
  };
  template <typename Visit> void visitSlots(int64_t position, int64_t count, Visit visit) const;

  std::vector<Ring> rings;
  std::vector<Range> rest;
  std::optional<int64_t> longest;
};

} // namespace samba::runtime

#endif // RUNTIME_STATELAYOUT_H
