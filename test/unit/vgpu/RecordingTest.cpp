//===- RecordingTest.cpp - launches that are recorded and read again ------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Recording.h"
#include "test/unit/vgpu/Device.h"

#include <cstdio>
#include <unistd.h>

using namespace samba::vgpu;
using namespace samba::vgpu::test;

namespace {

const char *ptx = ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 p) { ret; }\n";

struct VgpuRecording : testing::Test {
  VgpuRecording() : path(testing::TempDir() + "samba-recording-" + std::to_string(getpid())) {
    module = Module::parse(ptx);
    launch.kernel = module->find("k");
    launch.grid[0] = 3, launch.block[1] = 4, launch.dynamicShared = 16;
    launch.parameters = {1, 2, 3, 4, 5, 6, 7, 8};
  }
  ~VgpuRecording() override { std::remove(path.c_str()); }

  uint8_t byte(Memory &memory, uint64_t address) {
    return memory.find(address, 1)->data[address - memory.find(address, 1)->address];
  }

  std::string path;
  std::unique_ptr<Module> module;
  Launch launch;
};

} // namespace

TEST_F(VgpuRecording, GivesBackMemoryBeforeEachLaunch) {
  Memory memory;
  uint64_t first = memory.allocate(1000, "first", 256, /*track=*/true), second = memory.allocate(7, "second"), third;
  {
    Recorder recorder(path);
    *static_cast<uint8_t *>(memory.host(first + 999, 1)) = 5;
    recorder.take(memory, launch);
    *static_cast<uint8_t *>(memory.host(first + 999, 1)) = 6;
    *static_cast<uint8_t *>(memory.host(first, 1)) = 7;
    memory.release(second);
    third = memory.allocate(5000, "third", 512);
    memory.find(third, 1)->readOnly = true;
    memory.find(third, 1)->data[4999] = 8;
    recorder.take(memory, launch);
  }
  Recording recording(path);
  for (int round = 0; round < 2; ++round) {
    Memory again;
    std::string kernel;
    Launch found;
    ASSERT_TRUE(recording.next(again, kernel, found));
    EXPECT_EQ(kernel, "k");
    EXPECT_EQ(found.grid[0], 3u);
    EXPECT_EQ(found.block[1], 4u);
    EXPECT_EQ(found.dynamicShared, 16u);
    EXPECT_EQ(found.parameters, launch.parameters);
    EXPECT_EQ(again.allocations().size(), 2u);
    EXPECT_EQ(byte(again, first + 999), 5);
    EXPECT_EQ(byte(again, first), 0);
    EXPECT_EQ(again.find(first, 1)->name, "first");
    // Which bytes may be read is known, too.
    EXPECT_EQ(again.find(first, 1)->written[999 / 8], 1 << 999 % 8);
    EXPECT_EQ(again.find(first, 1)->written[0], 0);
    EXPECT_TRUE(again.find(second, 7)->written.empty());
    ASSERT_TRUE(recording.next(again, kernel, found));
    EXPECT_EQ(again.find(second, 1), nullptr);
    EXPECT_EQ(byte(again, first + 999), 6);
    EXPECT_EQ(byte(again, first), 7);
    EXPECT_EQ(again.find(first, 1)->written[0], 1);
    EXPECT_EQ(byte(again, third + 4999), 8);
    EXPECT_TRUE(again.find(third, 5000)->readOnly);
    EXPECT_FALSE(recording.next(again, kernel, found));
    recording.rewind();
  }
}

TEST_F(VgpuRecording, RefusesWhatItDidNotWrite) {
  auto message = [&](const std::string &content) {
    std::ofstream(path, std::ios::binary) << content;
    try {
      Recording recording(path);
      Memory memory;
      std::string kernel;
      Launch found;
      while (recording.next(memory, kernel, found)) {
      }
    } catch (const Error &error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  std::string magic = "samba vgpu recording 1\n", number(8, '\x7f'), small("\1\0\0\0\0\0\0\0", 8);
  EXPECT_EQ(message("something else"), path + ": no recording of launches");
  EXPECT_EQ(message(magic), "nothing");
  EXPECT_EQ(message(magic + "x"), path + ": byte 23 is 120, expected a, f, d, w or l");
  EXPECT_EQ(message(magic + "l" + small), path + ": ends at byte 32, expected 1 more");
  EXPECT_EQ(message(magic + "l" + number.substr(1)), path + ": ends at byte 24 within a number");
  EXPECT_NE(message(magic + "f" + number).find("release of an address that is no allocation"), std::string::npos);
  EXPECT_EQ(message(magic + "d" + number), path + ": no allocation at 9187201950435737471");
}

TEST(VgpuMemory, PlacesAllocationsInOrder) {
  Memory memory;
  uint64_t first = memory.allocate(100, "first");
  memory.place(first + (1 << 21), 10, "second", false);
  EXPECT_NE(memory.find(first + (1 << 21), 10), nullptr);
  EXPECT_THROW(memory.place(first, 10, "third", false), Error);
  EXPECT_GT(memory.allocate(1, "fourth"), first + (1 << 21) + 10);
}
