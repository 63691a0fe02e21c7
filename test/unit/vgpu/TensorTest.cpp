//===- TensorTest.cpp - matrix instructions against scalar products ------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The layouts are those of the PTX manual, written down a second time.
//
//===----------------------------------------------------------------------===//

#include "test/unit/vgpu/Device.h"

#include <cmath>
#include <functional>
#include <random>

using namespace samba::vgpu;
using namespace samba::vgpu::test;

namespace {

struct Format {
  const char *name;
  unsigned bits;
  std::function<uint32_t(float)> encode;
};

uint32_t floatBits(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return bits;
}
// Small integers and quarters are exact in every format.
uint32_t halfBits(float x) {
  if (x == 0)
    return 0;
  int exponent;
  float mantissa = std::frexp(std::fabs(x), &exponent);
  return (x < 0 ? 0x8000 : 0) | uint32_t(exponent - 1 + 15) << 10 | (uint32_t(mantissa * 2048) & 0x3ff);
}
const Format f16{"f16", 16, halfBits}, bf16{"bf16", 16, [](float x) { return floatBits(x) >> 16; }},
    tf32{"tf32", 32, floatBits}, s8{"s8", 8, [](float x) { return uint32_t(int(x)) & 255; }},
    u8{"u8", 8, [](float x) { return uint32_t(int(x)) & 255; }};

struct Cell {
  unsigned row, column;
};

// Element e of lane l in the A fragment of an m x k matrix, in the order of registers and of bits within them.
Cell cellA(unsigned m, unsigned lane, unsigned e, unsigned bits) {
  unsigned per = 32 / bits, reg = e / per, within = e % per, group = lane / 4, inGroup = lane % 4;
  if (m == 8)
    return {group, inGroup * per + within};
  bool lowerRows = reg % 2; // registers 1 and 3
  return {group + (lowerRows ? 8 : 0), inGroup * per + within + (reg >= 2 ? 4 * per : 0)};
}
Cell cellB(unsigned lane, unsigned e, unsigned bits) {
  unsigned per = 32 / bits, reg = e / per, within = e % per;
  return {lane % 4 * per + within + reg * 4 * per, lane / 4};
}
Cell cellC(unsigned lane, unsigned e) { return {lane / 4 + (e >= 2 ? 8 : 0), lane % 4 * 2 + e % 2}; }

std::string list(const char *prefix, unsigned first, unsigned count) {
  std::string text = "{";
  for (unsigned k = 0; k < count; ++k)
    text += (k ? ", " : "") + std::string(prefix) + std::to_string(first + k);
  return text + "}";
}

void multiply(unsigned m, unsigned k, const Format &a, const Format &b, bool whole) {
  SCOPED_TRACE(std::string(a.name) + " m" + std::to_string(m) + " k" + std::to_string(k));
  std::mt19937 random(m * 100 + k);
  bool isUnsigned = &a == &u8;
  auto value = [&] {
    return whole ? float(int(random() % 256) - (isUnsigned ? 0 : 128)) : float(int(random() % 33) - 16) / 4;
  };
  auto valueB = [&] { return whole ? float(int(random() % 128)) : value(); };
  std::vector<float> A(m * k), B(k * 8), C(m * 8);
  for (float &x : A)
    x = value();
  for (float &x : B)
    x = valueB();
  for (float &x : C)
    x = float(int(random() % 2001) - 1000);
  unsigned per = 32 / a.bits, regsA = m * k / 32 / per, regsB = k * 8 / 32 / per, regsC = m / 8 * 2;
  std::vector<uint32_t> inputA(32 * regsA), inputB(32 * regsB), inputC(32 * regsC);
  for (unsigned lane = 0; lane < 32; ++lane) {
    for (unsigned e = 0; e < regsA * per; ++e) {
      Cell cell = cellA(m, lane, e, a.bits);
      inputA[e / per * 32 + lane] |= a.encode(A[cell.row * k + cell.column]) << e % per * a.bits;
    }
    for (unsigned e = 0; e < regsB * per; ++e) {
      Cell cell = cellB(lane, e, b.bits);
      inputB[e / per * 32 + lane] |= b.encode(B[cell.row * 8 + cell.column]) << e % per * b.bits;
    }
    for (unsigned e = 0; e < regsC; ++e) {
      Cell cell = cellC(lane, e);
      float c = C[cell.row * 8 + cell.column];
      inputC[e * 32 + lane] = whole ? uint32_t(int(c)) : floatBits(c);
    }
  }
  std::string body = "mul.wide.u32 %rd10, %r0, 4; add.u64 %rd0, %rd0, %rd10; add.u64 %rd1, %rd1, %rd10;"
                     "add.u64 %rd2, %rd2, %rd10;\n";
  auto load = [&](const char *pointer, unsigned first, unsigned count) {
    for (unsigned r = 0; r < count; ++r)
      body += "ld.global.b32 %r" + std::to_string(first + r) + ", [" + pointer + "+" + std::to_string(128 * r) + "];\n";
  };
  load("%rd0", 10, regsA);
  load("%rd1", 20, regsB);
  load("%rd2", 30, regsC);
  const char *accumulator = whole ? "s32" : "f32";
  body += "mma.sync.aligned.m" + std::to_string(m) + "n8k" + std::to_string(k) + ".row.col." + accumulator + "." +
          a.name + "." + b.name + "." + accumulator + " " + list("%r", 40, regsC) + ", " + list("%r", 10, regsA) +
          ", " + list("%r", 20, regsB) + ", " + list("%r", 30, regsC) + ";\n";
  for (unsigned r = 0; r < regsC; ++r)
    body += "st.global.b32 [%rd2+" + std::to_string(128 * r) + "], %r" + std::to_string(40 + r) + ";\n";
  Device device;
  device.load(kernel(3, body));
  uint64_t bufferC = device.buffer(inputC);
  device.launch(1, 32, device.buffer(inputA), device.buffer(inputB), bufferC);
  std::vector<uint32_t> result = device.read<uint32_t>(bufferC, inputC.size());
  for (unsigned lane = 0; lane < 32; ++lane)
    for (unsigned e = 0; e < regsC; ++e) {
      Cell cell = cellC(lane, e);
      double sum = C[cell.row * 8 + cell.column];
      for (unsigned x = 0; x < k; ++x)
        sum += double(A[cell.row * k + x]) * B[x * 8 + cell.column];
      uint32_t expected = whole ? uint32_t(int64_t(sum)) : floatBits(float(sum));
      ASSERT_EQ(result[e * 32 + lane], expected) << "lane " << lane << " element " << e;
    }
  EXPECT_EQ(device.executor.counters().at("k").mmaFlops, m * 8 * k * 2);
}

} // namespace

TEST(VgpuTensor, Products) {
  multiply(16, 8, f16, f16, false);
  multiply(16, 16, f16, f16, false);
  multiply(16, 8, bf16, bf16, false);
  multiply(16, 16, bf16, bf16, false);
  multiply(16, 4, tf32, tf32, false);
  multiply(16, 8, tf32, tf32, false);
  multiply(16, 16, s8, s8, true);
  multiply(16, 32, s8, s8, true);
  multiply(8, 16, s8, s8, true);
  multiply(16, 32, u8, u8, true);
}

// ldmatrix of a matrix whose elements tell where they are.
TEST(VgpuTensor, LoadMatrix) {
  for (unsigned count : {1, 2, 4})
    for (bool trans : {false, true}) {
      std::string body = R"(
  mov.u32 %r2, tile;
  shl.b32 %r1, %r0, 4;
  add.u32 %r1, %r1, %r2;
  shl.b32 %r3, %r0, 3;
)";
      // Lane l fills 16 bytes: elements 8l to 8l+7.
      for (unsigned k = 0; k < 8; ++k)
        body += "add.u32 %r4, %r3, " + std::to_string(k) + "; cvt.u16.u32 %h1, %r4; st.shared.u16 [%r1+" +
                std::to_string(2 * k) + "], %h1;\n";
      body += "bar.warp.sync -1;\nldmatrix.sync.aligned.m8n8.x" + std::to_string(count) + (trans ? ".trans" : "") +
              ".shared.b16 " + list("%r", 10, count) +
              ", [%r1];\nmul.wide.u32 %rd10, %r0, 4; add.u64 %rd0, %rd0, %rd10;\n";
      for (unsigned r = 0; r < count; ++r)
        body += "st.global.b32 [%rd0+" + std::to_string(128 * r) + "], %r" + std::to_string(10 + r) + ";\n";
      Device device;
      device.load(kernel(1, body, ".shared .align 16 .b8 tile[512];\n"));
      uint64_t out = device.buffer(std::vector<uint32_t>(128));
      device.launch(1, 32, out);
      std::vector<uint32_t> result = device.read<uint32_t>(out, 128);
      for (unsigned r = 0; r < count; ++r)
        for (unsigned lane = 0; lane < 32; ++lane)
          for (unsigned half = 0; half < 2; ++half) {
            unsigned i = lane / 4, j = lane % 4 * 2 + half;
            ASSERT_EQ(result[r * 32 + lane] >> 16 * half & 0xffff, 64 * r + (trans ? 8 * j + i : 8 * i + j));
          }
      const Counters &counters = device.executor.counters().at("k");
      EXPECT_EQ(counters.ldmatrix, 1u);
    }
}

// stmatrix and ldmatrix undo each other.
TEST(VgpuTensor, StoreMatrix) {
  for (const char *trans : {"", ".trans"}) {
    Options options;
    options.arch = 90;
    Device device(options);
    device.load(kernel(1,
                       std::string(R"(
  mov.u32 %r2, tile;
  shl.b32 %r1, %r0, 4;
  add.u32 %r1, %r1, %r2;
  mul.lo.u32 %r3, %r0, 65537;
  add.u32 %r4, %r3, 1000;
  stmatrix.sync.aligned.m8n8.x2)") +
                           trans + R"(.shared.b16 [%r1], {%r3, %r4};
  bar.warp.sync -1;
  ldmatrix.sync.aligned.m8n8.x2)" +
                           trans + R"(.shared.b16 {%r5, %r6}, [%r1];
  mul.wide.u32 %rd10, %r0, 4;
  add.u64 %rd0, %rd0, %rd10;
  st.global.b32 [%rd0], %r5;
  st.global.b32 [%rd0+128], %r6;
)",
                       ".shared .align 16 .b8 tile[512];\n"));
    uint64_t out = device.buffer(std::vector<uint32_t>(64));
    device.launch(1, 32, out);
    std::vector<uint32_t> result = device.read<uint32_t>(out, 64);
    for (uint32_t lane = 0; lane < 32; ++lane) {
      EXPECT_EQ(result[lane], lane * 65537);
      EXPECT_EQ(result[32 + lane], lane * 65537 + 1000);
    }
  }
}

TEST(VgpuTensor, RefusesOtherForms) {
  auto refused = [](const std::string &body, const std::string &what) {
    try {
      Module::parse(kernel(0, body));
    } catch (const Error &error) {
      EXPECT_NE(std::string(error.what()).find(what), std::string::npos) << error.what();
      return;
    }
    ADD_FAILURE() << "accepted: " << body;
  };
  refused("mma.sync.aligned.m16n8k64.row.col.s32.s4.s4.s32 "
          "{%r1,%r2,%r3,%r4},{%r1,%r2,%r3,%r4},{%r1,%r2},{%r1,%r2,%r3,%r4};",
          "unsupported: mma.sync.aligned.m16n8k64");
  refused(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%f1,%f2,%f3,%f4},{%r1,%r2},{%r1,%r2},{%f1,%f2,%f3,%f4};",
      "2 registers, expected 4");
  refused("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%r1,%r2}, [%r3];", "2 registers, expected 4");
  refused("stmatrix.sync.aligned.m8n8.x1.shared.b16 [%r3], {%r1};", "needs sm_90");
}
