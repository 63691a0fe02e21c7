//===- Limits.cpp - how fast this machine can be --------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-bench/Limits.h"

#include "runtime/Cpu.h"
#include "tools/samba-bench/PeakLoops.h"
#include "tools/samba-bench/Statistics.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <new>
#include <nlohmann/json.hpp>
#include <omp.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

using namespace samba::bench;
using nlohmann::ordered_json;

namespace {

constexpr size_t bufferBytes = size_t(512) << 20;
constexpr double roundSeconds = 0.002; // less than the time for which a system lets a program run

/// The seconds from when the first thread begins until the last one ends.
double timeRound(int threads, const std::function<void(int)> &work) {
  std::vector<double> begins(static_cast<size_t>(threads)), ends(begins);
  int granted = 1;
#pragma omp parallel num_threads(threads)
  {
    int thread = omp_get_thread_num();
#pragma omp single
    granted = omp_get_num_threads();
    begins[static_cast<size_t>(thread)] = now();
    work(thread);
    ends[static_cast<size_t>(thread)] = now();
  }
  if (granted < threads)
    throw std::runtime_error("the system grants " + std::to_string(granted) + " threads, expected " +
                             std::to_string(threads));
  return *std::max_element(ends.begin(), ends.end()) - *std::min_element(begins.begin(), begins.end());
}

/// The best rate of rounds that together take about `seconds`, at least three.
double bestRate(int threads, double seconds, double amount, const std::function<void(int)> &work) {
  double best = 0, end = now() + seconds;
  for (int round = 0; round < 3 || now() < end; ++round)
    best = std::max(best, amount / std::max(1e-9, timeRound(threads, work)));
  return best;
}

double measurePeak(const PeakLoop &loop, int threads, double seconds) {
  constexpr uint64_t few = 4096;
  loop.run(few); // wide units may have to wake up
  double start = now();
  loop.run(few);
  auto iterations = std::max(few, static_cast<uint64_t>(few * roundSeconds / std::max(1e-7, now() - start)));
  // A disturbed calibration must not make rounds long or short without end.
  iterations = std::min<uint64_t>(iterations, few * 1000);
  return bestRate(threads, seconds, loop.operationsPerIteration * static_cast<double>(iterations) * threads,
                  [&](int) { loop.run(iterations); });
}

/// One number of the statistics of each limit.
Limits combine(const std::vector<Limits> &probes, double Statistics::*number) {
  auto of = [&](auto get) {
    std::vector<double> values;
    for (const Limits &limits : probes)
      if (std::optional<double> value = get(limits))
        values.push_back(*value);
    return values.empty() ? std::nullopt : std::optional<double>(Statistics(values).*number);
  };
  Limits result;
  result.f32 = *of([](const Limits &l) { return std::optional<double>(l.f32); });
  result.bf16 = of([](const Limits &l) { return l.bf16; });
  result.int8 = of([](const Limits &l) { return l.int8; });
  result.read = *of([](const Limits &l) { return std::optional<double>(l.read); });
  return result;
}

std::string lineOf(const char *path, const std::string &key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (line.compare(0, key.size(), key) == 0) {
      size_t value = line.find_first_not_of(" \t:", key.size());
      return value == std::string::npos ? "" : line.substr(value);
    }
  return "";
}

} // namespace

Limits samba::bench::median(const std::vector<Limits> &probes) { return combine(probes, &Statistics::median); }
Limits samba::bench::best(const std::vector<Limits> &probes) { return combine(probes, &Statistics::maximum); }

ordered_json samba::bench::toJson(const Limits &limits) {
  auto optional = [](std::optional<double> value) { return value ? ordered_json(*value) : ordered_json(nullptr); };
  return {{"f32_flops_per_s", limits.f32},
          {"bf16_flops_per_s", optional(limits.bf16)},
          {"int8_ops_per_s", optional(limits.int8)},
          {"read_bytes_per_s", limits.read}};
}

void LimitProbe::Unmap::operator()(void *pointer) const { ::munmap(pointer, bytes); }

void LimitProbe::makeBuffer() {
  void *memory = ::mmap(nullptr, bufferBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    throw std::bad_alloc();
  buffer = {memory, Unmap{bufferBytes}};
#ifdef MADV_HUGEPAGE
  ::madvise(memory, bufferBytes, MADV_HUGEPAGE); // a limit of the memory, not of its page tables
#endif
  std::memset(memory, 1, bufferBytes);
}

Limits LimitProbe::measure(int threads, double seconds) {
  if (!buffer)
    makeBuffer();
  Limits limits;
  limits.f32 = measurePeak(f32Peak(), threads, seconds);
  if (std::optional<PeakLoop> loop = bf16Peak())
    limits.bf16 = measurePeak(*loop, threads, seconds);
  if (std::optional<PeakLoop> loop = int8Peak())
    limits.int8 = measurePeak(*loop, threads, seconds);
  size_t part = bufferBytes / static_cast<size_t>(threads) / 1024 * 1024;
  // Short rounds again: each reads a piece, and comes back to it only after all others.
  size_t pieces = std::max<size_t>(1, std::min<size_t>(8, part >> 20)), piece = part / pieces / 1024 * 1024, turn = 0;
  const char *data = static_cast<const char *>(buffer.get());
  double amount = static_cast<double>(piece) * threads;
  std::vector<double> rates;
  for (double end = now() + seconds; rates.size() < pieces || now() < end; ++turn) {
    size_t offset = turn % pieces * piece;
    rates.push_back(amount / timeRound(threads, [&](int thread) {
                      readMemory(data + static_cast<size_t>(thread) * part + offset, piece);
                    }));
  }
  limits.read = *std::max_element(rates.begin(), rates.end());
  return limits;
}

double samba::bench::loadAverage() {
  double load = -1;
  return ::getloadavg(&load, 1) == 1 ? load : -1;
}

int samba::bench::usableCores() { return omp_get_num_procs(); }

ordered_json samba::bench::describeMachine() {
  std::string name = lineOf("/proc/cpuinfo", "model name");
  ordered_json features = ordered_json::array();
  for (const char *feature : {"avx2", "fma", "avx512f", "avx512bf16", "avx512vnni", "amx-bf16", "amx-int8"})
    if (runtime::cpuSupports(feature))
      features.push_back(feature);
  ordered_json machine = {{"cpu", name.empty() ? std::string(runtime::machineArchitecture()) : name},
                          {"architecture", runtime::machineArchitecture()},
                          {"features", features},
                          {"usable_cores", usableCores()},
                          {"memory_bytes", static_cast<int64_t>(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGESIZE)}};
  // What one core sees; sysconf may count the caches of the whole package.
  for (auto [key, path] : {std::pair("l2", "/sys/devices/system/cpu/cpu0/cache/index2/size"),
                           {"l3", "/sys/devices/system/cpu/cpu0/cache/index3/size"}})
    machine[key] = lineOf(path, "");
  machine["instructions"] = {{"f32", f32Peak().instruction},
                             {"bf16", bf16Peak() ? ordered_json(bf16Peak()->instruction) : ordered_json(nullptr)},
                             {"int8", int8Peak() ? ordered_json(int8Peak()->instruction) : ordered_json(nullptr)}};
  machine["load_average"] = loadAverage();
  return machine;
}
