//===- VirtualDriverTest.cpp - the virtual device as a driver ------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// That it is as strict as a real driver: handles, ranges, late work and errors that stay.
//
//===----------------------------------------------------------------------===//

#include "runtime/cuda/Driver.h"

#include <cstring>
#include <gtest/gtest.h>
#include <vector>

using namespace samba::runtime::cuda;

namespace {

class VirtualDriver : public testing::Test {
protected:
  VirtualDriver() : cuda(*Driver::openVirtual()) {
    EXPECT_EQ(cuda.vgpuConfigure("memory=100000"), Success);
    EXPECT_EQ(cuda.init(0), Success);
    EXPECT_EQ(cuda.devicePrimaryCtxRetain(&context, 0), Success);
    EXPECT_EQ(cuda.ctxSetCurrent(context), Success);
    EXPECT_EQ(cuda.streamCreate(&stream, 0), Success);
  }
  ~VirtualDriver() override { EXPECT_EQ(cuda.devicePrimaryCtxRelease(0), Success); }

  DevicePointer allocate(size_t bytes) {
    DevicePointer pointer = 0;
    EXPECT_EQ(cuda.memAlloc(&pointer, bytes), Success);
    return pointer;
  }

  const Driver &cuda;
  ContextHandle context = nullptr;
  StreamHandle stream = nullptr;
};

TEST_F(VirtualDriver, WorkIsLate) {
  DevicePointer device = allocate(64);
  void *memory = nullptr;
  ASSERT_EQ(cuda.memHostAlloc(&memory, 128, 0), Success);
  char *host = static_cast<char *>(memory), *back = host + 64;
  std::memset(host, 1, 128);
  ASSERT_EQ(cuda.memcpyHtoDAsync(device, host, 64, stream), Success);
  ASSERT_EQ(cuda.memcpyDtoHAsync(back, device, 64, stream), Success);
  host[0] = 2; // too early: the copy takes it
  EXPECT_EQ(back[0], 1);
  ASSERT_EQ(cuda.streamSynchronize(stream), Success);
  EXPECT_EQ(back[0], 2);
  // From memory that is not pinned it is copied at once.
  char plain[64] = {3};
  ASSERT_EQ(cuda.memcpyHtoDAsync(device, plain, 64, stream), Success);
  plain[0] = 4;
  ASSERT_EQ(cuda.memcpyDtoHAsync(back, device, 64, stream), Success);
  ASSERT_EQ(cuda.streamSynchronize(stream), Success);
  EXPECT_EQ(back[0], 3);
  EXPECT_EQ(cuda.memFreeHost(memory), Success);
  EXPECT_EQ(cuda.memFreeHost(memory), InvalidValue);
}

TEST_F(VirtualDriver, Graphs) {
  DevicePointer device = allocate(8);
  char back[8] = {};
  ASSERT_EQ(cuda.streamBeginCapture(stream, captureRelaxed), Success);
  EXPECT_EQ(cuda.streamBeginCapture(stream, captureRelaxed), StreamCaptureUnsupported);
  ASSERT_EQ(cuda.memsetD8Async(device, 7, 8, stream), Success);
  EXPECT_EQ(cuda.streamSynchronize(stream), StreamCaptureUnsupported);
  GraphHandle graph = nullptr;
  ASSERT_EQ(cuda.streamEndCapture(stream, &graph), Success);
  EXPECT_EQ(cuda.streamEndCapture(stream, &graph), InvalidValue);
  GraphExecHandle executable = nullptr;
  ASSERT_EQ(cuda.graphInstantiate(&executable, graph, 0), Success);
  ASSERT_EQ(cuda.graphDestroy(graph), Success);
  EXPECT_EQ(cuda.graphDestroy(graph), InvalidHandle);
  auto value = [&] {
    EXPECT_EQ(cuda.memcpyDtoHAsync(back, device, 8, stream), Success);
    EXPECT_EQ(cuda.streamSynchronize(stream), Success);
    return back[7];
  };
  EXPECT_EQ(value(), 0) << "recorded, not done";
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(cuda.memsetD8Async(device, 1, 8, stream), Success);
    EXPECT_EQ(value(), 1);
    ASSERT_EQ(cuda.graphLaunch(executable, stream), Success);
    EXPECT_EQ(value(), 7);
  }
  ASSERT_EQ(cuda.graphExecDestroy(executable), Success);
  EXPECT_EQ(cuda.graphLaunch(executable, stream), InvalidHandle);
}

TEST_F(VirtualDriver, Ranges) {
  DevicePointer device = allocate(64);
  char host[128] = {};
  EXPECT_EQ(cuda.memcpyHtoDAsync(device + 1, host, 64, stream), InvalidValue);
  EXPECT_EQ(cuda.memcpyDtoHAsync(host, device, 65, stream), InvalidValue);
  EXPECT_EQ(cuda.memsetD8Async(device - 1, 0, 1, stream), InvalidValue);
  DevicePointer none = 0;
  EXPECT_EQ(cuda.memAlloc(&none, 0), InvalidValue);
  EXPECT_EQ(cuda.memAlloc(&none, 100000), OutOfMemory);
  size_t free = 0, total = 0;
  ASSERT_EQ(cuda.memGetInfo(&free, &total), Success);
  EXPECT_EQ(total, 100000u);
  EXPECT_EQ(free, 100000u - 64);
  EXPECT_EQ(cuda.memFree(device), Success);
  EXPECT_EQ(cuda.memFree(device), InvalidValue);
  EXPECT_EQ(cuda.memsetD8Async(device, 0, 1, stream), InvalidValue);
}

TEST_F(VirtualDriver, Copies2D) {
  DevicePointer from = allocate(64), to = allocate(64);
  char host[64], back[64] = {};
  for (int i = 0; i < 64; ++i)
    host[i] = static_cast<char>(i);
  ASSERT_EQ(cuda.memcpyHtoDAsync(from, host, 64, stream), Success);
  ASSERT_EQ(cuda.memsetD8Async(to, 99, 64, stream), Success);
  Copy2D copy = {};
  copy.fromType = copy.toType = memoryTypeDevice;
  copy.fromDevice = from + 4, copy.fromPitch = 16;
  copy.toDevice = to, copy.toPitch = 8;
  copy.width = 6, copy.height = 3;
  ASSERT_EQ(cuda.memcpy2DAsync(&copy, stream), Success);
  ASSERT_EQ(cuda.memcpyDtoHAsync(back, to, 64, stream), Success);
  ASSERT_EQ(cuda.streamSynchronize(stream), Success);
  for (int row = 0; row < 3; ++row)
    for (int i = 0; i < 8; ++i)
      EXPECT_EQ(back[row * 8 + i], i < 6 ? 4 + row * 16 + i : 99);
  copy.height = 5;
  EXPECT_EQ(cuda.memcpy2DAsync(&copy, stream), InvalidValue);
  copy.height = 3, copy.width = 9;
  EXPECT_EQ(cuda.memcpy2DAsync(&copy, stream), InvalidValue) << "wider than a pitch";
}

const char module[] = R"(.version 8.0
.target sm_80
.address_size 64
.visible .entry store(.param .u64 p, .param .u32 x) {
  .reg .b64 %rd<3>;
  .reg .b32 %r<2>;
  ld.param.u64 %rd1, [p];
  ld.param.u32 %r1, [x];
  cvta.to.global.u64 %rd2, %rd1;
  st.global.u32 [%rd2], %r1;
  ret;
})";

TEST_F(VirtualDriver, Launches) {
  ModuleHandle loaded = nullptr;
  ASSERT_EQ(cuda.moduleLoadDataEx(&loaded, module, 0, nullptr, nullptr), Success);
  FunctionHandle store = nullptr;
  EXPECT_EQ(cuda.moduleGetFunction(&store, loaded, "nothing"), NotFound);
  ASSERT_EQ(cuda.moduleGetFunction(&store, loaded, "store"), Success);
  size_t offset = 0, bytes = 0;
  ASSERT_EQ(cuda.funcGetParamInfo(store, 1, &offset, &bytes), Success);
  EXPECT_EQ(offset, 8u);
  EXPECT_EQ(bytes, 4u);
  EXPECT_EQ(cuda.funcGetParamInfo(store, 2, &offset, &bytes), InvalidValue);
  EXPECT_EQ(cuda.funcSetAttribute(store, MaxDynamicSharedBytes, 1 << 20), InvalidValue);

  DevicePointer device = allocate(4);
  uint32_t value = 5, back = 0;
  void *parameters[] = {&device, &value};
  auto launch = [&](unsigned grid, unsigned block, unsigned shared) {
    return cuda.launchKernel(store, grid, 1, 1, block, 1, 1, shared, stream, parameters, nullptr);
  };
  EXPECT_EQ(launch(0, 1, 0), InvalidValue);
  EXPECT_EQ(launch(1, 1025, 0), InvalidValue);
  EXPECT_EQ(launch(1, 1, (48 << 10) + 1), InvalidValue);
  ASSERT_EQ(cuda.funcSetAttribute(store, MaxDynamicSharedBytes, 60 << 10), Success);
  ASSERT_EQ(launch(1, 1, 60 << 10), Success);
  value = 6; // the launch has its own copy
  ASSERT_EQ(cuda.memcpyDtoHAsync(&back, device, 4, stream), Success);
  ASSERT_EQ(cuda.streamSynchronize(stream), Success);
  EXPECT_EQ(back, 5u);

  device += 4;
  ASSERT_EQ(launch(1, 1, 0), Success) << "it fails when the host waits";
  EXPECT_EQ(cuda.streamSynchronize(stream), IllegalAddress);
  const char *text = nullptr;
  ASSERT_EQ(cuda.vgpuMessage(&text), Success);
  EXPECT_NE(std::string(text).find("store: out-of-bounds"), std::string::npos) << text;
  EXPECT_EQ(launch(1, 1, 0), IllegalAddress) << "and that stays";
}

TEST_F(VirtualDriver, DescriptionsOfMatrices) {
  DevicePointer device = allocate(4096);
  auto encode = [&](uint64_t offset, uint64_t width, uint64_t stride, uint32_t boxWidth, int swizzle) {
    EncodedMap map = {};
    const uint64_t sizes[] = {width, 4};
    const uint32_t box[] = {boxWidth, 64}, steps[] = {1, 1};
    Result result = cuda.tensorMapEncodeTiled(&map, ElementsBf16, 2, reinterpret_cast<void *>(device + offset), sizes,
                                              &stride, box, steps, NotInterleaved, swizzle, PromoteTo256, FillZeros);
    EXPECT_EQ(result == Success, map.words[0] != 0);
    return result;
  };
  EXPECT_EQ(encode(0, 100, 208, 64, Swizzle128), Success);
  EXPECT_EQ(encode(8, 100, 208, 64, Swizzle128), InvalidValue);
  EXPECT_EQ(encode(0, 100, 200, 64, Swizzle128), InvalidValue);
  EXPECT_EQ(encode(0, 100, 208, 128, Swizzle128), InvalidValue);
  EXPECT_EQ(encode(0, 0, 208, 64, Swizzle128), InvalidValue);
  EXPECT_EQ(encode(0, 100, 208, 64, 4), InvalidValue);
}

TEST_F(VirtualDriver, Handles) {
  EXPECT_EQ(cuda.streamSynchronize(nullptr), InvalidHandle);
  EXPECT_EQ(cuda.moduleUnload(nullptr), InvalidHandle);
  EXPECT_EQ(cuda.launchKernel(nullptr, 1, 1, 1, 1, 1, 1, 0, stream, nullptr, nullptr), InvalidHandle);
  EXPECT_EQ(cuda.ctxSetCurrent(reinterpret_cast<ContextHandle>(&stream)), InvalidContext);
  ASSERT_EQ(cuda.ctxSetCurrent(nullptr), Success);
  DevicePointer pointer = 0;
  EXPECT_EQ(cuda.memAlloc(&pointer, 4), InvalidContext);
  int value = 0;
  EXPECT_EQ(cuda.deviceGet(&value, 1), InvalidDevice);
  EXPECT_EQ(cuda.deviceGetAttribute(&value, 1, 0), InvalidValue);
}

} // namespace
