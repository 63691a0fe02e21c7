//===- Lanes.h - loops over the lanes of a warp ----------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For the Lanes*.cpp files alone. They are compiled once for each instruction set, in a namespace named for it.
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_VGPU_LANES_H
#define RUNTIME_VGPU_LANES_H

#include "runtime/vgpu/Half.h"
#include "runtime/vgpu/Instruction.h"

namespace samba::vgpu::VGPU_LANES {

Handler integerHandler(Op op, ptx::Type type, uint32_t flags);
Handler realHandler(Op op, ptx::Type type, uint32_t flags, Rounding rounding);
Handler halfHandler(Op op, LaneType type, uint32_t flags);
Handler convertHandler(ptx::Type to, ptx::Type from, uint32_t flags, bool integral);
void multiplyReal(const float *a, const float *b, float *c, unsigned rows, unsigned columns, unsigned depth);

namespace {

/// d[lane] = function(lane) for the active lanes. `function` is evaluated for all lanes and must have no effect, so
/// that the loop becomes vector code.
template <typename T, typename F>
inline __attribute__((always_inline)) void eachLane(Warp &warp, int32_t d, F function) {
  T *to = warp.at<T>(d);
  alignas(64) T result[lanes];
  for (unsigned lane = 0; lane < lanes; ++lane)
    result[lane] = function(lane);
  if (warp.active == allLanes) {
    memcpy(to, result, sizeof(result));
    return;
  }
  for (unsigned lane = 0; lane < lanes; ++lane)
    to[lane] = warp.active >> lane & 1 ? result[lane] : to[lane];
}

/// The same one after the other, for functions that are not defined for every value.
template <typename T, typename F> inline void eachActiveLane(Warp &warp, int32_t d, F function) {
  T *to = warp.at<T>(d);
  for (unsigned lane = 0; lane < lanes; ++lane)
    if (warp.active >> lane & 1)
      to[lane] = function(lane);
}

/// The lanes for which `function` is true.
template <typename F> inline __attribute__((always_inline)) uint32_t maskOf(F function) {
  alignas(64) uint32_t bits[lanes];
  for (unsigned lane = 0; lane < lanes; ++lane)
    bits[lane] = function(lane) ? 1u << lane : 0;
  uint32_t mask = 0;
  for (unsigned lane = 0; lane < lanes; ++lane)
    mask |= bits[lane];
  return mask;
}

/// Writes the result of a comparison to d and its opposite to the predicate after it, if there is one.
inline void setPredicates(Warp &warp, const Instruction &i, uint32_t mask) {
  uint32_t opposite = ~mask;
  if (i.c >= 0) {
    uint32_t other = warp.predicate(i.c) ^ (i.flags & CombineNegated ? allLanes : 0);
    if (i.flags & CombineAnd)
      mask &= other, opposite &= other;
    else if (i.flags & CombineOr)
      mask |= other, opposite |= other;
    else if (i.flags & CombineXor)
      mask ^= other, opposite ^= other;
  }
  if (i.d >= 0)
    warp.predicate(i.d) = (warp.predicate(i.d) & ~warp.active) | (mask & warp.active);
  if (int32_t second = i.e; second >= 0)
    warp.predicate(second) = (warp.predicate(second) & ~warp.active) | (opposite & warp.active);
}

} // namespace
} // namespace samba::vgpu::VGPU_LANES

#endif // RUNTIME_VGPU_LANES_H
