//===- Counters.h - what a kernel did --------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Counts per kernel name, summed over launches. Instructions are those of the PTX, one for each warp that executes it;
// lanes are those that were active.
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_VGPU_COUNTERS_H
#define RUNTIME_VGPU_COUNTERS_H

#include <array>
#include <cstdint>
#include <map>
#include <string>

namespace samba::vgpu {

/// What an instruction is counted as.
enum class Class : uint8_t {
  Integer,
  Float, // 32 bits
  Half,  // f16 and bf16
  Double,
  Special, // ex2, lg2, rcp, rsqrt, sqrt, sin, cos, tanh
  Convert,
  Move, // mov, selp, cvta, predicates
  Control,
  Global,
  Shared,
  Local,
  Constant, // parameters and .const
  Atomic,
  Shuffle, // shfl, vote, match, redux
  Barrier, // barriers, fences, mbarrier
  Async,   // cp.async, bulk copies
  Matrix,  // ldmatrix, stmatrix
  Tensor,  // mma, wmma, wgmma
};
constexpr size_t classes = static_cast<size_t>(Class::Tensor) + 1;
const char *nameOf(Class kind);

/// Transactions against the fewest that could have moved the same bytes.
struct Traffic {
  uint64_t requests = 0; // warp-wide instructions
  uint64_t bytes = 0;    // asked for by lanes
  uint64_t units = 0;    // sectors of 32 bytes, or wavefronts over the 32 banks
  uint64_t ideal = 0;
  void add(const Traffic &other);
};

struct Counters {
  uint64_t launches = 0, blocks = 0, warps = 0;
  std::array<uint64_t, classes> instructions{}, lanes{};
  Traffic globalLoads, globalStores, sharedLoads, sharedStores;
  uint64_t uniqueBytesRead = 0, uniqueBytesWritten = 0; // sectors that a launch touched at least once
  uint64_t ex2 = 0;                                     // lanes
  uint64_t mma = 0, mmaFlops = 0, ldmatrix = 0, stmatrix = 0;
  uint64_t wgmmaFlops = 0;      // of mmaFlops, those of warpgroups
  uint64_t asyncBytes = 0;      // by cp.async and bulk copies
  uint64_t floatOperations = 0; // lanes, an fma is two
  uint64_t sharedBytes = 0;     // of a block, static and dynamic; the largest of the launches

  void add(const Counters &other);
};

/// {"kernel": {"launches": 1, ...}, ...}
std::string toJson(const std::map<std::string, Counters> &counters);

} // namespace samba::vgpu

#endif // RUNTIME_VGPU_COUNTERS_H
