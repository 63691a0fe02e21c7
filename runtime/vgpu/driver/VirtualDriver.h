//===- VirtualDriver.h - what the CUDA entry points act on -----*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A driver that is as unhelpful as a real one may be: what a stream is given runs at the last moment at which it must
// have run, so that a host that forgets to wait reads old results; a failure of a kernel shows when the host waits, and
// stays.
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_VGPU_DRIVER_VIRTUALDRIVER_H
#define RUNTIME_VGPU_DRIVER_VIRTUALDRIVER_H

#include "runtime/cuda/DriverApi.h"
#include "runtime/vgpu/Recording.h"
#include "runtime/vgpu/driver/Settings.h"

#include <functional>
#include <memory>
#include <mutex>

namespace samba::runtime::cuda {

using Work = std::function<void()>;

// What the handles of the driver point to.

struct OpaqueFunction {
  std::string name;
  const vgpu::Kernel *kernel;
  vgpu::KernelInfo info;
  uint64_t dynamicShared = 48 << 10; // bytes that a launch may have
};

struct OpaqueModule {
  std::unique_ptr<vgpu::Module> code;
  std::map<std::string, OpaqueFunction> functions;
};

struct OpaqueGraph {
  std::vector<Work> work;
};

struct OpaqueGraphExec {
  std::vector<Work> work;
};

struct OpaqueStream {
  std::vector<Work> queue;
  std::unique_ptr<OpaqueGraph> recording;
};

struct OpaqueContext {
  explicit OpaqueContext(const vgpu::Settings &settings) : memory(settings.memory), executor(memory, settings.options) {
    if (!settings.record.empty())
      recorder = std::make_unique<vgpu::Recorder>(settings.record);
  }

  /// Gives a stream something to do.
  void submit(OpaqueStream &stream, Work work);
  /// Does what a stream was given; keeps the first failure.
  void flush(OpaqueStream &stream);
  void flushAll();
  bool isPinned(const void *begin, size_t bytes) const;

  vgpu::Memory memory;
  vgpu::Executor executor;
  std::unique_ptr<vgpu::Recorder> recorder; // if launches are recorded
  std::map<ModuleHandle, std::unique_ptr<OpaqueModule>> modules;
  std::map<StreamHandle, std::unique_ptr<OpaqueStream>> streams;
  std::map<GraphHandle, std::unique_ptr<OpaqueGraph>> graphs;
  std::map<GraphExecHandle, std::unique_ptr<OpaqueGraphExec>> executables;
  std::map<const char *, size_t> pinned; // memory of the host, and its bytes
  Result failure = Success;              // of a kernel
  std::string failureText;
};

} // namespace samba::runtime::cuda

namespace samba::vgpu {

/// A result other than success, and what there is to say about it.
struct Refusal {
  runtime::cuda::Result result;
  std::string message;
};

/// The one device of this library.
class VirtualDriver {
public:
  static VirtualDriver &get();

  /// Runs the body of an entry point. One at a time, and only if no failure is due by the settings.
  template <typename Body> runtime::cuda::Result entry(const char *name, Body body) noexcept {
    std::lock_guard<std::mutex> lock(mutex);
    try {
      failIfDue(name);
      body();
      return runtime::cuda::Success;
    } catch (const Refusal &refusal) {
      message = refusal.message;
      return refusal.result;
    } catch (const std::bad_alloc &) {
      message = "";
      return runtime::cuda::OutOfMemory;
    } catch (const std::exception &error) {
      message = error.what();
      return runtime::cuda::InvalidValue;
    }
  }

  /// Throws unless cuInit was called.
  void requireInitialised() const;
  /// The one that is current on this thread. Throws if there is none or if it has failed.
  runtime::cuda::OpaqueContext &context();
  void configure(const std::string &text);

  Settings settings;
  bool initialised = false;
  std::unique_ptr<runtime::cuda::OpaqueContext> primary;
  int retained = 0; // how often

  static thread_local runtime::cuda::OpaqueContext *current;
  static thread_local std::string message; // of the last failure

private:
  void failIfDue(const char *name);

  std::map<std::string, uint64_t> calls; // of entry points that are to fail
  std::mutex mutex;
};

/// The name and the text of a result; null if it is unknown.
const char *resultName(runtime::cuda::Result result);
const char *resultText(runtime::cuda::Result result);

} // namespace samba::vgpu

#endif // RUNTIME_VGPU_DRIVER_VIRTUALDRIVER_H
