//===- CheckTest.cpp - each check fires ----------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// For each check a kernel with a planted fault, and where it is not plain elsewhere that the check is silent without
// it.
//
//===----------------------------------------------------------------------===//

#include "test/unit/vgpu/Device.h"

using namespace samba::vgpu;
using namespace samba::vgpu::test;

namespace {

constexpr const char *element = "mul.wide.u32 %rd10, %r0, 4;\nadd.u64 %rd11, %rd0, %rd10;\n";
constexpr const char *tile = ".shared .align 16 .b8 tile[1024];\n";

struct VgpuCheck : testing::Test {
  Device device;
  uint64_t out = 0;
  std::string run(const std::string &body, uint32_t block = 32, const std::string &before = "") {
    device.load(kernel(1, body, before));
    if (!out)
      out = device.buffer(std::vector<uint32_t>(64), "activations");
    return device.finding(1, block, out);
  }
  bool says(const std::string &text) { return device.message.find(text) != std::string::npos; }
};

} // namespace

TEST_F(VgpuCheck, OutOfBoundsNamesBufferAndDistance) {
  EXPECT_EQ(run(std::string(element) + "st.global.u32 [%rd11], %r0;", 64), "");
  EXPECT_EQ(run(std::string(element) + "st.global.u32 [%rd11+132], %r0;", 64), "out-of-bounds");
  EXPECT_TRUE(says("4 bytes past the end of 'activations' (256 bytes)") ||
              says("0 bytes past the end of 'activations'"))
      << device.message;
  EXPECT_TRUE(says("thread (31,0,0)")) << device.message;
  EXPECT_TRUE(says("PTX line ")) << device.message;
  EXPECT_EQ(run("ld.global.u32 %r1, [%rd0+-4];"), "out-of-bounds");
  EXPECT_TRUE(says("4 bytes before 'activations'")) << device.message;
  EXPECT_EQ(run("mov.u64 %rd1, 64; ld.global.u32 %r1, [%rd1];"), "out-of-bounds");
  EXPECT_TRUE(says("at 0x40, ")) << device.message;
}

TEST_F(VgpuCheck, OutOfBoundsOfSharedMemory) {
  EXPECT_EQ(run("mov.u32 %r1, tile; st.shared.u32 [%r1+1020], %r0;", 1, tile), "");
  EXPECT_EQ(run("mov.u32 %r1, tile; st.shared.u32 [%r1+1024], %r0;", 1, tile), "out-of-bounds");
  EXPECT_TRUE(says("0 bytes past the end of 'tile' (1024 bytes)")) << device.message;
  // Two variables do not touch.
  EXPECT_EQ(run("mov.u32 %r1, tile; st.shared.u32 [%r1+1028], %r0; mov.u32 %r2, other; st.shared.u32 [%r2], %r0;", 1,
                std::string(tile) + ".shared .align 4 .b8 other[64];\n"),
            "out-of-bounds");
}

TEST_F(VgpuCheck, OutOfBoundsOfDynamicSharedMemory) {
  device.dynamicShared = 128;
  const char *dynamic = ".extern .shared .align 16 .b8 dynamic[];\n";
  EXPECT_EQ(run("mov.u32 %r1, dynamic; st.shared.u32 [%r1+124], %r0;", 1, dynamic), "");
  EXPECT_EQ(run("mov.u32 %r1, dynamic; st.shared.u32 [%r1+128], %r0;", 1, dynamic), "out-of-bounds");
  EXPECT_TRUE(says("dynamic shared memory")) << device.message;
}

TEST_F(VgpuCheck, OutOfBoundsOfLocalMemory) {
  const char *body = ".local .align 4 .b8 depot[8]; mov.u64 %rd1, depot; st.local.u32 [%rd1+";
  EXPECT_EQ(run(body + std::string("4], %r0;")), "");
  EXPECT_EQ(run(body + std::string("8], %r0;")), "out-of-bounds");
}

TEST_F(VgpuCheck, Misaligned) {
  EXPECT_EQ(run("ld.global.u32 %r1, [%rd0+2];"), "misaligned");
  EXPECT_EQ(run("ld.global.v4.u32 {%r1,%r2,%r3,%r4}, [%rd0+8];"), "misaligned");
  EXPECT_EQ(run("ld.global.v4.u32 {%r1,%r2,%r3,%r4}, [%rd0+16];"), "");
}

TEST_F(VgpuCheck, MisalignedUnderTheWorstPlacement) {
  // 16 bytes of a variable that is declared with an alignment of 4: works only by luck.
  const std::string body = "mov.u32 %r1, tile; st.shared.v4.u32 [%r1], {%r0,%r0,%r0,%r0};";
  EXPECT_EQ(run(body, 1, ".shared .align 4 .b8 tile[64];\n"), "misaligned");
  EXPECT_EQ(run(body, 1, ".shared .align 8 .b8 tile[64];\n"), "misaligned");
  EXPECT_EQ(run(body, 1, ".shared .align 16 .b8 tile[64];\n"), "");
}

TEST_F(VgpuCheck, RaceBetweenWarps) {
  const std::string write = "shl.b32 %r1, %r0, 2; mov.u32 %r2, tile; add.u32 %r3, %r1, %r2; st.shared.u32 [%r3], %r0;";
  const std::string barrier = "bar.sync 0;";
  const std::string read = "xor.b32 %r4, %r1, 128; add.u32 %r4, %r4, %r2; ld.shared.u32 %r5, [%r4];";
  EXPECT_EQ(run(write + barrier + read, 64, tile), "");
  EXPECT_EQ(run(write + read, 32 + 32, tile), "uninitialised"); // the other warp has not even started
  EXPECT_EQ(run(write + barrier + read + write, 64, tile), "race");
  EXPECT_TRUE(says("is not ordered after the ")) << device.message;
  EXPECT_EQ(run(write + barrier + read + barrier + write, 64, tile), "");
  // All write one word.
  EXPECT_EQ(run("mov.u32 %r2, tile; shr.u32 %r1, %r0, 5; st.shared.u32 [%r2], %r1;", 64, tile), "race");
  EXPECT_TRUE(says("after the write by warp 0")) << device.message;
  EXPECT_EQ(run("mov.u32 %r2, tile; st.shared.u32 [%r2], %r0;", 32, tile), "race-of-lanes");
  EXPECT_EQ(run("mov.u32 %r2, tile; st.shared.u32 [%r2], %r0;", 1, tile), "");
  // Written again after the barrier, and read.
  EXPECT_EQ(
      run(write + barrier + "xor.b32 %r1, %r1, 128; add.u32 %r3, %r1, %r2; st.shared.u32 [%r3], %r0;" + read, 64, tile),
      "race");
}

namespace {
// Each lane has a word of its own at %r3; %r4 is that of its neighbour in a pair, %r5 that of the lane 16 further.
constexpr const char *words = "mov.u32 %r2, tile; shl.b32 %r1, %r0, 2; add.u32 %r3, %r1, %r2; xor.b32 %r4, %r1, 4;"
                              "add.u32 %r4, %r4, %r2; xor.b32 %r5, %r1, 64; add.u32 %r5, %r5, %r2;"
                              "mov.u32 %r6, 7; setp.lt.u32 %p1, %r0, 16; setp.eq.u32 %p2, %r0, 0;";
constexpr const char *own = "st.shared.u32 [%r3], %r0;", *near = "ld.shared.u32 %r10, [%r4];",
                     *far = "ld.shared.u32 %r10, [%r5];", *meet = "bar.warp.sync -1;";
} // namespace

TEST_F(VgpuCheck, RaceOfLanes) {
  auto lanes = [&](std::initializer_list<const char *> parts) {
    std::string body = words;
    for (const char *part : parts)
      body += std::string(part) + "\n";
    return run(body, 32, tile);
  };
  // Write, then read.
  EXPECT_EQ(lanes({own, near}), "race-of-lanes");
  EXPECT_TRUE(
      says("shared read of byte 4 of 'tile' by 4 bytes for lane 0 is not ordered after the write by lane 1 of the "
           "same warp, number 0; PTX line "))
      << device.message;
  EXPECT_EQ(lanes({own, meet, near}), "");
  EXPECT_EQ(lanes({own, "bar.sync 0;", near}), "");
  EXPECT_EQ(lanes({own, "ld.shared.u32 %r10, [%r3];"}), "");
  // Shuffles and votes make lanes wait for each other, but say nothing of memory.
  EXPECT_EQ(lanes({own, "shfl.sync.bfly.b32 %r9, %r0, 1, 31, -1;", near}), "race-of-lanes");
  // Read, then write.
  EXPECT_EQ(lanes({own, meet, near, own}), "race-of-lanes");
  EXPECT_TRUE(says("shared write of byte 0 of 'tile' by 4 bytes for lane 0 is not ordered after the read by lane 1"))
      << device.message;
  EXPECT_EQ(lanes({own, meet, near, meet, own}), "");
  EXPECT_EQ(lanes({own, meet, own, "ld.shared.u32 %r10, [%r3];", own}), "");
  // Write, then write: the same value may come from several lanes, and each may read it.
  EXPECT_EQ(lanes({"st.shared.u32 [%r2], %r6;", "ld.shared.u32 %r10, [%r2];"}), "");
  EXPECT_EQ(lanes({"@%p1 st.shared.u32 [%r2], %r6;", "ld.shared.u32 %r10, [%r2];"}), "race-of-lanes");
  EXPECT_EQ(lanes({"st.shared.u32 [%r2], %r6;", "@%p2 st.shared.u32 [%r2], %r0;"}), "race-of-lanes");
  EXPECT_EQ(lanes({"st.shared.u32 [%r2], %r6;", meet, "@%p2 st.shared.u32 [%r2], %r0;"}), "");
  EXPECT_EQ(lanes({"st.shared.u32 [%r2], %r6;", "st.shared.u32 [%r2], %r6;"}), "");
  EXPECT_EQ(lanes({own, "st.shared.u32 [%r4], %r6;"}), "race-of-lanes");
  EXPECT_TRUE(says("for lane 0 is not ordered after the write by lane 1")) << device.message;
  // Paths of a branch are run one after the other here, and in any order elsewhere.
  EXPECT_EQ(lanes({"@%p1 bra $a; st.shared.u32 [%r5], %r0; bra $b; $a: ld.shared.u32 %r10, [%r3]; $b:"}),
            "uninitialised");
  EXPECT_EQ(lanes({own, meet, "@%p1 bra $a; st.shared.u32 [%r5], %r0; bra $b; $a: ld.shared.u32 %r10, [%r3]; $b:"}),
            "race-of-lanes");
}

TEST_F(VgpuCheck, RaceOfLanesThatMeetInParts) {
  auto lanes = [&](std::initializer_list<const char *> parts) {
    std::string body = words;
    for (const char *part : parts)
      body += std::string(part) + "\n";
    return run(body, 32, tile);
  };
  const char *halves = "@%p1 bra $a; bar.warp.sync 0xffff0000; bra $b; $a: bar.warp.sync 0xffff; $b:";
  const char *again = "@%p1 bra $c; bar.warp.sync 0xffff0000; bra $d; $c: bar.warp.sync 0xffff; $d:";
  EXPECT_EQ(lanes({own, halves, near}), "");
  EXPECT_EQ(lanes({own, halves, far}), "race-of-lanes");
  EXPECT_EQ(lanes({own, meet, near, halves, own}), "");
  EXPECT_EQ(lanes({own, meet, far, halves, own}), "race-of-lanes");
  EXPECT_EQ(lanes({own, halves, near, own}), "race-of-lanes"); // met before the read, not after it
  EXPECT_EQ(lanes({own, halves, near, again, own}), "");
  // What a lane knows goes on: from 0 to 15 to all.
  EXPECT_EQ(lanes({own, halves, "bar.warp.sync -1;", far}), "");
}

TEST_F(VgpuCheck, RaceOfLanesWithOperationsOfTheWarp) {
  const std::string rows = "mov.u32 %r2, tile; shl.b32 %r1, %r0, 4; add.u32 %r3, %r1, %r2;"
                           "st.shared.v4.u32 [%r3], {%r0, %r0, %r0, %r0};";
  const std::string matrix = "ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r4, %r5, %r6, %r7}, [%r3];";
  EXPECT_EQ(run(rows + matrix, 32, tile), "race-of-lanes");
  EXPECT_TRUE(says("for all lanes is not ordered after the write by lane 0")) << device.message;
  EXPECT_EQ(run(rows + meet + matrix, 32, tile), "");
  EXPECT_EQ(run(rows + meet + matrix + "st.shared.u32 [%r3], %r0;", 32, tile), "race-of-lanes");
  EXPECT_EQ(run(rows + meet + matrix + meet + "st.shared.u32 [%r3], %r0;", 32, tile), "");
  // cp.async.wait_all is for the lane's own copies.
  const std::string copies = std::string(element) + words +
                             "cp.async.ca.shared.global [%r3], [%rd11], 4;"
                             "cp.async.wait_all;";
  EXPECT_EQ(run(copies + near, 32, tile), "race-of-lanes");
  EXPECT_EQ(run(copies + meet + near, 32, tile), "");
  // Atomics are no races among themselves; their result is known when all have met.
  const std::string atomics = std::string(words) + "@%p2 st.shared.u32 [%r2], %r6; bar.warp.sync -1;"
                                                   "atom.shared.add.u32 %r8, [%r2], 1;";
  EXPECT_EQ(run(atomics + meet + "ld.shared.u32 %r10, [%r2];", 32, tile), "");
  EXPECT_EQ(run(atomics + "ld.shared.u32 %r10, [%r2];", 32, tile), "race-of-lanes");
  EXPECT_EQ(run(std::string(words) + "@!%p1 st.shared.u32 [%r2], %r6; atom.shared.add.u32 %r8, [%r2], 1;", 32, tile),
            "race-of-lanes");
}

TEST_F(VgpuCheck, NeighbouringHalvesAreNoRace) {
  EXPECT_EQ(run("shr.u32 %r1, %r0, 5; shl.b32 %r1, %r1, 1; mov.u32 %r2, tile; add.u32 %r1, %r1, %r2; mov.u16 %h1, 7;"
                "st.shared.u16 [%r1], %h1;",
                64, tile),
            "");
}

TEST_F(VgpuCheck, NamedBarriersOrderTheirWarpsOnly) {
  // Warps 0 and 1 meet at barrier 1; warp 2 reads without it.
  const std::string body = R"(
  mov.u32 %r2, tile;
  shr.u32 %r3, %r0, 5;
  setp.eq.u32 %p1, %r3, 0;
  @%p1 st.shared.u32 [%r2], %r3;
  setp.eq.u32 %p2, %r3, 2;
  @%p2 bra $skip;
  bar.sync 1, 64;
$skip:
  setp.eq.u32 %p3, %r3, READER;
  @%p3 ld.shared.u32 %r4, [%r2];
)";
  auto reader = [&](const char *warp) { return std::string(body).replace(body.find("READER"), 6, warp); };
  EXPECT_EQ(run(reader("1"), 96, tile), "");
  EXPECT_EQ(run(reader("2"), 96, tile), "race");
}

TEST_F(VgpuCheck, UninitialisedSharedMemory) {
  EXPECT_EQ(run("ld.shared.u32 %r1, [tile];", 1, tile), "uninitialised");
  // What another block has written does not count.
  device.load(kernel(1,
                     "mov.u32 %r1, %ctaid.x; setp.eq.u32 %p1, %r1, 0; @%p1 st.shared.u32 [tile], %r1;"
                     "@!%p1 ld.shared.u32 %r2, [tile];",
                     tile));
  device.executor.options().threads = 1;
  EXPECT_EQ(device.finding(2, 1, out), "uninitialised");
  EXPECT_TRUE(says("block (1,0,0)")) << device.message;
}

TEST_F(VgpuCheck, UninitialisedGlobalMemory) {
  uint64_t arena = device.memory.allocate(256, "arena", 256, true);
  device.load(kernel(1, "st.global.u32 [%rd0], %r0; ld.global.u32 %r1, [%rd0];"));
  EXPECT_EQ(device.finding(1, 1, arena), "");
  device.load(kernel(1, "ld.global.u32 %r1, [%rd0+4];"));
  EXPECT_EQ(device.finding(1, 1, arena), "uninitialised");
  EXPECT_TRUE(says("byte 4 of 'arena'")) << device.message;
  device.memory.host(arena + 4, 4);
  EXPECT_EQ(device.finding(1, 1, arena), "");
  device.memory.forget(arena);
  EXPECT_EQ(device.finding(1, 1, arena), "uninitialised");
}

TEST_F(VgpuCheck, DivergentBarrier) {
  EXPECT_EQ(run("setp.lt.u32 %p1, %r0, 16; @%p1 bra $a; bar.sync 0; bra $b; $a: bar.sync 0; $b:", 32),
            "divergent-barrier");
  EXPECT_TRUE(says("16 of the 32 threads")) << device.message;
  EXPECT_EQ(run("setp.lt.u32 %p1, %r0, 16; @%p1 ret; bar.sync 0;", 32), "divergent-barrier");
}

TEST_F(VgpuCheck, BarrierDeadlock) {
  EXPECT_EQ(run("setp.lt.u32 %p1, %r0, 32; @%p1 bra $a; bar.sync 0; $a:", 64), "deadlock");
  EXPECT_TRUE(says("32 of 64 threads have arrived")) << device.message;
  EXPECT_EQ(run("setp.lt.u32 %p1, %r0, 32; @%p1 bra $a; bar.sync 1; bra $b; $a: bar.sync 0; $b:", 64), "deadlock");
}

TEST_F(VgpuCheck, ShuffleMembership) {
  EXPECT_EQ(run("shfl.sync.bfly.b32 %r1, %r0, 1, 31, -1;"), "");
  EXPECT_EQ(run("shfl.sync.bfly.b32 %r1, %r0, 1, 31, 0xfffffffe;"), "membermask");
  EXPECT_EQ(run("setp.lt.u32 %p1, %r0, 16; @%p1 shfl.sync.bfly.b32 %r1, %r0, 1, 31, -1;"), "membermask");
  EXPECT_TRUE(says("lanes 0xffff0000")) << device.message;
  EXPECT_EQ(run("setp.lt.u32 %p1, %r0, 16; @%p1 shfl.sync.bfly.b32 %r1, %r0, 1, 31, 0xffff;"), "");
  EXPECT_EQ(run("setp.lt.u32 %p1, %r0, 16; @%p1 shfl.sync.bfly.b32 %r1, %r0, 16, 31, 0xffff;"), "inactive-lane");
}

TEST_F(VgpuCheck, FullWarp) {
  const std::string matrix =
      "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%f1,%f2,%f3,%f4}, {%r1,%r2}, {%r3}, {%f1,%f2,%f3,%f4};";
  EXPECT_EQ(run(matrix), "");
  EXPECT_EQ(run("setp.lt.u32 %p1, %r0, 31; @%p1 " + matrix), "full-warp");
  EXPECT_EQ(run(matrix, 16), "full-warp");
  EXPECT_EQ(
      run("setp.lt.u32 %p1, %r0, 31; mov.u32 %r1, tile; @%p1 ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r2}, [%r1];",
          32, tile),
      "full-warp");
}

namespace {
// Copies 4 bytes for each thread and reads those of another one.
std::string asynchronous(const std::string &waits, const std::string &read) {
  return std::string(element) +
         "shl.b32 %r1, %r0, 2; mov.u32 %r2, tile; add.u32 %r3, %r1, %r2;"
         "cp.async.ca.shared.global [%r3], [%rd11], 4;" +
         waits + "xor.b32 %r4, %r1, " + read +
         "; add.u32 %r4, %r4, %r2; ld.shared.u32 %r5, [%r4]; st.global.u32 [%rd11], %r5;";
}
} // namespace

TEST_F(VgpuCheck, AsynchronousCopies) {
  EXPECT_EQ(run(asynchronous("cp.async.commit_group; cp.async.wait_group 0;", "0"), 32, tile), "");
  EXPECT_EQ(run(asynchronous("cp.async.wait_all;", "0"), 32, tile), "");
  EXPECT_EQ(run(asynchronous("", "0"), 32, tile), "unwaited");
  EXPECT_EQ(run(asynchronous("cp.async.commit_group;", "0"), 32, tile), "unwaited");
  EXPECT_EQ(run(asynchronous("cp.async.wait_group 0;", "0"), 32, tile), "unwaited"); // not committed
  EXPECT_EQ(run(asynchronous("cp.async.commit_group; cp.async.wait_group 1;", "0"), 32, tile), "unwaited");
  EXPECT_EQ(run(asynchronous("cp.async.commit_group; cp.async.commit_group; cp.async.wait_group 1;", "0"), 32, tile),
            "");
  // Another warp's copies need the barrier too, after the wait.
  EXPECT_EQ(run(asynchronous("cp.async.wait_all; bar.sync 0;", "128"), 64, tile), "");
  EXPECT_EQ(run(asynchronous("bar.sync 0; cp.async.wait_all;", "128"), 64, tile), "unwaited");
  EXPECT_NE(run(asynchronous("cp.async.wait_all;", "128"), 64, tile), "");
}

TEST_F(VgpuCheck, AsynchronousCopyOverUnfinishedReads) {
  const std::string start = std::string(element) +
                            "shl.b32 %r1, %r0, 2; mov.u32 %r2, tile; add.u32 %r3, %r1, %r2;"
                            "st.shared.u32 [%r3], %r0; bar.sync 0; xor.b32 %r4, %r3, 128; ld.shared.u32 %r5, [%r4];";
  const std::string copy = "cp.async.ca.shared.global [%r3], [%rd11], 4; cp.async.wait_all;";
  const std::string aligned = ".shared .align 256 .b8 tile[1024];\n";
  EXPECT_EQ(run(start + "bar.sync 0;" + copy, 64, aligned), "");
  EXPECT_EQ(run(start + copy, 64, aligned), "race");
}

TEST_F(VgpuCheck, UseAfterFree) {
  uint64_t gone = device.buffer(std::vector<uint32_t>(32), "gone");
  device.memory.release(gone);
  device.load(kernel(1, "ld.global.u32 %r1, [%rd0+8];"));
  EXPECT_EQ(device.finding(1, 1, gone), "out-of-bounds");
  EXPECT_TRUE(says("byte 8 of 'gone' (128 bytes), which was freed")) << device.message;
  EXPECT_THROW(device.memory.host(gone, 4), Error);
  EXPECT_THROW(device.memory.release(gone), Error);
}

TEST_F(VgpuCheck, DivisionByZero) {
  EXPECT_EQ(run("add.u32 %r1, %r0, 1; div.u32 %r2, %r0, %r1;"), "");
  EXPECT_EQ(run("div.u32 %r2, %r0, %r0;"), "division-by-zero");
  EXPECT_EQ(run("rem.s32 %r2, %r0, %r0;"), "division-by-zero");
  EXPECT_TRUE(says("thread (0,0,0)")) << device.message;
}

TEST_F(VgpuCheck, Watchdog) {
  device.executor.options().watchdog = 10000;
  EXPECT_EQ(run("$a: bra $a;"), "watchdog");
}

TEST_F(VgpuCheck, WriteToConstants) {
  EXPECT_EQ(run("mov.u64 %rd1, table; st.global.u32 [%rd1], %r0;", 1, ".const .align 4 .u32 table[2] = {1, 2};\n"),
            "read-only");
}

TEST_F(VgpuCheck, Trap) { EXPECT_EQ(run("trap;"), "trap"); }

TEST_F(VgpuCheck, NamesTheSourceLine) {
  EXPECT_EQ(run(".loc 1 37 5\nld.global.u32 %r1, [%rd0+2];", 1, ".file 1 \"/some/where/scan.mlir\"\n"), "misaligned");
  EXPECT_TRUE(says("(scan.mlir:37), block (0,0,0), thread (0,0,0)")) << device.message;
}

TEST_F(VgpuCheck, TheFirstBlockIsReported) {
  device.load(kernel(1, "mov.u32 %r1, %ctaid.x; setp.gt.u32 %p1, %r1, 9; @%p1 ld.global.u32 %r2, [%rd0+2];"));
  out = device.buffer(std::vector<uint32_t>(64));
  for (int threads : {1, 2, 7}) {
    device.executor.options().threads = threads;
    EXPECT_EQ(device.finding(100, 32, out), "misaligned");
    EXPECT_TRUE(says("block (10,0,0)")) << device.message;
  }
}

TEST_F(VgpuCheck, LaunchesAreChecked) {
  device.load(kernel(1, "", "", ".maxntid 64, 1, 1"));
  out = device.buffer(std::vector<uint32_t>(4));
  EXPECT_NO_THROW(device.launch(1, 64, out));
  EXPECT_THROW(device.launch(1, 65, out), Error);
  EXPECT_THROW(device.launch(0, 32, out), Error);
  EXPECT_THROW(device.launch(1, 32, out, out), Error);
  EXPECT_THROW(device.launch(1, 32, uint32_t(0)), Error);
  device.dynamicShared = 300 * 1024;
  EXPECT_THROW(device.launch(1, 32, out), Error);
}

TEST_F(VgpuCheck, RaceOfBlocks) {
  auto launch = [&](const std::string &body) {
    device.load(kernel(
        1, "mov.u32 %r1, %ctaid.x; mul.wide.u32 %rd1, %r1, 2; add.u64 %rd2, %rd0, %rd1; mov.u16 %h1, 7;" + body));
    return device.finding(4, 1, out);
  };
  out = device.buffer(std::vector<uint32_t>(64), "out");
  const std::string own = "st.global.u16 [%rd2], %h1; ld.global.u16 %h2, [%rd2];";
  const std::string same = "st.global.u16 [%rd0], %h1;";
  EXPECT_EQ(launch(same), ""); // not looked for
  device.executor.options().globalRaces = true;
  EXPECT_EQ(launch(own), "");
  EXPECT_EQ(launch(own), ""); // the launch before is forgotten
  EXPECT_EQ(launch(same), "race-of-blocks");
  EXPECT_TRUE(says("byte 0 of 'out', which block number 0 writes")) << device.message;
  EXPECT_EQ(launch("ld.global.u16 %h2, [%rd0];"), "");
  EXPECT_EQ(launch("ld.global.u16 %h2, [%rd0+2];" + own), "race-of-blocks");
  EXPECT_TRUE(says("another block reads")) << device.message;
  EXPECT_EQ(launch("st.global.u16 [%rd2], %h1; ld.global.u16 %h2, [%rd0];"), "race-of-blocks");
  EXPECT_EQ(launch("mov.u32 %r3, 1; atom.global.add.u32 %r2, [%rd0], %r3;"), "");
}

TEST_F(VgpuCheck, RaceOnGlobalMemoryWithinABlock) {
  out = device.buffer(std::vector<uint32_t>(64), "out");
  // Each thread has a word of its own at %rd11; %rd12 is that of the neighbour in a pair, %rd13 that of another warp.
  const std::string places = std::string(element) +
                             "xor.b32 %r1, %r0, 1; mul.wide.u32 %rd12, %r1, 4; add.u64 %rd12, %rd0, %rd12;"
                             "xor.b32 %r1, %r0, 32; mul.wide.u32 %rd13, %r1, 4; add.u64 %rd13, %rd0, %rd13;";
  const std::string own = "st.global.u32 [%rd11], %r0;", near = "ld.global.u32 %r2, [%rd12];",
                    far = "ld.global.u32 %r2, [%rd13];", same = "mov.u32 %r3, 7; st.global.u32 [%rd0], %r3;";
  EXPECT_EQ(run(places + own + near, 32), ""); // not looked for
  device.executor.options().globalRaces = true;
  EXPECT_EQ(run(places + own + "ld.global.u32 %r2, [%rd11];" + own, 32), "");
  EXPECT_EQ(run(places + own + near, 32), "race-of-lanes");
  EXPECT_TRUE(
      says("global read of byte 4 of 'out' for lane 0 is not ordered after the write by lane 1 of the same warp"))
      << device.message;
  EXPECT_EQ(run(places + own + meet + near, 32), "");
  EXPECT_EQ(run(places + near + own, 32), "race-of-lanes");
  EXPECT_EQ(run(places + near + meet + own, 32), "");
  EXPECT_EQ(run(places + "ld.global.u32 %r2, [%rd0];" + meet + own, 32), "");
  EXPECT_EQ(run(places + same, 32), "");
  EXPECT_EQ(run(places + same + "st.global.u32 [%rd0], %r0;", 32), "race-of-lanes");
  EXPECT_EQ(run(places + own + far, 64), "race");
  EXPECT_TRUE(says("global write of byte 128 of 'out' is not ordered after the read by warp 0")) << device.message;
  EXPECT_EQ(run(places + own + "bar.sync 0;" + far, 64), "");
  EXPECT_EQ(run(places + far + own, 64), "race");
  EXPECT_EQ(run(places + far + "bar.sync 0;" + own, 64), "");
}

TEST_F(VgpuCheck, CountsOperations) {
  EXPECT_EQ(run("fma.rn.f32 %f1, %f2, %f3, %f4; add.f32 %f1, %f1, %f2; ex2.approx.ftz.f32 %f1, %f1;"
                "fma.rn.bf16x2 %r1, %r2, %r3, %r4; setp.lt.u32 %p1, %r0, 8; @%p1 ex2.approx.ftz.f32 %f2, %f2;"),
            "");
  const Counters &counters = device.executor.counters().at("k");
  EXPECT_EQ(counters.floatOperations, 32u * (2 + 1 + 4));
  EXPECT_EQ(counters.ex2, 40u);
  std::string json = toJson(device.executor.counters());
  EXPECT_NE(json.find("{\"k\": {\"launches\": 1, \"blocks\": 1, \"warps\": 1"), std::string::npos) << json;
  EXPECT_NE(json.find("\"ex2\": 40"), std::string::npos) << json;
}

// A column of a row-major matrix of 32 floats a row: every lane its own sector, and all in one bank.
TEST_F(VgpuCheck, CountsTransactions) {
  out = device.buffer(std::vector<uint32_t>(1024));
  EXPECT_EQ(run("mul.wide.u32 %rd1, %r0, 128; add.u64 %rd2, %rd0, %rd1; ld.global.u32 %r1, [%rd2];"
                "ld.global.u32 %r1, [%rd0];"
                "mov.u32 %r2, tile; shl.b32 %r3, %r0, 5; add.u32 %r3, %r3, %r2; st.shared.u32 [%r3], %r1;"
                "ld.shared.u32 %r1, [%r3]; bar.warp.sync -1; ld.shared.u32 %r1, [tile];",
                32, tile),
            "");
  const Counters &counters = device.executor.counters().at("k");
  EXPECT_EQ(counters.globalLoads.requests, 2u);
  EXPECT_EQ(counters.globalLoads.bytes, 256u);
  EXPECT_EQ(counters.globalLoads.units, 32u + 1);
  EXPECT_EQ(counters.globalLoads.ideal, 4u + 1);
  EXPECT_EQ(counters.uniqueBytesRead, 32u * 32);
  // Eight words apart: four banks, eight lanes each.
  EXPECT_EQ(counters.sharedStores.units, 8u);
  EXPECT_EQ(counters.sharedStores.ideal, 1u);
  EXPECT_EQ(counters.sharedLoads.units, 8u + 1);
  EXPECT_EQ(counters.sharedLoads.ideal, 2u);
}
