//===- Counters.cpp - what a kernel did ----------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Counters.h"

#include <algorithm>

using namespace samba::vgpu;

const char *samba::vgpu::nameOf(Class kind) {
  static const char *names[] = {"integer", "float",   "half",    "double", "special", "convert",
                                "move",    "control", "global",  "shared", "local",   "constant",
                                "atomic",  "shuffle", "barrier", "async",  "matrix",  "tensor"};
  return names[static_cast<size_t>(kind)];
}

void Traffic::add(const Traffic &other) {
  requests += other.requests;
  bytes += other.bytes;
  units += other.units;
  ideal += other.ideal;
}

void Counters::add(const Counters &other) {
  launches += other.launches;
  blocks += other.blocks;
  warps += other.warps;
  for (size_t k = 0; k < classes; ++k) {
    instructions[k] += other.instructions[k];
    lanes[k] += other.lanes[k];
  }
  globalLoads.add(other.globalLoads);
  globalStores.add(other.globalStores);
  sharedLoads.add(other.sharedLoads);
  sharedStores.add(other.sharedStores);
  uniqueBytesRead += other.uniqueBytesRead;
  uniqueBytesWritten += other.uniqueBytesWritten;
  ex2 += other.ex2;
  mma += other.mma;
  mmaFlops += other.mmaFlops;
  wgmmaFlops += other.wgmmaFlops;
  ldmatrix += other.ldmatrix;
  stmatrix += other.stmatrix;
  asyncBytes += other.asyncBytes;
  floatOperations += other.floatOperations;
  sharedBytes = std::max(sharedBytes, other.sharedBytes);
}

namespace {

// A few lines of JSON: numbers and names that PTX allows, which need no escapes but for what a test may invent.
struct Writer {
  std::string text;
  bool first = true;
  void key(const std::string &name) {
    text += first ? "\"" : ", \"";
    for (char c : name) {
      if (c == '"' || c == '\\')
        text += '\\';
      text += c;
    }
    text += "\": ";
    first = false;
  }
  void number(const std::string &name, uint64_t value) {
    key(name);
    text += std::to_string(value);
  }
  void open(const std::string &name) {
    key(name);
    text += "{";
    first = true;
  }
  void close() {
    text += "}";
    first = false;
  }
  void traffic(const std::string &name, const Traffic &traffic, const char *units) {
    open(name);
    number("requests", traffic.requests);
    number("bytes", traffic.bytes);
    number(units, traffic.units);
    number("ideal", traffic.ideal);
    close();
  }
};

} // namespace

std::string samba::vgpu::toJson(const std::map<std::string, Counters> &counters) {
  Writer w;
  w.text = "{";
  for (const auto &[name, c] : counters) {
    w.open(name);
    w.number("launches", c.launches);
    w.number("blocks", c.blocks);
    w.number("warps", c.warps);
    for (bool ofLanes : {false, true}) {
      w.open(ofLanes ? "lanes" : "instructions");
      for (size_t k = 0; k < classes; ++k)
        w.number(nameOf(static_cast<Class>(k)), ofLanes ? c.lanes[k] : c.instructions[k]);
      w.close();
    }
    w.traffic("global_loads", c.globalLoads, "sectors");
    w.traffic("global_stores", c.globalStores, "sectors");
    w.traffic("shared_loads", c.sharedLoads, "wavefronts");
    w.traffic("shared_stores", c.sharedStores, "wavefronts");
    w.number("unique_bytes_read", c.uniqueBytesRead);
    w.number("unique_bytes_written", c.uniqueBytesWritten);
    w.number("async_bytes", c.asyncBytes);
    w.number("ex2", c.ex2);
    w.number("float_operations", c.floatOperations);
    w.number("mma", c.mma);
    w.number("mma_flops", c.mmaFlops);
    w.number("wgmma_flops", c.wgmmaFlops);
    w.number("ldmatrix", c.ldmatrix);
    w.number("stmatrix", c.stmatrix);
    w.number("shared_bytes", c.sharedBytes);
    w.close();
  }
  return w.text + "}";
}
