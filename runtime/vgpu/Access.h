//===- Access.h - checked access to memory ---------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_VGPU_ACCESS_H
#define RUNTIME_VGPU_ACCESS_H

#include "runtime/vgpu/Block.h"
#include "runtime/vgpu/Decoder.h"

namespace samba::vgpu {

enum class Use : uint8_t { Read, Write, Atomic };

/// Instruction::mode of instructions with an address: the space, and whether the base has 64 bits.
constexpr uint8_t wideBase = 8;
inline ptx::Space spaceOf(const Instruction &i) { return static_cast<ptx::Space>(i.mode & 7); }

/// Base plus offset of every lane.
void addressesOf(Warp &warp, const Instruction &i, uint64_t (&addresses)[lanes]);
/// The space that a generic address lies in; takes the window off the address.
ptx::Space resolve(ptx::Space space, uint64_t &address);

/// What accesses of lanes need that are not for the lane alone.
struct Sharing {
  const uint8_t *value = nullptr; // that will be written, if known
  bool together = false;          // for all lanes of the warp: only messages name the one
};

/// Where a lane's bytes are. Checks bounds, alignment, races and reads before writes.
uint8_t *pointer(Warp &warp, const Instruction &i, unsigned lane, ptx::Space space, uint64_t address, uint32_t bytes,
                 Use use, Sharing sharing = {});
uint8_t *globalPointer(Warp &warp, const Instruction &i, unsigned lane, uint64_t address, uint32_t bytes, Use use,
                       uint32_t alignment, Sharing sharing = {});
uint8_t *sharedPointer(Warp &warp, const Instruction &i, unsigned lane, uint64_t address, uint32_t bytes, Use use,
                       uint32_t alignment, Sharing sharing = {});

/// Where the asynchronous proxy reads on behalf of a lane, or of all: the bytes must be written, known to it, and
/// fenced.
const uint8_t *asyncSource(Warp &warp, const Instruction &i, unsigned lane, uint64_t address, uint32_t bytes);
/// Throws if an asynchronous read of the bytes is under way.
void checkAsyncReads(Warp &warp, const Instruction &i, unsigned lane, uint64_t address, uint32_t bytes);

/// Counts the sectors and wavefronts of a request.
void countGlobal(Block &block, const uint64_t (&addresses)[lanes], uint32_t mask, uint32_t bytes, bool store);
void countShared(Block &block, const uint64_t (&addresses)[lanes], uint32_t mask, uint32_t bytes, bool store);
/// Marks bytes as touched by this launch.
void touch(Allocation &allocation, uint64_t offset, uint64_t bytes, bool store);

/// Decodes the address of an instruction that is about to be emitted.
struct Place {
  Address address;
  uint8_t mode;
};
Place placeOf(Decoder &decoder, const ptx::Operand &operand, ptx::Space space);
/// Takes .global, .shared::cta and the like; Generic without.
ptx::Space takeSpace(Decoder &decoder);
/// Takes cache operators, eviction priorities and hints that change no result.
void takeCacheHints(Decoder &decoder, bool &policy);

} // namespace samba::vgpu

#endif // RUNTIME_VGPU_ACCESS_H
