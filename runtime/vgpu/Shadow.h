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
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_VGPU_SHADOW_H
#define RUNTIME_VGPU_SHADOW_H

#include <cstdint>
#include <vector>

namespace samba::vgpu {

/// Who accesses memory: the 32 warps, and the asynchronous proxy.
constexpr unsigned agents = 33, asyncAgent = 32;
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

struct Shadow {
  enum : uint8_t { Valid = 1, Pending = 2, ByAtomic = 4, Object = 8 /* an mbarrier */ }; // bits of `state`
  std::vector<uint8_t> data, state;
  std::vector<uint32_t> writer;              // epoch of the last write: agent << clockBits | clock
  std::vector<std::vector<uint32_t>> reader; // for each warp, its clock at the last read
  std::vector<uint32_t> readers;             // for each 32 bytes, the warps that have read them
  Clock clocks[32];
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
  /// What is wrong with an access: the other warp is `other`.
  enum Problem : uint8_t { None, Unwritten, ReadAfterWrite, WriteAfterRead, WriteAfterWrite };
  Problem read(unsigned warp, uint32_t at, uint32_t bytes, unsigned &other);
  Problem write(unsigned warp, uint32_t at, uint32_t bytes, unsigned &other);
  /// Atomics are ordered among themselves, not against plain accesses.
  Problem atomic(unsigned warp, uint32_t at, uint32_t bytes, unsigned &other);

private:
  Problem unorderedRead(unsigned warp, uint32_t at, uint32_t bytes, unsigned &other) const;
};

} // namespace samba::vgpu

#endif // RUNTIME_VGPU_SHADOW_H
