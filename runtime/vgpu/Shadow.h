//===- Shadow.h - shared memory of a block, and what is known of each byte -*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Races are found with vector clocks. Each warp counts the synchronisations it took part in; a barrier makes the clocks
// of its warps equal. An access is ordered after another if its warp knows the other's clock. The clocks go on from
// block to block, so that nothing has to be cleared between them.
//
// Lanes of a warp are not in step either: they are ordered by bar.warp.sync, and by barriers of which all of them are
// part. Of these a warp keeps the last clock up to which its lanes know of each other; accesses after that one belong
// to the lanes that a mask names.
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_VGPU_SHADOW_H
#define RUNTIME_VGPU_SHADOW_H

#include <cstdint>
#include <vector>

namespace samba::vgpu {

/// Who accesses memory: the 32 warps, and the asynchronous proxy.
constexpr unsigned agents = 33, asyncAgent = 32;
/// A lane of a warp, or all of them with one instruction (ldmatrix).
constexpr unsigned everyLane = 32;
struct Accessor {
  unsigned warp, lane;
};
constexpr unsigned clockBits = 26;
constexpr uint32_t clockMask = (1u << clockBits) - 1;

struct Clock {
  uint32_t of[agents] = {};
  uint32_t fenced[agents] = {}; // up to where writes can be seen by the asynchronous proxy
  void join(const Clock &other) {
    for (unsigned w = 0; w < agents; ++w) {
      of[w] = of[w] < other.of[w] ? other.of[w] : of[w];
      fenced[w] = fenced[w] < other.fenced[w] ? other.fenced[w] : fenced[w];
    }
  }
};

/// What the lanes of a warp know of each other.
struct LaneOrder {
  uint32_t all = 0;            // the warp's clock up to which every lane knows what the others did
  std::vector<uint32_t> pairs; // for each lane and other one a later clock, after some lanes have met; empty without
  bool knows(unsigned lane, unsigned other, uint32_t clock) const {
    return clock <= all || lane == other || (lane < 32 && !pairs.empty() && clock <= pairs[lane * 32 + other]);
  }
};

struct Shadow {
  enum : uint8_t { Valid = 1, Pending = 2, ByAtomic = 4, Object = 8 /* an mbarrier */ }; // bits of `state`
  std::vector<uint8_t> data, state;
  std::vector<uint32_t> writer;              // epoch of the last write: agent << clockBits | clock
  std::vector<std::vector<uint32_t>> reader; // for each warp, its clock at the last read
  std::vector<uint32_t> readers;             // for each 32 bytes, the warps that have read them
  std::vector<uint32_t> writerLanes;         // that have made the last write, with the same value; none: all, together
  std::vector<std::vector<uint32_t>> readerLanes; // for each warp, those that have read since all lanes have met
  Clock clocks[32];
  LaneOrder laneOrders[32];
  uint32_t asyncClock = 1; // of the asynchronous proxy
  uint32_t epochOf(unsigned warp) const { return warp << clockBits | clocks[warp].of[warp]; }
  uint32_t start = 1; // clock at the start of the block: older writes are those of other blocks

  void resize(uint32_t bytes, unsigned warps);
  void startBlock(unsigned warps);

  /// Whether all these bytes belong to the program and no copy to them is under way.
  bool plain(uint64_t at, uint32_t bytes) const {
    const uint8_t *from = state.data() + at;
    if (bytes == 4 || bytes == 8 || bytes == 16) {
      constexpr uint32_t mask = 0x01010101u * (Valid | Pending | Object), valid = 0x01010101u * Valid;
      uint32_t wrong = 0, word;
      for (uint32_t k = 0; k < bytes; k += 4) {
        __builtin_memcpy(&word, from + k, 4);
        wrong |= (word & mask) ^ valid;
      }
      return !wrong;
    }
    for (uint32_t k = 0; k < bytes; ++k)
      if ((from[k] & (Valid | Pending | Object)) != Valid)
        return false;
    return true;
  }
  bool ordered(unsigned warp, uint32_t epoch) const {
    return epoch >> clockBits == warp || (epoch & clockMask) <= clocks[warp].of[epoch >> clockBits];
  }
  /// Whether an access of these lanes (none: of all, together) comes before what this accessor does: that of each of
  /// them, or of any, as it does for a value that they all have written.
  enum Which : uint8_t { Each, Any };
  bool ordered(Accessor by, uint32_t epoch, uint32_t lanes, Which which) const;
  /// The same of the last write of a byte, for a read.
  bool ordered(Accessor by, uint32_t at) const { return ordered(by, writer[at], writerLanes[at], Any); }
  /// Who made an access: of several lanes one that it is not ordered after.
  Accessor accessorOf(Accessor by, uint32_t epoch, uint32_t lanes) const;
  Accessor writerOf(Accessor by, uint32_t at) const { return accessorOf(by, writer[at], writerLanes[at]); }
  /// These lanes wait for each other.
  void meet(unsigned warp, uint32_t lanes, uint32_t living);
  /// These lanes learn what all of their warp had done up to a clock.
  void learn(unsigned warp, uint32_t lanes, uint32_t living, uint32_t clock);

  /// What is wrong with an access, and who made the other one.
  enum Problem : uint8_t { None, Unwritten, ReadAfterWrite, WriteAfterRead, WriteAfterWrite };
  Problem read(Accessor by, uint32_t at, uint32_t bytes, Accessor &other);
  /// Lanes may write the same value to the same bytes, if it is known.
  Problem write(Accessor by, uint32_t at, uint32_t bytes, const uint8_t *value, Accessor &other);
  /// Atomics are ordered among themselves, not against plain accesses.
  Problem atomic(Accessor by, uint32_t at, uint32_t bytes, Accessor &other);

private:
  Problem unorderedRead(Accessor by, uint32_t at, uint32_t bytes, Accessor &other) const;
  void forgetKnownReads(Accessor by, uint32_t at, uint32_t bytes);
};

} // namespace samba::vgpu

#endif // RUNTIME_VGPU_SHADOW_H
