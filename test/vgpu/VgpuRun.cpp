//===- VgpuRun.cpp - runs launches on the virtual device -----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// samba-vgpu-run KERNELS.ptx LAUNCHES.json: for tests of single kernels, and for mutate_ptx.py. The JSON has
//   {"buffers": {"x": {"bytes": 4096, "fill": "f32"}}, "launches": [{"kernel": "k", "grid": [2], "block": [128],
//    "shared": 0, "args": [{"buffer": "x", "offset": 0}, {"i32": 5}, {"i64": 7}, {"f32": 0.5},
//    {"map": "x", "width": 100, "rows": 20, "stride": 208, "box": 64}]}]}
// A fill is "zero", "f32", "bf16" (small multiples of 1/4), "i32" (a ramp), "nothing": then reads before writes are
// findings, or a list of 32-bit words. A map describes a matrix of 2-byte elements in boxes of 64 columns.
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/TensorMap.h"
#include "test/vgpu/CommandLine.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace samba::vgpu;
using nlohmann::json;

namespace {

struct Arguments {
  std::string ptx, launches, write, compare, counters;
  double tolerance = 1e-5;
  Options options;
};

const char *usage = "usage: samba-vgpu-run KERNELS.ptx LAUNCHES.json [options]\n"
                    "  --write=FILE       write the buffers after the launches\n"
                    "  --compare=FILE     compare the buffers with a file of --write\n"
                    "  --tolerance=X      largest difference of f32 and bf16, relative to 1 or to the value (1e-5)\n"
                    "  --counters=FILE    write counters as JSON\n"
                    "  --seed=N           order in which warps run\n"
                    "  --arch=N           80 (default) or 90\n"
                    "  --watchdog=N       instructions of a warp after which it is stopped\n"
                    "  --no-check         no checks but those of addresses\n"
                    "Exit status: 0, 1 for errors, 2 for findings, 3 for differences.\n";

bool setOption(Arguments &to, const std::string &name, const std::string &value) {
  if (name == "--write")
    to.write = value;
  else if (name == "--compare")
    to.compare = value;
  else if (name == "--tolerance")
    to.tolerance = std::stod(value);
  else if (name == "--counters")
    to.counters = value;
  else if (name == "--seed")
    to.options.seed = std::stoull(value);
  else if (name == "--arch")
    to.options.arch = std::stoi(value);
  else if (name == "--watchdog")
    to.options.watchdog = std::stoull(value);
  else if (name == "--no-check")
    to.options.check = false;
  else
    return false;
  return true;
}

struct Buffer {
  uint64_t address, bytes;
  std::string fill;
};

void fill(uint8_t *to, uint64_t bytes, const std::string &kind) {
  uint64_t random = 0x9e3779b97f4a7c15u;
  auto quarter = [&] {
    random = random * 6364136223846793005u + 1442695040888963407u;
    return float(int(random >> 33) % 17 - 8) / 4;
  };
  size_t size = kind == "bf16" ? 2 : 4;
  for (uint64_t k = 0; k + size <= bytes; k += size) {
    uint32_t bits = static_cast<uint32_t>(k / 4);
    float value = quarter();
    if (kind != "i32")
      std::memcpy(&bits, &value, 4);
    if (kind == "bf16")
      bits >>= 16;
    std::memcpy(to + k, &bits, size);
  }
}

TensorMap mapOf(const json &value, uint64_t address) {
  TensorMap map;
  map.elementBytes = 2;
  map.rank = 2;
  map.swizzle = 128;
  map.address = address;
  map.sizes[0] = value.at("width");
  map.sizes[1] = value.at("rows");
  map.strides[0] = value.at("stride");
  map.box[0] = 64;
  map.box[1] = value.at("box");
  return map;
}

float real(const uint8_t *at, size_t size) {
  uint32_t bits = 0;
  std::memcpy(&bits, at, size);
  if (size == 2)
    bits <<= 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

int run(const Arguments &arguments) {
  std::string ptx = contents(arguments.ptx);
  json description = json::parse(contents(arguments.launches));
  auto module = Module::parse(ptx, arguments.options.arch);
  Memory memory;
  Executor executor(memory, arguments.options);
  std::map<std::string, Buffer> buffers;
  for (auto &[name, entry] : description.at("buffers").items()) {
    std::vector<int32_t> words;
    if (entry.contains("words"))
      words = entry["words"].get<std::vector<int32_t>>();
    std::string kind = words.empty() ? entry.value("fill", "zero") : "i32";
    uint64_t bytes = words.empty() ? entry.at("bytes").get<uint64_t>() : words.size() * 4;
    uint64_t address = memory.allocate(bytes, name, 256, kind == "nothing");
    if (!words.empty())
      std::memcpy(memory.host(address, bytes), words.data(), bytes);
    else if (kind != "zero" && kind != "nothing")
      fill(static_cast<uint8_t *>(memory.host(address, bytes)), bytes, kind);
    buffers[name] = {address, bytes, entry.value("holds", kind)};
  }
  for (const json &entry : description.at("launches")) {
    Launch launch;
    launch.kernel = module->find(entry.at("kernel").get<std::string>());
    if (!launch.kernel)
      throw Error("no kernel '" + entry.at("kernel").get<std::string>() + "'");
    for (size_t k = 0; k < 3; ++k) {
      launch.grid[k] = k < entry.at("grid").size() ? entry["grid"][k].get<uint32_t>() : 1;
      launch.block[k] = k < entry.at("block").size() ? entry["block"][k].get<uint32_t>() : 1;
    }
    launch.dynamicShared = entry.value("shared", 0u);
    KernelInfo parameters = info(*launch.kernel);
    launch.parameters.resize(parameters.parameterBytes);
    const json &values = entry.at("args");
    if (values.size() != parameters.parameters.size())
      throw Error("'" + entry["kernel"].get<std::string>() + "' takes " + std::to_string(parameters.parameters.size()) +
                  " arguments, got " + std::to_string(values.size()));
    for (size_t k = 0; k < values.size(); ++k) {
      uint64_t bits = 0;
      const json &value = values[k];
      auto [offset, size] = parameters.parameters[k];
      if (value.contains("map")) {
        TensorMap map = mapOf(value, buffers.at(value["map"]).address);
        if (size != sizeof(map))
          throw Error("argument " + std::to_string(k) + " has " + std::to_string(size) + " bytes, a map 128");
        std::memcpy(launch.parameters.data() + offset, &map, sizeof(map));
        continue;
      }
      if (value.contains("buffer")) {
        bits = buffers.at(value["buffer"]).address + value.value("offset", uint64_t(0));
      } else if (value.contains("f32")) {
        float single = value["f32"];
        std::memcpy(&bits, &single, 4);
      } else {
        bits =
            static_cast<uint64_t>(value.contains("i32") ? value["i32"].get<int64_t>() : value.at("i64").get<int64_t>());
      }
      std::memcpy(launch.parameters.data() + offset, &bits, size < 8 ? size : 8);
    }
    executor.run(launch);
  }
  std::string all;
  for (auto &[name, buffer] : buffers)
    all.append(static_cast<const char *>(memory.host(buffer.address, buffer.bytes)), buffer.bytes);
  if (!arguments.write.empty())
    std::ofstream(arguments.write, std::ios::binary) << all;
  if (!arguments.counters.empty())
    std::ofstream(arguments.counters) << toJson(executor.counters()) << "\n";
  if (arguments.compare.empty())
    return 0;
  std::string expected = contents(arguments.compare);
  if (expected.size() != all.size())
    throw Error(arguments.compare + ": " + std::to_string(expected.size()) + " bytes, expected " +
                std::to_string(all.size()));
  const auto *found = reinterpret_cast<const uint8_t *>(all.data()),
             *wanted = reinterpret_cast<const uint8_t *>(expected.data());
  for (auto &[name, buffer] : buffers) {
    size_t size = buffer.fill == "bf16" ? 2 : 4;
    bool isReal = buffer.fill == "bf16" || buffer.fill == "f32";
    for (uint64_t k = 0; k + size <= buffer.bytes; k += size) {
      if (std::memcmp(found + k, wanted + k, size) == 0)
        continue;
      float a = real(found + k, size), b = real(wanted + k, size);
      if (!isReal || !(std::fabs(a - b) <= arguments.tolerance * std::max(1.0f, std::fabs(b)))) {
        fprintf(stderr, "samba-vgpu-run: '%s' differs at byte %llu\n", name.c_str(),
                static_cast<unsigned long long>(k));
        return 3;
      }
    }
    found += buffer.bytes;
    wanted += buffer.bytes;
  }
  return 0;
}

} // namespace

int main(int argc, char **argv) {
  try {
    Arguments arguments;
    auto set = [&](const std::string &name, const std::string &value) { return setOption(arguments, name, value); };
    if (auto status = parseCommandLine(argc, argv, usage, {&arguments.ptx, &arguments.launches}, set))
      return *status;
    return run(arguments);
  } catch (const Fault &fault) {
    fprintf(stderr, "samba-vgpu-run: %s\n", fault.what());
    return 2;
  } catch (const std::exception &error) {
    fprintf(stderr, "samba-vgpu-run: %s\n", error.what());
    return 1;
  }
}
