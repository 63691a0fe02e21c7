//===- Block.h - a thread block while it runs ------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_VGPU_BLOCK_H
#define RUNTIME_VGPU_BLOCK_H

#include "runtime/vgpu/Program.h"
#include "runtime/vgpu/Shadow.h"

#include <map>
#include <vector>

namespace samba::vgpu {

/// One level of divergence: lanes that run from `pc` until they reach `reconverge`.
struct Path {
  uint32_t pc, reconverge, mask;
};

/// A copy by cp.async that no wait has covered yet.
struct PendingCopy {
  uint32_t lane, group, to, bytes;
  uint8_t data[16];
};

/// Shared memory that an operation reads until it is waited for.
struct AsyncRead {
  uint32_t from, to, line;
  uint64_t operation;
};

/// Bytes of a bulk copy: in shared memory from `shared`, in global memory from `global`.
struct Piece {
  uint32_t shared, bytes;
  uint8_t *global; // null: zeros
};

/// A bulk copy to shared memory whose mbarrier has not been waited for.
struct BulkLoad {
  std::vector<Piece> pieces;
  std::vector<uint8_t> data;
  uint32_t mbarrier, bytes, clock;
};

/// A bulk copy to global memory, or a wgmma: done at a wait of the warp.
struct Deferred {
  const Instruction *instruction;
  uint32_t group;
  uint64_t operation; // number, of its asynchronous reads
  std::vector<Piece> pieces;
  std::vector<uint8_t> data;
  uint64_t a = 0, b = 0; // descriptors of a wgmma
  bool accumulate = true;
};

struct Mbarrier {
  uint32_t expected, pending, phase = 0;
  int64_t bytes = 0; // still to come
  uint32_t epoch;    // of its initialisation
  Clock arriving, completed;
};

struct WarpState : Warp {
  enum State : uint8_t { Ready, AtBarrier, AtMbarrier, Done } state = Ready;
  uint32_t id = 0;
  uint32_t present = 0; // lanes that the block has
  uint32_t exited = 0;
  std::vector<Path> paths;
  uint64_t executed = 0;
  uint32_t barrier = 0; // that it waits for
  bool yield = false;   // let others run after this instruction
  std::vector<Deferred> stores, products;
  uint32_t storeGroup = 0, productGroup = 0;
  bool registersFenced = false; // wgmma.fence came after all writes to the registers of products
  std::vector<uint8_t> storage, local;
  std::vector<PendingCopy> copies;
  uint32_t group[lanes] = {}; // of cp.async: that which is open
};

/// bar.sync N.
struct Barrier {
  uint32_t expected = 0, arrived = 0; // threads
  std::vector<uint32_t> waiting;      // warps
  Clock clock;                        // of those that arrived
  // barrier.red: the registers of waiting warps get the result when the barrier opens.
  struct Result {
    uint32_t warp;
    int32_t to;
    uint8_t mode;
  };
  std::vector<Result> results;
  uint32_t count = 0;
  bool all = true, any = false;
};

/// What a launch shares among its blocks.
struct LaunchContext {
  const Kernel &kernel;
  const Launch &launch;
  Memory &memory;
  const Options &options;
  std::vector<uint8_t> constants; // of the kernel, relocated
  uint64_t threads = 0;           // of a block
  bool counting = true, checking = true;
  bool globalRaces = false;
};

struct Block {
  explicit Block(const LaunchContext &context);
  /// Runs the block with this index to its end.
  void run(uint64_t index);

  const LaunchContext &context;
  const Kernel &kernel;
  uint32_t ctaid[3] = {};
  uint32_t number = 0; // of the block, plus 1
  std::vector<WarpState> warps;
  Shadow shared;
  Barrier barriers[17];                   // the last is that of the cluster
  std::map<uint32_t, Mbarrier> mbarriers; // by address
  std::vector<BulkLoad> loads;
  std::vector<AsyncRead> asyncReads;
  uint64_t operations = 0; // asynchronous ones so far
  Counters counters;
  Allocation *recent = nullptr; // the last allocation that was used
  uint64_t random = 0;
  uint64_t progress = 0; // changes when something happens that others may wait for

  uint32_t nextRandom();
  WarpState &state(Warp &warp) { return static_cast<WarpState &>(warp); }
  /// "40 of 'tile'", for messages.
  std::string sharedName(uint64_t address) const;
  /// Of memory that tracks what was written.
  void checkWritten(Warp &warp, const Instruction &i, unsigned lane, Allocation &allocation, uint64_t offset,
                    uint32_t bytes, bool reads, bool writes);
  /// Whether another block of the launch touches the same bytes, or unordered another warp or lane of this one, one of
  /// them writing. Several lanes may write the same value, if it is known.
  void checkTraces(Warp &warp, const Instruction &i, Accessor by, unsigned lane, Allocation &allocation,
                   uint64_t offset, uint32_t bytes, bool writes, const uint8_t *value);
  void releaseBarrier(uint32_t number);
  /// Ends the reads of an operation.
  void endReads(uint64_t operation);

private:
  void start(uint64_t index);
  void step(WarpState &warp, uint64_t instructions);
  void branch(WarpState &warp, const Instruction &i, uint32_t taken);
  void table(WarpState &warp, const Instruction &i);
  void exit(WarpState &warp, uint32_t mask, const Instruction &i);
  [[noreturn]] void deadlock();
};

/// "lane 5", for messages; "all lanes" for an instruction of the whole warp.
std::string nameOfLane(unsigned lane);

/// How a finding calls two accesses that are not ordered, `before` being ` is not ordered after the write by `: which
/// check it is, and what its message says behind the access.
struct Unordered {
  Unordered(Accessor by, const std::string &before, Accessor other);
  const char *check;
  std::string message;
};

/// Throws Fault for a lane of the warp (the first active one if `lane` is negative).
[[noreturn]] void fault(Warp &warp, const Instruction &i, const char *check, const std::string &message, int lane = -1);

/// Delivers the copies of these lanes, but for the `newer` last groups of each.
void finishCopies(WarpState &warp, uint32_t mask, uint32_t newer);
/// Counts bytes that arrive at an mbarrier, and completes its phase if it can.
void completeBytes(Block &block, Mbarrier &mbarrier, uint32_t bytes);
/// The mbarrier at the address; throws a finding if there is none that the warp may use.
Mbarrier &mbarrierAt(Warp &warp, const Instruction &i, unsigned lane, uint64_t address);
/// Throws a finding unless all 32 lanes are active.
void requireFullWarp(Warp &warp, const Instruction &i);

} // namespace samba::vgpu

#endif // RUNTIME_VGPU_BLOCK_H
