//===- HopperTest.cpp - mbarrier, bulk copies and wgmma ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/TensorMap.h"
#include "test/unit/vgpu/Device.h"

#include <cmath>
#include <random>

using namespace samba::vgpu;
using namespace samba::vgpu::test;

namespace {

struct VgpuHopper : testing::Test {
  VgpuHopper() : device(options()) {}
  static Options options(uint64_t seed = 0) {
    Options options;
    options.arch = 90;
    options.seed = seed;
    return options;
  }
  static constexpr const char *shared =
      ".shared .align 1024 .b8 tile[16384];\n.shared .align 1024 .b8 other[16384];\n.shared .align 8 .b64 bar[2];\n";
  std::string run(const std::string &body, uint32_t block, std::vector<uint64_t> arguments) {
    device.load(kernel(static_cast<unsigned>(arguments.size()), body, shared));
    switch (arguments.size()) {
    case 1:
      return device.finding(1, block, arguments[0]);
    case 2:
      return device.finding(1, block, arguments[0], arguments[1]);
    default:
      return device.finding(1, block, arguments[0], arguments[1], arguments[2]);
    }
  }
  Device device;
};

uint32_t floatBits(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return bits;
}

// One thread initialises, all wait in the end.
std::string pipeline(const std::string &produce, const std::string &wait, const std::string &count = "1") {
  return "setp.eq.u32 %p1, %r0, 0; mov.u32 %r1, tile; mov.u32 %r2, bar;\n"
         "@%p1 mbarrier.init.shared.b64 [%r2], " +
         count + ";\nfence.proxy.async.shared::cta;\nbar.sync 0;\n" + produce + wait +
         "shl.b32 %r4, %r0, 2; add.u32 %r4, %r4, %r1; ld.shared.u32 %r5, [%r4];\n"
         "mul.wide.u32 %rd10, %r0, 4; add.u64 %rd11, %rd1, %rd10; st.global.u32 [%rd11], %r5;\n";
}
const std::string waitFor0 = "$w: mbarrier.try_wait.parity.shared.b64 %p2, [%r2], 0; @!%p2 bra $w;\n";
const std::string load =
    "@%p1 mbarrier.arrive.expect_tx.shared.b64 _, [%r2], 256;\n@%p1 cp.async.bulk.shared::cluster.global."
    "mbarrier::complete_tx::bytes [%r1], [%rd0], 256, [%r2];\n";

} // namespace

TEST_F(VgpuHopper, MbarrierOrdersWarps) {
  // Warp 0 writes, the others wait for its arrival.
  const std::string write = "setp.lt.u32 %p3, %r0, 32; shl.b32 %r6, %r0, 2; add.u32 %r6, %r6, %r1;\n"
                            "@%p3 st.shared.u32 [%r6], %r0; @%p3 st.shared.u32 [%r6+128], %r0;\n";
  const std::string arrive = "@%p3 mbarrier.arrive.shared.b64 %rd20, [%r2];\n";
  std::vector<uint64_t> buffers{device.buffer(std::vector<uint32_t>(64)), device.buffer(std::vector<uint32_t>(64))};
  for (uint64_t seed : {0, 1, 2, 3}) {
    device.executor.options().seed = seed;
    EXPECT_EQ(run(pipeline(write + arrive, waitFor0, "32"), 64, buffers), "") << device.message;
    EXPECT_EQ(device.read<uint32_t>(buffers[1], 64)[40], 8u);
    EXPECT_NE(run(pipeline(write + arrive, "", "32"), 64, buffers), "");
    EXPECT_EQ(run(pipeline(write + arrive, waitFor0, "33"), 64, buffers), "deadlock");
    EXPECT_EQ(run(pipeline(write, waitFor0, "32"), 64, buffers), "deadlock");
  }
}

TEST_F(VgpuHopper, MbarrierMisuse) {
  std::vector<uint64_t> buffers{device.buffer(std::vector<uint32_t>(64)), device.buffer(std::vector<uint32_t>(64))};
  EXPECT_EQ(run("mov.u32 %r2, bar; mbarrier.arrive.shared.b64 %rd20, [%r2];", 1, buffers), "mbarrier");
  EXPECT_EQ(run("mov.u32 %r2, bar; mbarrier.init.shared.b64 [%r2], 1; ld.shared.u32 %r3, [%r2];", 1, buffers),
            "mbarrier");
  EXPECT_EQ(run("mov.u32 %r2, bar; mbarrier.init.shared.b64 [%r2], 0;", 1, buffers), "mbarrier");
  EXPECT_EQ(run("mov.u32 %r2, bar; mbarrier.init.shared.b64 [%r2], 1; mbarrier.init.shared.b64 [%r2], 1;", 1, buffers),
            "mbarrier");
  EXPECT_EQ(run("mov.u32 %r2, bar; mbarrier.init.shared.b64 [%r2], 1; mbarrier.arrive.shared.b64 %rd20, [%r2], 2;", 1,
                buffers),
            "mbarrier");
  // Another warp, and another lane, use it without a barrier after the initialisation.
  const std::string init = "mov.u32 %r2, bar; setp.eq.u32 %p1, %r0, 0; @%p1 mbarrier.init.shared.b64 [%r2], 64;";
  EXPECT_EQ(run(init + "bar.warp.sync -1; mbarrier.arrive.shared.b64 %rd20, [%r2];", 64, buffers), "race");
  EXPECT_EQ(run(init + "mbarrier.arrive.shared.b64 %rd20, [%r2];", 32, buffers), "race-of-lanes");
  EXPECT_EQ(run(init + "bar.warp.sync -1; mbarrier.arrive.shared.b64 %rd20, [%r2];", 32, buffers), "");
}

// What an mbarrier that all lanes wait for has seen orders the lanes too.
TEST_F(VgpuHopper, MbarrierOrdersLanes) {
  std::vector<uint64_t> buffers{device.buffer(std::vector<uint32_t>(64))};
  const std::string write = "mov.u32 %r2, bar; mov.u32 %r3, tile; shl.b32 %r4, %r0, 2; xor.b32 %r5, %r4, 4;"
                            "add.u32 %r4, %r4, %r3; add.u32 %r5, %r5, %r3; setp.eq.u32 %p1, %r0, 0;"
                            "@%p1 mbarrier.init.shared.b64 [%r2], 32; bar.warp.sync -1; st.shared.u32 [%r4], %r0;"
                            "mbarrier.arrive.shared.b64 %rd20, [%r2];";
  const std::string read = "ld.shared.u32 %r6, [%r5];";
  EXPECT_EQ(run(write + "$w: mbarrier.try_wait.parity.shared.b64 %p2, [%r2], 0; @!%p2 bra $w;" + read, 32, buffers),
            "");
  EXPECT_EQ(run(write + read, 32, buffers), "race-of-lanes");
}

TEST_F(VgpuHopper, BulkLoad) {
  std::vector<uint32_t> values(64);
  for (uint32_t k = 0; k < 64; ++k)
    values[k] = k * k;
  std::vector<uint64_t> buffers{device.buffer(values), device.buffer(std::vector<uint32_t>(64))};
  for (uint64_t seed : {0, 1, 2}) {
    device.executor.options().seed = seed;
    EXPECT_EQ(run(pipeline(load, waitFor0), 64, buffers), "") << device.message;
    EXPECT_EQ(device.read<uint32_t>(buffers[1], 64), values);
    EXPECT_EQ(run(pipeline(load, ""), 32, buffers), "unwaited");
    EXPECT_NE(run(pipeline(load, ""), 64, buffers), ""); // or the other warp was there before the copy
    EXPECT_EQ(run(pipeline(load, "bar.sync 0;"), 64, buffers), "unwaited");
    // Only one warp waits: the other has no right to the data, with or without it.
    EXPECT_NE(run(pipeline(load, "setp.gt.u32 %p4, %r0, 31; @%p4 bra $past;" + waitFor0 + "$past:"), 64, buffers), "");
    std::string more = load;
    more.replace(more.find("256;"), 4, "272;"); // more bytes are expected than come
    EXPECT_EQ(run(pipeline(more, waitFor0), 64, buffers), "deadlock");
    std::string unfenced = pipeline(load, waitFor0);
    unfenced.replace(unfenced.find("fence.proxy.async.shared::cta;"), 30, "");
    EXPECT_EQ(run(unfenced, 64, buffers), "fence");
    std::string parity = waitFor0;
    parity.replace(parity.find(", 0;"), 4, ", 1;");
    EXPECT_EQ(run(pipeline(load, parity), 32, buffers), "unwaited");
  }
  EXPECT_EQ(device.executor.counters().at("k").asyncBytes % 256, 0u);
}

TEST_F(VgpuHopper, BulkStore) {
  const std::string body = "mov.u32 %r1, tile; shl.b32 %r4, %r0, 2; add.u32 %r4, %r4, %r1; st.shared.u32 [%r4], %r0;\n"
                           "FENCE bar.sync 0; setp.eq.u32 %p1, %r0, 0;\n"
                           "@%p1 cp.async.bulk.global.shared::cta.bulk_group [%rd0], [%r1], 256;\n"
                           "@%p1 cp.async.bulk.commit_group;\nWAIT\nbar.sync 0; AGAIN\n";
  auto with = [&](const std::string &fence, const std::string &wait, const std::string &again = "") {
    std::string text = body;
    text.replace(text.find("FENCE"), 5, fence);
    text.replace(text.find("WAIT"), 4, wait);
    text.replace(text.find("AGAIN"), 5, again);
    return text;
  };
  const std::string fence = "fence.proxy.async.shared::cta;", wait = "@%p1 cp.async.bulk.wait_group.read 0;";
  std::vector<uint64_t> buffers{device.buffer(std::vector<uint32_t>(64))};
  EXPECT_EQ(run(with(fence, wait), 64, buffers), "") << device.message;
  EXPECT_EQ(device.read<uint32_t>(buffers[0], 64)[63], 63u);
  EXPECT_EQ(run(with("", wait), 64, buffers), "fence");
  EXPECT_EQ(run(with(fence, ""), 64, buffers), "unwaited");
  EXPECT_EQ(run(with(fence, wait, "st.shared.u32 [%r4], %r0;"), 64, buffers), "");
  EXPECT_EQ(run(with(fence, "", "st.shared.u32 [%r4], %r0;" + wait), 64, buffers), "unwaited");
}

namespace {

TensorMap mapOf(uint64_t address, uint64_t columns, uint64_t rows, uint16_t boxColumns, uint16_t boxRows,
                uint8_t swizzle) {
  TensorMap map;
  map.elementBytes = 2;
  map.rank = 2;
  map.swizzle = swizzle;
  map.address = address;
  map.sizes[0] = columns;
  map.sizes[1] = rows;
  map.strides[0] = columns * 2;
  map.box[0] = boxColumns;
  map.box[1] = boxRows;
  return map;
}

std::string loadBox(const std::string &tile, const std::string &map, int x, int y) {
  return "@%p1 cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [" + tile + "], [" + map +
         ", {" + std::to_string(x) + ", " + std::to_string(y) + "}], [%r2];\n";
}

} // namespace

TEST_F(VgpuHopper, TensorLoad) {
  std::vector<uint16_t> values(40 * 24);
  for (size_t k = 0; k < values.size(); ++k)
    values[k] = uint16_t(k + 1);
  uint64_t matrix = device.buffer(values, "matrix");
  for (uint8_t swizzle : {0, 32, 64, 128}) {
    // A box of 16 x 8 elements that hangs over the right and the lower edge, and over the left.
    for (auto [x, y] : {std::pair(8, 8), std::pair(32, 20), std::pair(-8, 0)}) {
      std::vector<TensorMap> map{mapOf(matrix, 40, 24, 16, 8, swizzle)};
      std::vector<uint64_t> buffers{device.buffer(map, "map"), device.buffer(std::vector<uint32_t>(64))};
      std::string produce = "@%p1 mbarrier.arrive.expect_tx.shared.b64 _, [%r2], 256;\n" + loadBox("%r1", "%rd0", x, y);
      ASSERT_EQ(run(pipeline(produce, waitFor0), 64, buffers), "") << device.message;
      std::vector<uint16_t> result = device.read<uint16_t>(buffers[1], 128);
      for (int row = 0; row < 8; ++row)
        for (int column = 0; column < 16; ++column) {
          uint32_t at = swizzled(uint32_t(row * 32 + column * 2), swizzle);
          int r = y + row, c = x + column;
          uint16_t expected = r < 24 && c >= 0 && c < 40 ? values[r * 40 + c] : 0;
          ASSERT_EQ(result[at / 2], expected) << int(swizzle) << " " << row << " " << column;
        }
    }
  }
}

TEST_F(VgpuHopper, TensorMapsAreChecked) {
  uint64_t matrix = device.buffer(std::vector<uint16_t>(4096), "matrix");
  auto problem = [&](auto change) {
    std::vector<TensorMap> map{mapOf(matrix, 64, 64, 16, 8, 0)};
    change(map[0]);
    std::vector<uint64_t> buffers{device.buffer(map, "map"), device.buffer(std::vector<uint32_t>(64))};
    return run(
        pipeline("@%p1 mbarrier.arrive.expect_tx.shared.b64 _, [%r2], 256;\n" + loadBox("%r1", "%rd0", 0, 0), waitFor0),
        64, buffers);
  };
  EXPECT_EQ(problem([](TensorMap &) {}), "");
  EXPECT_EQ(problem([](TensorMap &map) { map.magic = 0; }), "tensor-map");
  EXPECT_EQ(problem([](TensorMap &map) {
              map.rank = 3;
              map.box[2] = 1;
              map.sizes[2] = 1;
              map.strides[1] = 16;
            }),
            "tensor-map");
  EXPECT_EQ(problem([](TensorMap &map) { map.box[0] = 12; }), "tensor-map");
  EXPECT_EQ(problem([](TensorMap &map) {
              map.sizes[1] = 65;
              map.box[1] = 65;
            }),
            "out-of-bounds"); // the tensor is larger than the buffer
  EXPECT_EQ(problem([](TensorMap &map) { map.address += 16384; }), "out-of-bounds");
}

// C[64][N] = A[64][64] * B[N][64]^T through tensor maps with a swizzle of 128 bytes, four products of depth 16.
TEST_F(VgpuHopper, Wgmma) {
  constexpr unsigned N = 32;
  std::mt19937 random(5);
  std::vector<float> a(64 * 64), b(N * 64);
  std::vector<uint16_t> bitsA, bitsB;
  for (float &x : a)
    x = float(int(random() % 33) - 16) / 4, bitsA.push_back(uint16_t(floatBits(x) >> 16));
  for (float &x : b)
    x = float(int(random() % 33) - 16) / 4, bitsB.push_back(uint16_t(floatBits(x) >> 16));
  std::vector<TensorMap> maps{mapOf(device.buffer(bitsA, "a"), 64, 64, 64, 64, 128),
                              mapOf(device.buffer(bitsB, "b"), 64, N, 64, N, 128)};
  std::vector<uint64_t> buffers{device.buffer(maps, "maps"), device.buffer(std::vector<float>(64 * N), "c")};
  auto body = [&](const std::string &wait, const std::string &fence, const std::string &arrival) {
    std::string text =
        "setp.eq.u32 %p1, %r0, 0; mov.u32 %r1, tile; mov.u32 %r2, bar; mov.u32 %r3, other;\n"
        "@%p1 mbarrier.init.shared.b64 [%r2], 1;\n@%p1 fence.mbarrier_init.release.cluster;\nbar.sync 0;\n"
        "@%p1 mbarrier.arrive.expect_tx.shared.b64 _, [%r2], " +
        std::to_string(8192 + N * 128) + ";\n" + loadBox("%r1", "%rd0", 0, 0) + loadBox("%r3", "%rd0+128", 0, 0) +
        arrival + fence;
    // Descriptors: start / 16, leading offset 1, stride 1024 / 16, swizzle mode 1.
    auto descriptor = [&](const std::string &to, const std::string &from) {
      text += "cvt.u64.u32 " + to + ", " + from + "; shr.u64 " + to + ", " + to + ", 4; or.b64 " + to + ", " + to +
              ", 0x4000004000010000;\n";
    };
    descriptor("%rd20", "%r1");
    descriptor("%rd21", "%r3");
    std::string sums = "{";
    for (unsigned k = 0; k < N / 2; ++k) {
      text += "mov.f32 %f" + std::to_string(k) + ", 0f41200000;\n"; // 10, which the first product does not add to
      sums += (k ? ", %f" : "%f") + std::to_string(k);
    }
    text += "wgmma.fence.sync.aligned;\n";
    for (unsigned k = 0; k < 4; ++k)
      text += "setp.ne.u32 %p4, " + std::to_string(k) + ", 0;\nwgmma.mma_async.sync.aligned.m64n" + std::to_string(N) +
              "k16.f32.bf16.bf16 " + sums +
              "}, %rd20, %rd21, %p4, 1, 1, 0, 0;\n"
              "add.u64 %rd20, %rd20, 2; add.u64 %rd21, %rd21, 2;\n";
    text += "wgmma.commit_group.sync.aligned;\n" + wait;
    // Row of this lane, then its two columns of each group of eight.
    text += "shr.u32 %r10, %r0, 5; shl.b32 %r10, %r10, 4; and.b32 %r11, %r0, 31; shr.u32 %r12, %r11, 2;"
            "add.u32 %r10, %r10, %r12; and.b32 %r13, %r11, 3; shl.b32 %r13, %r13, 3;"
            "mad.lo.u32 %r14, %r10, " +
            std::to_string(N * 4) + ", %r13; cvt.u64.u32 %rd22, %r14; add.u64 %rd22, %rd1, %rd22;\n";
    for (unsigned k = 0; k < N / 2; ++k)
      text += "st.global.f32 [%rd22+" + std::to_string(k / 4 * 32 + (k / 2 % 2) * 8 * N * 4 + k % 2 * 4) + "], %f" +
              std::to_string(k) + ";\n";
    return text;
  };
  const std::string wait = "wgmma.wait_group.sync.aligned 0;\n";
  auto correct = [&] {
    std::vector<float> c = device.read<float>(buffers[1], 64 * N);
    for (unsigned i = 0; i < 64; ++i)
      for (unsigned j = 0; j < N; ++j) {
        float sum = 0;
        for (unsigned k = 0; k < 64; ++k)
          sum += a[i * 64 + k] * b[j * 64 + k];
        if (c[i * N + j] != sum)
          return false;
      }
    return true;
  };
  for (uint64_t seed : {0, 1, 2}) {
    device.executor.options().seed = seed;
    ASSERT_EQ(run(body(wait, "", waitFor0), 128, buffers), "") << device.message;
    EXPECT_TRUE(correct());
  }
  // Without the wait the registers still have what they had.
  EXPECT_EQ(run(body("", "", waitFor0), 128, buffers), "");
  EXPECT_FALSE(correct());
  EXPECT_EQ(device.read<float>(buffers[1], 1)[0], 10.0f);
  EXPECT_EQ(run(body("wgmma.wait_group.sync.aligned 1;\n", "", waitFor0), 128, buffers), "");
  EXPECT_FALSE(correct());
  EXPECT_NE(run(body(wait, "", ""), 128, buffers), "");
  // Without a fence after the sums were written.
  std::string unfenced = body(wait, "", waitFor0);
  unfenced.erase(unfenced.find("wgmma.fence.sync.aligned;\n"), 26);
  EXPECT_EQ(run(unfenced, 128, buffers), "fence");
  // A sum is written while products are under way; another register is nobody's.
  EXPECT_EQ(run(body("mov.f32 %f3, 0f00000000;\n" + wait, "", waitFor0), 128, buffers), "unwaited");
  EXPECT_NE(device.message.find("a register of the product in PTX line "), std::string::npos) << device.message;
  EXPECT_EQ(run(body("mov.f32 %f" + std::to_string(N / 2) + ", 0f00000000;\n" + wait, "", waitFor0), 128, buffers), "");
  // The tile is written while it is read.
  EXPECT_EQ(run(body("mov.u32 %r20, tile; st.shared.u32 [%r20], %r0;\n" + wait, "", waitFor0), 128, buffers),
            "unwaited");
  // Written by the warps themselves, without and with a fence.
  const std::string write = "bar.sync 0; shl.b32 %r20, %r0, 2; add.u32 %r20, %r20, %r1; st.shared.u32 [%r20], 0;\n";
  EXPECT_EQ(run(body(wait, write + "bar.sync 0;", waitFor0), 128, buffers), "fence");
  EXPECT_EQ(run(body(wait, write + "fence.proxy.async; bar.sync 0;", waitFor0), 128, buffers), "") << device.message;
}

// Every layout of operands in shared memory: K contiguous or not, all swizzles. The matrix is placed as the layout's
// formula in the PTX manual says, element by element.
TEST_F(VgpuHopper, WgmmaLayouts) {
  constexpr unsigned N = 64;
  for (unsigned swizzle : {0, 32, 64, 128})
    for (bool transposed : {false, true}) {
      SCOPED_TRACE(std::to_string(swizzle) + (transposed ? " transposed" : ""));
      std::mt19937 random(swizzle + transposed);
      std::vector<float> a(64 * 16), b(N * 16);
      std::vector<uint16_t> imageA(4096), imageB(4096);
      // Elements of 2 bytes; T = 8 of them are 16 bytes. Offsets in bytes.
      unsigned width = swizzle ? swizzle / 2 : 8;
      uint32_t leading, stride;
      if (!transposed)
        leading = swizzle ? 16 : 64 * 16, stride = swizzle ? 8 * swizzle : 128;
      else
        leading = swizzle ? 16 * swizzle : 128, stride = swizzle ? 8 * swizzle : 256;
      auto at = [&](unsigned row, unsigned k) -> uint32_t {
        uint32_t address;
        if (!transposed)
          address = swizzle ? row / 8 * stride + row % 8 * swizzle + k * 2
                            : row / 8 * stride + k / 8 * leading + row % 8 * 16 + k % 8 * 2;
        else
          address = swizzle ? row / width * leading + k / 8 * stride + k % 8 * swizzle + row % width * 2
                            : row / 8 * stride + k / 8 * leading + k % 8 * 16 + row % 8 * 2;
        return swizzled(address, swizzle) / 2;
      };
      auto fill = [&](std::vector<float> &values, std::vector<uint16_t> &image) {
        for (unsigned row = 0; row < values.size() / 16; ++row)
          for (unsigned k = 0; k < 16; ++k) {
            values[row * 16 + k] = float(int(random() % 33) - 16) / 4;
            image.at(at(row, k)) = uint16_t(floatBits(values[row * 16 + k]) >> 16);
          }
      };
      fill(a, imageA);
      fill(b, imageB);
      std::vector<uint64_t> buffers{device.buffer(imageA), device.buffer(imageB),
                                    device.buffer(std::vector<float>(64 * N))};
      std::string body =
          "mov.u32 %r1, tile; mov.u32 %r3, other; shl.b32 %r4, %r0, 2; add.u32 %r5, %r1, %r4; add.u32 %r6, %r3, %r4;"
          "cvt.u64.u32 %rd10, %r4; add.u64 %rd11, %rd0, %rd10; add.u64 %rd12, %rd1, %rd10;\n";
      for (unsigned k = 0; k < 8192; k += 512) {
        const std::string o = std::to_string(k);
        body += "ld.global.b32 %r7, [%rd11+" + o + "]; st.shared.b32 [%r5+" + o + "], %r7; ld.global.b32 %r7, [%rd12+" +
                o + "]; st.shared.b32 [%r6+" + o + "], %r7;\n";
      }
      static const std::map<unsigned, uint64_t> modes = {{0, 0}, {128, 1}, {64, 2}, {32, 3}};
      uint64_t bits = uint64_t(leading / 16) << 16 | uint64_t(stride / 16) << 32 | modes.at(swizzle) << 62;
      body += "fence.proxy.async; bar.sync 0; wgmma.fence.sync.aligned;\n";
      for (const char *pair : {"%rd20, %r1", "%rd21, %r3"}) {
        std::string to = std::string(pair).substr(0, 5);
        body += std::string("cvt.u64.u32 ") + pair + "; shr.u64 " + to + ", " + to + ", 4; or.b64 " + to + ", " + to +
                ", " + std::to_string(bits) + ";\n";
      }
      std::string sums = "{";
      for (unsigned k = 0; k < N / 2; ++k)
        sums += (k ? ", %f" : "%f") + std::to_string(k);
      const std::string trans = transposed ? "1, 1" : "0, 0";
      body += "setp.ne.u32 %p4, 0, 0; wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 " + sums +
              "}, %rd20, %rd21, %p4, 1, -1, " + trans +
              ";\nwgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0;\n";
      body +=
          "shr.u32 %r10, %r0, 5; shl.b32 %r10, %r10, 4; and.b32 %r11, %r0, 31; shr.u32 %r12, %r11, 2;"
          "add.u32 %r10, %r10, %r12; and.b32 %r13, %r11, 3; shl.b32 %r13, %r13, 3; mad.lo.u32 %r14, %r10, 256, %r13;"
          "cvt.u64.u32 %rd22, %r14; add.u64 %rd22, %rd2, %rd22;\n";
      for (unsigned k = 0; k < N / 2; ++k)
        body += "st.global.f32 [%rd22+" + std::to_string(k / 4 * 32 + (k / 2 % 2) * 8 * N * 4 + k % 2 * 4) + "], %f" +
                std::to_string(k) + ";\n";
      ASSERT_EQ(run(body, 128, buffers), "") << device.message;
      std::vector<float> c = device.read<float>(buffers[2], 64 * N);
      for (unsigned i = 0; i < 64; ++i)
        for (unsigned j = 0; j < N; ++j) {
          float sum = 0;
          for (unsigned k = 0; k < 16; ++k)
            sum -= a[i * 16 + k] * b[j * 16 + k]; // the sign of B is changed
          ASSERT_EQ(c[i * N + j], sum) << i << " " << j;
        }
    }
}

TEST_F(VgpuHopper, ElectsOneLane) {
  std::vector<uint64_t> buffers{device.buffer(std::vector<uint32_t>(64))};
  EXPECT_EQ(run("elect.sync %r1|%p1, -1; @%p1 atom.global.add.u32 %r2, [%rd0], 1; setmaxnreg.dec.sync.aligned.u32 40;"
                "barrier.cluster.arrive; barrier.cluster.wait;",
                64, buffers),
            "");
  EXPECT_EQ(device.read<uint32_t>(buffers[0], 1)[0], 2u);
}
