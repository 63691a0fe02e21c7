//===- VirtualDevice.cpp - kernels on the virtual device ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/unit/goldens/VirtualDevice.h"

#include "runtime/vgpu/TensorMap.h"
#include "runtime/vgpu/Vgpu.h"
#include <cstring>

using namespace samba::reference::test;

namespace {

samba::vgpu::Options optionsFor(uint64_t seed, int arch) {
  samba::vgpu::Options options;
  options.seed = seed;
  options.arch = arch;
  options.globalRaces = true;
  return options;
}

} // namespace

struct VirtualDevice::State {
  State(uint64_t seed, int arch) : arch(arch), executor(memory, optionsFor(seed, arch)) {}
  int arch;
  samba::vgpu::Memory memory;
  samba::vgpu::Executor executor;
  std::unique_ptr<samba::vgpu::Module> module;
};

VirtualDevice::VirtualDevice(uint64_t seed, int arch) : state(std::make_unique<State>(seed, arch)) {}
VirtualDevice::~VirtualDevice() {
  if (state->module)
    state->executor.unload(*state->module);
}

std::string VirtualDevice::load(const std::string &ptx) {
  try {
    state->module = samba::vgpu::Module::parse(ptx, state->arch);
    return "";
  } catch (const std::exception &error) {
    return error.what();
  }
}

uint64_t VirtualDevice::allocate(uint64_t bytes, const std::string &name, bool track) {
  return state->memory.allocate(bytes, name, 256, track);
}

void VirtualDevice::release(uint64_t address) { state->memory.release(address); }
void VirtualDevice::forget(uint64_t address) { state->memory.forget(address); }

void VirtualDevice::write(uint64_t address, const void *data, uint64_t bytes) {
  if (bytes)
    std::memcpy(state->memory.host(address, bytes), data, bytes);
}

void VirtualDevice::read(uint64_t address, void *data, uint64_t bytes) {
  if (bytes)
    std::memcpy(data,
                state->memory.find(address, bytes)->data + (address - state->memory.find(address, bytes)->address),
                bytes);
}

void VirtualDevice::appendMap(std::vector<uint64_t> &arguments, uint64_t address, uint64_t width, uint64_t rows,
                              uint64_t strideBytes, uint16_t boxRows) {
  samba::vgpu::TensorMap map;
  map.elementBytes = 2;
  map.rank = 2;
  map.swizzle = 128;
  map.address = address;
  map.sizes[0] = width;
  map.sizes[1] = rows;
  map.strides[0] = strideBytes;
  map.box[0] = 64;
  map.box[1] = boxRows;
  constexpr size_t words = sizeof(map) / sizeof(uint64_t), alignment = 8;
  size_t at = (arguments.size() + alignment - 1) / alignment * alignment;
  arguments.resize(at + words);
  std::memcpy(arguments.data() + at, &map, sizeof(map));
}

std::string VirtualDevice::launch(const Launch &launch) {
  try {
    samba::vgpu::Launch run;
    run.kernel = state->module->find(launch.kernel);
    if (!run.kernel)
      return "no kernel '" + launch.kernel + "'";
    std::copy(launch.grid, launch.grid + 3, run.grid);
    run.block[0] = launch.threads;
    run.dynamicShared = launch.sharedBytes;
    run.parameters.resize(launch.arguments.size() * sizeof(uint64_t));
    std::memcpy(run.parameters.data(), launch.arguments.data(), run.parameters.size());
    state->executor.run(run);
    return "";
  } catch (const std::exception &error) {
    return error.what();
  }
}

std::string VirtualDevice::counters() const { return toJson(state->executor.counters()); }
