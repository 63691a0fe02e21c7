//===- CudaKernelsTest.cpp - CUDA kernels, compiled by nvcc --------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The meaning of these kernels is given by CUDA and by the host's arithmetic, not by this project: they test the
// device. Without nvcc at build time the tests are skipped.
//
//===----------------------------------------------------------------------===//

#include "test/unit/vgpu/Device.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>
#include <random>
#include <sstream>

using namespace samba::vgpu;
using namespace samba::vgpu::test;

namespace {

struct VgpuCuda : testing::Test {
  void SetUp() override {
#ifndef SAMBA_VGPU_CUDA_PTX
    GTEST_SKIP() << "unsupported: there was no nvcc when this was built";
#endif
  }
  std::string ptx(const std::string &name) {
#ifdef SAMBA_VGPU_CUDA_PTX
    std::ifstream file(std::string(SAMBA_VGPU_CUDA_PTX) + "/" + name + ".ptx");
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
#else
    return "";
#endif
  }
  void load(const std::string &name, int arch = 80) { module = Module::parse(ptx(name), arch); }
  template <typename... Arguments>
  void launch(const std::string &kernel, uint32_t grid, uint32_t block, Arguments... arguments) {
    Launch launch;
    launch.kernel = module->find(kernel);
    ASSERT_NE(launch.kernel, nullptr);
    launch.grid[0] = grid;
    launch.block[0] = block;
    (append(launch.parameters, arguments), ...);
    ASSERT_NO_THROW(device.executor.run(launch));
  }
  template <typename T> static void append(std::vector<uint8_t> &to, T value) {
    to.resize((to.size() + sizeof(T) - 1) / sizeof(T) * sizeof(T));
    const auto *bytes = reinterpret_cast<const uint8_t *>(&value);
    to.insert(to.end(), bytes, bytes + sizeof(T));
  }
  Device device;
  std::unique_ptr<Module> module;
};

uint16_t bfloat(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return uint16_t(bits >> 16);
}
uint16_t half(float x) { // of small multiples of 1/4
  if (x == 0)
    return 0;
  int exponent;
  float mantissa = std::frexp(std::fabs(x), &exponent);
  return uint16_t((x < 0 ? 0x8000 : 0) | (exponent + 14) << 10 | (int(mantissa * 2048) & 0x3ff));
}
std::vector<float> quarters(size_t count) {
  std::mt19937 random(7);
  std::vector<float> values(count);
  for (float &x : values)
    x = float(int(random() % 33) - 16) / 4;
  return values;
}

} // namespace

TEST_F(VgpuCuda, Shuffles) {
  load("shuffles");
  uint64_t out = device.buffer(std::vector<int>(64 * 9));
  launch("shuffles", 1, 64, out);
  std::vector<int> values = device.read<int>(out, 64 * 9);
  for (int thread = 0; thread < 64; ++thread) {
    int lane = thread % 32, value = lane * 3 + 1, scan = 0;
    unsigned same = 0;
    for (int k = 0; k <= lane; ++k)
      scan += k * 3 + 1;
    for (int k = 0; k < 32; ++k)
      same |= k / 5 == lane / 5 ? 1u << k : 0;
    int down = lane % 8 + 3 < 8 ? (lane + 3) * 3 + 1 : value;
    const int expected[] = {31 * 16 * 3 + 32, scan, down, lane / 2 * 3 + 1, 0x55555555, int(same), 1, 0, 31};
    for (int k = 0; k < 9; ++k)
      EXPECT_EQ(values[thread * 9 + k], expected[k]) << "thread " << thread << " result " << k;
  }
}

TEST_F(VgpuCuda, BlockScan) {
  load("blockscan");
  std::vector<int> in(256);
  for (int k = 0; k < 256; ++k)
    in[k] = (k * 37) % 101 - 50;
  for (uint64_t seed : {0, 1, 2}) {
    device.executor.options().seed = seed;
    uint64_t out = device.buffer(std::vector<int>(257));
    launch("blockscan", 1, 256, device.buffer(in), out);
    std::vector<int> sums(256), result = device.read<int>(out, 257);
    std::partial_sum(in.begin(), in.end(), sums.begin());
    EXPECT_TRUE(std::equal(sums.begin(), sums.end(), result.begin()));
    EXPECT_EQ(result[256], sums[255]);
    std::vector<float> values = quarters(256), largest(256);
    uint64_t maxima = device.buffer(std::vector<float>(256));
    launch("blockmax", 1, 128, device.buffer(values), maxima);
    std::partial_sum(values.begin(), values.end(), largest.begin(), [](float a, float b) { return std::max(a, b); });
    EXPECT_EQ(device.read<float>(maxima, 256), largest);
  }
}

TEST_F(VgpuCuda, Wmma) {
  load("wmma");
  std::vector<float> a = quarters(16 * 32), b = quarters(16 * 32);
  std::vector<uint16_t> halfA(a.size()), halfB(b.size());
  std::transform(a.begin(), a.end(), halfA.begin(), half);
  std::transform(b.begin(), b.end(), halfB.begin(), half);
  uint64_t out = device.buffer(std::vector<float>(256));
  launch("wmma_f16", 1, 32, device.buffer(halfA), device.buffer(halfB), out);
  std::vector<float> c = device.read<float>(out, 256);
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 16; ++j) {
      float sum = 0.5f;
      for (int k = 0; k < 32; ++k)
        sum += a[i * 32 + k] * b[j * 32 + k];
      EXPECT_EQ(c[i * 16 + j], 2 * sum);
    }
  std::transform(a.begin(), a.end(), halfA.begin(), bfloat);
  std::transform(b.begin(), b.end(), halfB.begin(), bfloat);
  launch("wmma_bf16", 1, 32, device.buffer(halfA), device.buffer(halfB), out);
  c = device.read<float>(out, 256);
  for (int i = 0; i < 32; ++i)
    for (int j = 0; j < 8; ++j) {
      float sum = 0;
      for (int k = 0; k < 16; ++k)
        sum += a[k * 32 + i] * b[k * 8 + j];
      EXPECT_EQ(c[j * 32 + i], sum);
    }
}

TEST_F(VgpuCuda, Gemm) {
  load("gemm");
  std::vector<float> a = quarters(64 * 128), b = quarters(32 * 128);
  std::vector<uint16_t> bfloatA(a.size()), bfloatB(b.size());
  std::transform(a.begin(), a.end(), bfloatA.begin(), bfloat);
  std::transform(b.begin(), b.end(), bfloatB.begin(), bfloat);
  for (uint64_t seed : {0, 1, 2, 3}) {
    device.executor.options().seed = seed;
    uint64_t out = device.buffer(std::vector<float>(64 * 32));
    launch("gemm", 1, 128, device.buffer(bfloatA), device.buffer(bfloatB), out);
    std::vector<float> c = device.read<float>(out, 64 * 32);
    for (int i = 0; i < 64; ++i)
      for (int j = 0; j < 32; ++j) {
        float sum = 0;
        for (int k = 0; k < 128; ++k)
          sum += a[i * 128 + k] * b[j * 128 + k];
        ASSERT_EQ(c[i * 32 + j], sum) << i << " " << j;
      }
  }
  const Counters &counters = device.executor.counters().at("gemm");
  EXPECT_EQ(counters.mmaFlops, 4u * 2 * 64 * 32 * 128);
  EXPECT_EQ(counters.asyncBytes, 4u * 2 * (64 + 32) * 128);
  // The padding of the rows: ldmatrix has no conflicts.
  EXPECT_EQ(counters.sharedLoads.units, counters.sharedLoads.ideal);
  EXPECT_EQ(counters.uniqueBytesRead, 4u * 2 * (64 + 32) * 128);
}

// Bulk copies and mbarriers by cuda::barrier.
TEST_F(VgpuCuda, BulkCopies) {
  load("bulk", 90);
  std::vector<int> values(2 * 4 * 256);
  std::iota(values.begin(), values.end(), 0);
  for (uint64_t seed : {0, 1, 2, 3}) {
    device.executor.options().seed = seed;
    uint64_t data = device.buffer(values);
    launch("bulk", 2, 256, data, int32_t(4));
    std::vector<int> result = device.read<int>(data, values.size());
    for (int k = 0; k < int(values.size()); ++k)
      ASSERT_EQ(result[k], k + k % 256);
  }
}

TEST_F(VgpuCuda, MathFunctions) {
  load("math");
  constexpr int n = 500;
  std::mt19937 random(3);
  std::vector<float> x(n);
  for (float &value : x)
    value = float(int(random() % 20001) - 10000) / 1000;
  uint64_t out = device.buffer(std::vector<float>(10 * n));
  launch("functions", 4, 128, device.buffer(x), out, int32_t(n));
  std::vector<float> y = device.read<float>(out, 10 * n);
  using Function = double (*)(double);
  // With the errors in units of the last place that the CUDA manual states.
  const std::pair<Function, double> functions[] = {
      {[](double x) { return std::exp(x); }, 2},
      {[](double x) { return std::sin(double(float(x) * 1000.0f)); }, 2},
      {[](double x) { return std::log1p(std::fabs(x)); }, 1},
      {[](double x) { return std::tanh(x); }, 2},
      {[](double x) { return std::pow(std::fabs(x), double(1.7f)); }, 4},
      {[](double x) { return double(float(x) / 3.3f); }, 0},
      {[](double x) { return 1 / std::sqrt(double(float(std::fabs(x)) + 0.1f)); }, 2},
      {[](double x) { return std::exp(x); }, 1},
      {[](double x) { return std::fmod(double(float(x) * 17.0f), double(0.7f)); }, 0},
      {[](double x) { return std::erf(x); }, 2},
  };
  for (int f = 0; f < 10; ++f)
    for (int k = 0; k < n; ++k) {
      double exact = functions[f].first(x[k]);
      double unit = std::ldexp(1.0, std::max(std::ilogb(exact), -126) - 23);
      ASSERT_LE(std::fabs(y[f * n + k] - exact), (functions[f].second + 0.5) * unit)
          << "function " << f << " of " << x[k];
    }
}
