//===- Device.h - runs PTX of a test ---------------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TEST_UNIT_VGPU_DEVICE_H
#define TEST_UNIT_VGPU_DEVICE_H

#include "runtime/vgpu/Vgpu.h"

#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace samba::vgpu::test {

/// A device with buffers, and launches whose arguments are given in order.
struct Device {
  explicit Device(Options options = {}) : executor(memory, options), arch(options.arch) {}

  template <typename T> uint64_t buffer(const std::vector<T> &values, const std::string &name = "buffer") {
    uint64_t address = memory.allocate(values.size() * sizeof(T), name);
    std::memcpy(memory.host(address, values.size() * sizeof(T)), values.data(), values.size() * sizeof(T));
    return address;
  }
  template <typename T> std::vector<T> read(uint64_t address, size_t count) {
    std::vector<T> values(count);
    std::memcpy(values.data(), memory.host(address, count * sizeof(T)), count * sizeof(T));
    return values;
  }
  void load(const std::string &ptx) { module = Module::parse(ptx, arch); }

  template <typename... Arguments> void launch(uint32_t grid, uint32_t block, Arguments... arguments) {
    Launch launch;
    launch.kernel = module->find(module->kernels().at(0));
    launch.grid[0] = grid;
    launch.block[0] = block;
    launch.dynamicShared = dynamicShared;
    (append(launch.parameters, arguments), ...);
    executor.run(launch);
  }
  /// The check that a launch runs into, and its message; "" for none.
  template <typename... Arguments> std::string finding(uint32_t grid, uint32_t block, Arguments... arguments) {
    try {
      launch(grid, block, arguments...);
    } catch (const Fault &fault) {
      message = fault.finding().message;
      return fault.finding().check;
    }
    message.clear();
    return "";
  }

  Memory memory;
  Executor executor;
  int arch;
  std::unique_ptr<Module> module;
  uint32_t dynamicShared = 0;
  std::string message;

private:
  template <typename T> static void append(std::vector<uint8_t> &to, T value) {
    to.resize((to.size() + sizeof(T) - 1) / sizeof(T) * sizeof(T));
    const auto *bytes = reinterpret_cast<const uint8_t *>(&value);
    to.insert(to.end(), bytes, bytes + sizeof(T));
  }
};

/// A module with one kernel `k` of these parameters ("u64" each, p0 p1 ...) and this body. Registers %r, %rd, %f, %fd,
/// %h (16 bits) and %p are there in plenty, %r0 is the thread, %rd0 ... hold the parameters.
inline std::string kernel(unsigned parameters, const std::string &body, const std::string &before = "",
                          const std::string &directives = "") {
  std::string text = ".version 8.0\n.target sm_80\n.address_size 64\n" + before + ".visible .entry k(";
  for (unsigned k = 0; k < parameters; ++k)
    text += (k ? ", .param .u64 p" : ".param .u64 p") + std::to_string(k);
  text += ")" + directives +
          " {\n.reg .pred %p<16>;\n.reg .b16 %h<64>;\n.reg .b32 %r<64>;\n.reg .f32 %f<64>;\n.reg .b64 %rd<64>;\n"
          ".reg .f64 %fd<64>;\nmov.u32 %r0, %tid.x;\n";
  for (unsigned k = 0; k < parameters; ++k)
    text += "ld.param.u64 %rd" + std::to_string(k) + ", [p" + std::to_string(k) + "];\n";
  return text + body + "\nret;\n}\n";
}

} // namespace samba::vgpu::test

#endif // TEST_UNIT_VGPU_DEVICE_H
