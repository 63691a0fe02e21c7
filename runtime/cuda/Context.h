//===- Context.h - one GPU, its memory and its modules ---------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_CUDA_CONTEXT_H
#define RUNTIME_CUDA_CONTEXT_H

#include "runtime/Artefact.h"
#include "runtime/cuda/Driver.h"

#include <mutex>

namespace samba::runtime::cuda {

/// A GPU with a stream. All that belongs to it holds it.
class Context {
public:
  Context(std::shared_ptr<const Driver> driver, int ordinal);
  Context(const Context &) = delete;
  ~Context();

  /// Makes the context current on this thread and keeps other threads from using its stream meanwhile.
  class Lock {
  public:
    explicit Lock(const Context &context);

  private:
    std::lock_guard<std::recursive_mutex> guard;
  };

  const Driver &driver() const { return *library; }
  StreamHandle stream() const { return queue; }
  /// Compute capability times 10.
  int capability() const { return arch; }
  /// "cuda:0 NVIDIA H100 (sm_90)".
  const std::string &description() const { return text; }

  void check(Result result, const char *what) const {
    if (result != Success)
      library->fail(result, what);
  }
  /// Waits for all that the stream was given. `what` is for messages.
  void synchronise(const char *what) const { check(library->streamSynchronize(queue), what); }

private:
  std::shared_ptr<const Driver> library;
  int device = 0, arch = 0;
  std::string text;
  ContextHandle handle = nullptr;
  StreamHandle queue = nullptr;
  mutable std::recursive_mutex mutex;
};

/// Memory of the GPU.
class DeviceBuffer {
public:
  DeviceBuffer() = default;
  /// `what` ("weights") is for messages. Throws SAMBA_ERROR_MEMORY. 0 bytes take a few all the same.
  DeviceBuffer(std::shared_ptr<const Context> context, uint64_t bytes, const std::string &what);
  DeviceBuffer(DeviceBuffer &&other) noexcept { swap(other); }
  DeviceBuffer &operator=(DeviceBuffer &&other) noexcept {
    swap(other);
    return *this;
  }
  ~DeviceBuffer();

  DevicePointer address() const { return pointer; }
  explicit operator bool() const { return pointer != 0; }

private:
  void swap(DeviceBuffer &other) noexcept {
    std::swap(context, other.context);
    std::swap(pointer, other.pointer);
  }
  std::shared_ptr<const Context> context;
  DevicePointer pointer = 0;
};

/// Memory of the host that the GPU copies from and to on its own.
class PinnedBuffer {
public:
  PinnedBuffer() = default;
  PinnedBuffer(std::shared_ptr<const Context> context, uint64_t bytes, const std::string &what);
  PinnedBuffer(PinnedBuffer &&other) noexcept { swap(other); }
  PinnedBuffer &operator=(PinnedBuffer &&other) noexcept {
    swap(other);
    return *this;
  }
  ~PinnedBuffer();

  char *data() const { return static_cast<char *>(pointer); }

private:
  void swap(PinnedBuffer &other) noexcept {
    std::swap(context, other.context);
    std::swap(pointer, other.pointer);
  }
  std::shared_ptr<const Context> context;
  void *pointer = nullptr;
};

/// The kernels of an artefact: of the image that suits the GPU best and that the driver takes.
class LoadedImage {
public:
  LoadedImage(std::shared_ptr<const Context> context, const Artefact &artefact);
  LoadedImage(const LoadedImage &) = delete;
  ~LoadedImage();

  /// Throws SAMBA_ERROR_FORMAT if there is none of that name.
  FunctionHandle function(const std::string &name) const;
  /// Which of the artefact's programs are made of these kernels (GpuProgram::exact).
  int programs() const { return exact; }

private:
  Result load(const GpuImage &image, std::string &log);

  std::shared_ptr<const Context> context;
  const Artefact &artefact;
  ModuleHandle module = nullptr;
  int exact = 0;
};

} // namespace samba::runtime::cuda

#endif // RUNTIME_CUDA_CONTEXT_H
