//===- Executor.cpp - launches kernels -----------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Block.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>

using namespace samba::vgpu;

Module::Module(std::unique_ptr<Program> program) : contents(std::move(program)) {}
Module::~Module() = default;

std::unique_ptr<Module> Module::parse(std::string_view ptx, int arch) {
  auto program = std::make_unique<Program>();
  program->source = ptx::parse(ptx);
  for (const ptx::Function &function : program->source.functions)
    if (function.entry && function.body)
      program->kernels.push_back(decodeKernel(*program, function, arch));
  return std::unique_ptr<Module>(new Module(std::move(program)));
}

const Kernel *Module::find(std::string_view name) const {
  for (const auto &kernel : contents->kernels)
    if (kernel->name == name)
      return kernel.get();
  return nullptr;
}

std::vector<std::string> Module::kernels() const {
  std::vector<std::string> names;
  for (const auto &kernel : contents->kernels)
    names.push_back(kernel->name);
  return names;
}

KernelInfo samba::vgpu::info(const Kernel &kernel) {
  KernelInfo result;
  result.parameterBytes = kernel.parameterBytes;
  result.parameters = kernel.parameters;
  result.staticShared = kernel.sharedBytes;
  result.localBytes = kernel.plainLocalBytes;
  result.maxThreads = kernel.maxThreads;
  return result;
}

struct Executor::State {
  State(Memory &memory, const Options &options) : memory(memory), options(options) {}
  const std::vector<uint64_t> &variables(const Program &program);
  void check(const Launch &launch) const;
  void collect(const std::vector<Counters> &parts, const Launch &launch);

  Memory &memory;
  Options options;
  std::map<const Program *, std::vector<uint64_t>> loaded;
  std::map<std::string, Counters> counters;
};

const std::vector<uint64_t> &Executor::State::variables(const Program &program) {
  auto found = loaded.find(&program);
  if (found != loaded.end())
    return found->second;
  std::vector<uint64_t> addresses;
  std::map<std::string_view, uint64_t> byName;
  const std::vector<ptx::Variable> &all = program.source.variables;
  for (const ptx::Variable &variable : all) {
    bool lives = variable.space == ptx::Space::Global || variable.space == ptx::Space::Constant;
    addresses.push_back(lives ? memory.allocate(variable.bytes, std::string(variable.name), variable.align) : 0);
    byName[variable.name] = addresses.back();
  }
  for (size_t v = 0; v < all.size(); ++v) {
    const ptx::Variable &variable = all[v];
    if (!addresses[v])
      continue;
    size_t element = variable.type.bits / 8;
    for (size_t k = 0; k < variable.initial.size() && (k + 1) * element <= variable.bytes; ++k) {
      uint64_t value = variable.initial[k].value;
      if (!variable.initial[k].symbol.empty()) {
        auto symbol = byName.find(variable.initial[k].symbol);
        if (symbol == byName.end() || element != 8)
          throw Error("PTX line " + std::to_string(variable.line) + ": '" + std::string(variable.initial[k].symbol) +
                      "' is no variable whose address '" + std::string(variable.name) + "' can hold");
        value += symbol->second;
      }
      std::memcpy(static_cast<uint8_t *>(memory.host(addresses[v], variable.bytes)) + k * element, &value, element);
    }
    if (variable.space == ptx::Space::Constant)
      memory.find(addresses[v], 0)->readOnly = true;
  }
  return loaded[&program] = std::move(addresses);
}

void Executor::State::check(const Launch &launch) const {
  if (!launch.kernel)
    throw Error("launch without a kernel");
  const Kernel &kernel = *launch.kernel;
  auto wrong = [&](const std::string &what, uint64_t found, uint64_t expected) {
    throw Error("launch of '" + kernel.name + "': " + what + " " + std::to_string(found) + ", expected " +
                std::to_string(expected));
  };
  if (launch.parameters.size() != kernel.parameterBytes)
    wrong("bytes of parameters", launch.parameters.size(), kernel.parameterBytes);
  static const uint32_t most[] = {1024, 1024, 64};
  for (unsigned k = 0; k < 3; ++k) {
    if (launch.block[k] == 0 || launch.block[k] > most[k])
      throw Error("launch of '" + kernel.name + "': block size " + std::to_string(launch.block[k]) + " in dimension " +
                  std::to_string(k) + ", expected 1 to " + std::to_string(most[k]));
    uint32_t limit = k ? 65535 : 0x7fffffff;
    if (launch.grid[k] == 0 || launch.grid[k] > limit)
      throw Error("launch of '" + kernel.name + "': grid size " + std::to_string(launch.grid[k]) + " in dimension " +
                  std::to_string(k) + ", expected 1 to " + std::to_string(limit));
  }
  uint64_t threads = uint64_t(launch.block[0]) * launch.block[1] * launch.block[2];
  if (threads > kernel.maxThreads)
    throw Error("launch of '" + kernel.name + "': " + std::to_string(threads) +
                " threads in a block, expected at most " + std::to_string(kernel.maxThreads));
  uint64_t shared = uint64_t(kernel.sharedBytes) + launch.dynamicShared;
  if (shared > options.sharedLimit)
    throw Error("launch of '" + kernel.name + "': " + std::to_string(shared) +
                " bytes of shared memory, expected at most " + std::to_string(options.sharedLimit));
}

void Executor::State::collect(const std::vector<Counters> &parts, const Launch &launch) {
  Counters &total = counters[launch.kernel->name];
  total.launches += 1;
  total.sharedBytes = std::max<uint64_t>(total.sharedBytes, launch.kernel->sharedBytes + launch.dynamicShared);
  for (const Counters &part : parts)
    total.add(part);
  for (const auto &entry : memory.allocations()) {
    Allocation &allocation = *entry.second;
    if (!allocation.touched.exchange(false))
      continue;
    auto take = [&](std::atomic<uint64_t> *words) {
      uint64_t bits = 0;
      for (size_t k = 0; k < allocation.sectorWords(); ++k)
        if (words[k].load(std::memory_order_relaxed))
          bits += static_cast<unsigned>(__builtin_popcountll(words[k].exchange(0, std::memory_order_relaxed)));
      return bits * 32;
    };
    total.uniqueBytesRead += take(allocation.readSectors.get());
    total.uniqueBytesWritten += take(allocation.writtenSectors.get());
  }
}

Executor::Executor(Memory &memory, Options options) : state(std::make_unique<State>(memory, options)) {}
Executor::~Executor() = default;

void Executor::run(const Launch &launch) {
  state->check(launch);
  const Kernel &kernel = *launch.kernel;
  const std::vector<uint64_t> &variables = state->variables(*kernel.program);
  LaunchContext context{kernel, launch, state->memory, state->options, kernel.constants, 0, true, true, false};
  context.threads = uint64_t(launch.block[0]) * launch.block[1] * launch.block[2];
  context.counting = state->options.counters;
  context.checking = state->options.check;
  // With atomics blocks may agree on an order; without, there is none.
  context.globalRaces = state->options.globalRaces && !kernel.ordered;
  for (const auto &entry : state->memory.allocations())
    if (context.globalRaces)
      Memory::startTraces(*entry.second);
  for (const Kernel::Relocation &relocation : kernel.relocations) {
    uint64_t value = variables[relocation.variable] + static_cast<uint64_t>(relocation.addend);
    for (unsigned lane = 0; lane < lanes; ++lane)
      std::memcpy(context.constants.data() + (relocation.offset - kernel.registerBytes) + lane * 8, &value, 8);
  }
  uint64_t blocks = uint64_t(launch.grid[0]) * launch.grid[1] * launch.grid[2];
  uint64_t threads = state->options.threads > 0 ? static_cast<uint64_t>(state->options.threads)
                                                : std::max(1u, std::thread::hardware_concurrency());
  threads = kernel.ordered || context.globalRaces ? 1 : std::min(threads, blocks);

  // Blocks are taken in order. A finding stops those after it, and of several the first block's is reported.
  std::atomic<uint64_t> next{0}, failed{UINT64_MAX};
  std::mutex mutex;
  std::exception_ptr error;
  std::vector<Counters> parts(threads);
  auto work = [&](uint64_t worker) {
    uint64_t index = 0;
    try {
      Block block(context);
      while ((index = next.fetch_add(1)) < blocks && index < failed.load())
        block.run(index);
      parts[worker] = block.counters;
    } catch (...) {
      std::lock_guard<std::mutex> lock(mutex);
      if (index < failed.load()) {
        failed = index;
        error = std::current_exception();
      }
    }
  };
  std::vector<std::thread> pool;
  for (uint64_t worker = 1; worker < threads; ++worker)
    pool.emplace_back(work, worker);
  work(0);
  for (std::thread &thread : pool)
    thread.join();
  state->collect(parts, launch);
  if (error)
    std::rethrow_exception(error);
}

uint64_t Executor::address(const Module &module, std::string_view variable) {
  const Program &program = module.program();
  const std::vector<uint64_t> &addresses = state->variables(program);
  for (size_t v = 0; v < addresses.size(); ++v)
    if (program.source.variables[v].name == variable && addresses[v])
      return addresses[v];
  throw Error("no variable '" + std::string(variable) + "'");
}

void Executor::unload(const Module &module) {
  auto found = state->loaded.find(&module.program());
  if (found == state->loaded.end())
    return;
  for (uint64_t address : found->second)
    if (address)
      state->memory.release(address);
  state->loaded.erase(found);
}

const std::map<std::string, Counters> &Executor::counters() const { return state->counters; }
void Executor::resetCounters() { state->counters.clear(); }
Options &Executor::options() { return state->options; }
