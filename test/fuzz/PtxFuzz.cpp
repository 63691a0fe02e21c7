//===- PtxFuzz.cpp - fuzzes the PTX parser, decoder and executor ---------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Vgpu.h"

#include <new>
#include <string_view>

using namespace samba::vgpu;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  try {
    auto module = Module::parse(std::string_view(reinterpret_cast<const char *>(data), size), 90);
    Memory memory(1 << 20);
    Options options;
    options.threads = 1;
    options.watchdog = 2000;
    options.arch = 90;
    uint64_t buffer = memory.allocate(4096, "buffer");
    for (const std::string &name : module->kernels()) {
      Launch launch;
      launch.kernel = module->find(name);
      launch.block[0] = 64;
      launch.dynamicShared = 1024;
      // Every argument is the address of the buffer.
      launch.parameters.resize(info(*launch.kernel).parameterBytes);
      for (size_t k = 0; k + 8 <= launch.parameters.size(); k += 8)
        for (size_t byte = 0; byte < 8; ++byte)
          launch.parameters[k + byte] = static_cast<uint8_t>(buffer >> 8 * byte);
      Executor executor(memory, options);
      try {
        executor.run(launch);
      } catch (const Fault &) {
      }
      executor.unload(*module);
    }
  } catch (const Error &) {
  } catch (const std::bad_alloc &) {
  }
  return 0;
}
