//===- ExecutionTest.cpp - kernels that should just run ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/unit/vgpu/Device.h"

#include <numeric>

using namespace samba::vgpu;
using namespace samba::vgpu::test;

TEST(VgpuExecution, AddsVectors) {
  const char *ptx = R"(
.version 8.0
.target sm_80
.address_size 64
.visible .entry add(.param .u64 a, .param .u64 b, .param .u32 n) {
  .reg .pred %p<2>; .reg .b32 %r<6>; .reg .f32 %f<4>; .reg .b64 %rd<8>;
  ld.param.u64 %rd1, [a];
  ld.param.u64 %rd2, [b];
  ld.param.u32 %r1, [n];
  mov.u32 %r2, %ctaid.x;
  mov.u32 %r3, %ntid.x;
  mov.u32 %r4, %tid.x;
  mad.lo.s32 %r5, %r2, %r3, %r4;
  setp.ge.s32 %p1, %r5, %r1;
  @%p1 bra $done;
  cvta.to.global.u64 %rd3, %rd1;
  cvta.to.global.u64 %rd4, %rd2;
  mul.wide.s32 %rd5, %r5, 4;
  add.s64 %rd6, %rd3, %rd5;
  add.s64 %rd7, %rd4, %rd5;
  ld.global.f32 %f1, [%rd6];
  ld.global.f32 %f2, [%rd7];
  add.f32 %f3, %f1, %f2;
  st.global.f32 [%rd7], %f3;
$done:
  ret;
}
)";
  for (int threads : {1, 4}) {
    Options options;
    options.threads = threads;
    Device device(options);
    device.load(ptx);
    std::vector<float> a(1000), b(1000);
    std::iota(a.begin(), a.end(), 1.0f);
    std::iota(b.begin(), b.end(), 0.5f);
    uint64_t first = device.buffer(a, "a"), second = device.buffer(b, "b");
    device.launch(8, 128, first, second, int32_t(1000));
    std::vector<float> sum = device.read<float>(second, 1000);
    for (size_t k = 0; k < sum.size(); ++k)
      ASSERT_EQ(sum[k], a[k] + b[k]);
    const Counters &counters = device.executor.counters().at("add");
    EXPECT_EQ(counters.launches, 1u);
    EXPECT_EQ(counters.blocks, 8u);
    EXPECT_EQ(counters.warps, 32u);
    EXPECT_EQ(counters.globalLoads.bytes, 2 * 4000u);
    EXPECT_EQ(counters.globalLoads.units, counters.globalLoads.ideal);
    EXPECT_EQ(counters.uniqueBytesRead, 2 * 4000u);
    EXPECT_EQ(counters.uniqueBytesWritten, 4000u);
  }
}

TEST(VgpuExecution, DivergesAndMeetsAgain) {
  // Each lane counts down from its own number; then all shuffle together.
  Device device;
  device.load(kernel(1, R"(
  mov.u32 %r1, %r0;
  mov.u32 %r2, 0;
$loop:
  setp.eq.u32 %p1, %r1, 0;
  @%p1 bra $out;
  and.b32 %r3, %r1, 1;
  setp.eq.u32 %p2, %r3, 0;
  @%p2 bra $even;
  add.u32 %r2, %r2, 100;
  bra.uni $next;
$even:
  add.u32 %r2, %r2, 1;
$next:
  sub.u32 %r1, %r1, 1;
  bra.uni $loop;
$out:
  shfl.sync.idx.b32 %r4, %r2, 31, 31, -1;
  add.u32 %r2, %r2, %r4;
  mul.wide.u32 %rd1, %r0, 4;
  add.u64 %rd1, %rd0, %rd1;
  st.global.u32 [%rd1], %r2;
)"));
  uint64_t out = device.buffer(std::vector<uint32_t>(32));
  device.launch(1, 32, out);
  std::vector<uint32_t> values = device.read<uint32_t>(out, 32);
  auto expected = [](uint32_t n) { return (n + 1) / 2 * 100 + n / 2; };
  for (uint32_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(values[lane], expected(lane) + expected(31));
}

TEST(VgpuExecution, JumpsThroughATable) {
  Device device;
  device.load(kernel(1, R"(
  and.b32 %r1, %r0, 3;
  mov.u32 %r2, 0;
$table: .branchtargets $a, $b, $c, $b;
  brx.idx %r1, $table;
$a:
  mov.u32 %r2, 10;
  bra $end;
$b:
  mov.u32 %r2, 20;
  bra $end;
$c:
  mov.u32 %r2, 30;
$end:
  mul.wide.u32 %rd1, %r0, 4;
  add.u64 %rd1, %rd0, %rd1;
  st.global.u32 [%rd1], %r2;
)"));
  uint64_t out = device.buffer(std::vector<uint32_t>(32));
  device.launch(1, 32, out);
  std::vector<uint32_t> values = device.read<uint32_t>(out, 32);
  const uint32_t expected[] = {10, 20, 30, 20};
  for (uint32_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(values[lane], expected[lane % 4]);
}

// Reverses a block through shared memory.
static std::string reversal(bool barrier) {
  return kernel(1,
                R"(
  mul.wide.u32 %rd1, %r0, 4;
  add.u64 %rd2, %rd0, %rd1;
  ld.global.u32 %r1, [%rd2];
  mov.u32 %r3, tile;
  mad.lo.u32 %r4, %r0, 4, %r3;
  st.shared.u32 [%r4], %r1;
)" + std::string(barrier ? "bar.sync 0;" : "") +
                    R"(
  mov.u32 %r5, %ntid.x;
  sub.u32 %r5, %r5, %r0;
  mad.lo.u32 %r6, %r5, 4, %r3;
  ld.shared.u32 %r7, [%r6+-4];
  st.global.u32 [%rd2], %r7;
)",
                ".shared .align 4 .b8 tile[1024];\n");
}

TEST(VgpuExecution, SharesMemoryBetweenWarps) {
  for (uint64_t seed : {0, 1, 2, 3}) {
    Options options;
    options.seed = seed;
    Device device(options);
    device.load(reversal(true));
    std::vector<uint32_t> values(256);
    std::iota(values.begin(), values.end(), 0);
    uint64_t buffer = device.buffer(values);
    device.launch(1, 256, buffer);
    std::vector<uint32_t> result = device.read<uint32_t>(buffer, 256);
    for (uint32_t k = 0; k < 256; ++k)
      EXPECT_EQ(result[k], 255 - k);
    EXPECT_EQ(device.executor.counters().at("k").sharedLoads.units, 8u);
  }
}

TEST(VgpuExecution, CallsFunctions) {
  Device device;
  device.load(R"(
.version 8.0
.target sm_80
.address_size 64
.const .align 4 .f32 table[4] = {0f3F800000, 0f40000000, 0f40400000, 4.0};
.global .align 8 .u64 pointer = generic(table);
.func (.param .b32 result) scale(.param .b32 x, .param .b64 where) {
  .reg .f32 %f<4>; .reg .b64 %rd<2>; .reg .pred %p<2>;
  ld.param.f32 %f1, [x];
  ld.param.b64 %rd1, [where];
  setp.lt.f32 %p1, %f1, 0f00000000;
  st.param.f32 [result], 0fBF800000;
  @%p1 ret;
  ld.f32 %f2, [%rd1];
  mul.f32 %f3, %f1, %f2;
  st.param.f32 [result], %f3;
  ret;
}
.visible .entry k(.param .u64 out) {
  .reg .f32 %f<4>; .reg .b64 %rd<6>; .reg .b32 %r<4>;
  ld.param.u64 %rd1, [out];
  mov.u32 %r1, %tid.x;
  sub.s32 %r2, %r1, 1;
  cvt.rn.f32.s32 %f1, %r2;
  ld.global.u64 %rd2, [pointer];
  {
    .param .b32 param0;
    .param .b64 param1;
    .param .b32 retval0;
    st.param.f32 [param0], %f1;
    st.param.b64 [param1], %rd2;
    call.uni (retval0), scale, (param0, param1);
    ld.param.f32 %f2, [retval0];
  }
  ld.const.f32 %f3, [table+8];
  add.f32 %f2, %f2, %f3;
  mul.wide.u32 %rd3, %r1, 4;
  add.u64 %rd4, %rd1, %rd3;
  st.global.f32 [%rd4], %f2;
  ret;
}
)");
  uint64_t out = device.buffer(std::vector<float>(32));
  device.launch(1, 32, out);
  std::vector<float> values = device.read<float>(out, 32);
  for (int lane = 0; lane < 32; ++lane)
    EXPECT_EQ(values[lane], (lane == 0 ? -1.0f : float(lane - 1)) + 3.0f);
}

TEST(VgpuExecution, AddsAtomicallyInOrder) {
  for (int threads : {1, 3}) {
    Options options;
    options.threads = threads;
    Device device(options);
    device.load(kernel(1, R"(
  mov.u32 %r1, %ctaid.x;
  add.u32 %r2, %r1, 1;
  cvt.rn.f32.u32 %f1, %r2;
  rcp.rn.f32 %f1, %f1;
  atom.global.add.f32 %f2, [%rd0], %f1;
)"));
    uint64_t out = device.buffer(std::vector<float>(1));
    device.launch(100, 32, out);
    float expected = 0;
    for (int block = 0; block < 100; ++block)
      for (int lane = 0; lane < 32; ++lane)
        expected += 1.0f / float(block + 1);
    EXPECT_EQ(device.read<float>(out, 1)[0], expected);
  }
}

TEST(VgpuExecution, KeepsLocalMemoryPerThread) {
  Device device;
  device.load(kernel(1, R"(
  .local .align 8 .b8 depot[32];
  mov.u64 %rd1, depot;
  cvta.local.u64 %rd2, %rd1;
  and.b32 %r1, %r0, 7;
  mul.wide.u32 %rd3, %r1, 4;
  add.u64 %rd4, %rd2, %rd3;
  st.u32 [%rd4], %r0;
  add.u64 %rd5, %rd1, %rd3;
  ld.local.u32 %r2, [%rd5];
  mul.wide.u32 %rd6, %r0, 4;
  add.u64 %rd6, %rd0, %rd6;
  st.global.u32 [%rd6], %r2;
)"));
  uint64_t out = device.buffer(std::vector<uint32_t>(32));
  device.launch(1, 32, out);
  std::vector<uint32_t> values = device.read<uint32_t>(out, 32);
  for (uint32_t lane = 0; lane < 32; ++lane)
    EXPECT_EQ(values[lane], lane);
}
