//===- Vgpu.h - a virtual device that runs PTX -----------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A PTX interpreter with checks that no device has. `Module::parse` reads PTX, `Executor::run` launches a kernel of it
// on a `Memory`. docs/gpu.md lists the checks and says what they prove.
//
// Blocks run in parallel on threads. The result does not depend on the number of threads: kernels with atomic
// operations on global memory, whose order matters, run block after block.
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_VGPU_VGPU_H
#define RUNTIME_VGPU_VGPU_H

#include "runtime/vgpu/Counters.h"
#include "runtime/vgpu/Memory.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace samba::vgpu {

struct Options {
  int threads = 0;   // 0: one for each core
  uint64_t seed = 0; // chooses the order in which the warps of a block run
  bool check = true; // races, reads before writes and waits; addresses are always checked
  bool counters = true;
  bool globalRaces = false;              // blocks, warps and lanes of a launch that touch the same global bytes
  int arch = 80;                         // instructions of later architectures are refused; 90 means 90a
  uint64_t watchdog = uint64_t(1) << 31; // instructions of one warp
  uint32_t sharedLimit = 227 * 1024;     // bytes of shared memory that a block may have
};

/// What a check found.
struct Finding {
  std::string check; // "out-of-bounds", "misaligned", "race", "uninitialised", ...
  std::string kernel;
  std::string message; // one line; names PTX line, source location, block and thread
  uint32_t line = 0;   // of the PTX
};

/// A finding ends the launch.
class Fault : public std::runtime_error {
public:
  explicit Fault(Finding finding)
      : std::runtime_error(finding.kernel + ": " + finding.check + ": " + finding.message), found(std::move(finding)) {}
  const Finding &finding() const { return found; }

private:
  Finding found;
};

struct Kernel;  // decoded code
struct Program; // what a module has

/// The kernels and variables of a PTX text.
class Module {
public:
  /// Throws Error with the line and what is wrong with it; an instruction that the device does not know is an error.
  static std::unique_ptr<Module> parse(std::string_view ptx, int arch = 80);
  ~Module();
  const Kernel *find(std::string_view name) const;
  std::vector<std::string> kernels() const;
  const Program &program() const { return *contents; }

private:
  explicit Module(std::unique_ptr<Program> program);
  std::unique_ptr<Program> contents;
};

/// Sizes that a kernel asks for.
struct KernelInfo {
  uint64_t parameterBytes;                               // of the parameter block
  std::vector<std::pair<uint32_t, uint32_t>> parameters; // offset and size of each
  uint32_t staticShared, localBytes;
  uint32_t maxThreads; // of a block, as .maxntid or .reqntid says; 1024 without
};
KernelInfo info(const Kernel &kernel);

struct Launch {
  const Kernel *kernel = nullptr;
  uint32_t grid[3] = {1, 1, 1}, block[3] = {1, 1, 1};
  uint32_t dynamicShared = 0;
  std::vector<uint8_t> parameters;
};

class Executor {
public:
  explicit Executor(Memory &memory, Options options = {});
  ~Executor();
  /// Throws Fault when a check finds something, Error when the launch itself is wrong.
  void run(const Launch &launch);
  /// Address of a module's variable; allocates the module's variables.
  uint64_t address(const Module &module, std::string_view variable);
  /// Frees the module's variables. Call before the module goes away.
  void unload(const Module &module);

  const std::map<std::string, Counters> &counters() const;
  void resetCounters();
  Options &options();

private:
  struct State;
  std::unique_ptr<State> state;
};

} // namespace samba::vgpu

#endif // RUNTIME_VGPU_VGPU_H
