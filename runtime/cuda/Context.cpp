//===- Context.cpp - one GPU, its memory and its modules -----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/cuda/Context.h"
#include "runtime/Error.h"

#include <algorithm>
#include <tuple>

using namespace samba::runtime;
using namespace samba::runtime::cuda;

//===----------------------------------------------------------------------===//
// Context
//===----------------------------------------------------------------------===//

Context::Context(std::shared_ptr<const Driver> opened, int ordinal) : library(std::move(opened)) {
  library->initialise();
  int count = 0;
  check(library->deviceGetCount(&count), "counting CUDA devices");
  if (ordinal >= count)
    throw Error(SAMBA_ERROR_DEVICE,
                "no CUDA device " + std::to_string(ordinal) + ": there are " + std::to_string(count));
  check(library->deviceGet(&device, ordinal), "opening the CUDA device");
  char name[256] = "";
  check(library->deviceGetName(name, sizeof(name), device), "asking for the name of the CUDA device");
  int major = 0, minor = 0;
  check(library->deviceGetAttribute(&major, ComputeCapabilityMajor, device), "asking for the compute capability");
  check(library->deviceGetAttribute(&minor, ComputeCapabilityMinor, device), "asking for the compute capability");
  arch = major * 10 + minor;
  text = (library->isVirtual() ? "virtual " : "cuda:" + std::to_string(ordinal) + " ") + name + " (sm_" +
         std::to_string(arch) + ")";
  check(library->devicePrimaryCtxRetain(&handle, device), "making a context on the CUDA device");
  Result result = library->ctxSetCurrent(handle);
  if (result == Success)
    result = library->streamCreate(&queue, streamNonBlocking);
  if (result != Success) {
    library->devicePrimaryCtxRelease(device);
    check(result, "making a stream on the CUDA device");
  }
}

Context::~Context() {
  library->ctxSetCurrent(handle);
  library->streamDestroy(queue);
  library->devicePrimaryCtxRelease(device);
}

Context::Lock::Lock(const Context &context) : guard(context.mutex) {
  context.check(context.library->ctxSetCurrent(context.handle), "using the CUDA context");
}

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

DeviceBuffer::DeviceBuffer(std::shared_ptr<const Context> owner, uint64_t bytes, const std::string &what)
    : context(std::move(owner)) {
  Context::Lock lock(*context);
  const Driver &driver = context->driver();
  Result result = driver.memAlloc(&pointer, std::max<uint64_t>(bytes, 256));
  if (result == OutOfMemory) {
    size_t free = 0, total = 0;
    driver.memGetInfo(&free, &total);
    throw Error(SAMBA_ERROR_MEMORY, "out of memory on the GPU: " + std::to_string(bytes) + " bytes asked for " + what +
                                        ", " + std::to_string(free) + " of " + std::to_string(total) + " free");
  }
  driver.check(result, "allocating " + std::to_string(bytes) + " bytes for " + what + " on the GPU");
  if (driver.vgpuName)
    driver.vgpuName(pointer, what.c_str());
}

DeviceBuffer::~DeviceBuffer() {
  if (!pointer)
    return;
  try {
    Context::Lock lock(*context);
    context->driver().memFree(pointer);
  } catch (const Error &) { // a context that failed has lost its memory
  }
}

PinnedBuffer::PinnedBuffer(std::shared_ptr<const Context> owner, uint64_t bytes, const std::string &what)
    : context(std::move(owner)) {
  Context::Lock lock(*context);
  Result result = context->driver().memHostAlloc(&pointer, std::max<uint64_t>(bytes, 256), 0);
  if (result == OutOfMemory)
    throw Error(SAMBA_ERROR_MEMORY,
                "out of memory: cannot allocate " + std::to_string(bytes) + " pinned bytes for " + what);
  context->driver().check(result, "allocating pinned memory for " + what);
}

PinnedBuffer::~PinnedBuffer() {
  if (!pointer)
    return;
  try {
    Context::Lock lock(*context);
    context->driver().memFreeHost(pointer);
  } catch (const Error &) {
  }
}

//===----------------------------------------------------------------------===//
// Images
//===----------------------------------------------------------------------===//

static std::string describe(const GpuImage &image) {
  return std::string(image.isPtx ? "PTX" : "cubin") + " sm_" + std::to_string(image.arch) + (image.exact ? "a" : "");
}

static std::string firstLine(const std::string &text) { return text.substr(0, text.find('\n')); }

LoadedImage::LoadedImage(std::shared_ptr<const Context> owner, const Artefact &artefact)
    : context(std::move(owner)), artefact(artefact) {
  Context::Lock lock(*context);
  std::vector<const GpuImage *> suitable;
  std::string all;
  for (const GpuImage &image : artefact.gpu().images) {
    all += (all.empty() ? "" : ", ") + describe(image);
    if (image.runsOn(context->capability()))
      suitable.push_back(&image);
  }
  // What is compiled for just this GPU first, then compiled code, then the latest.
  std::sort(suitable.begin(), suitable.end(), [](const GpuImage *a, const GpuImage *b) {
    return std::tuple(a->exact, !a->isPtx, a->arch) > std::tuple(b->exact, !b->isPtx, b->arch);
  });
  const Driver &driver = context->driver();
  std::string reasons;
  for (const GpuImage *image : suitable) {
    std::string log;
    Result result = load(*image, log);
    if (result == Success) {
      exact = artefact.gpu().programsOf(*image);
      return;
    }
    std::string reason = describe(*image) + ": " + driver.describe(result) + (log.empty() ? "" : ": " + firstLine(log));
    bool other = result == NoBinaryForGpu || result == InvalidImage || result == UnsupportedPtxVersion;
    if (!other)
      throw Error(result == OutOfMemory ? SAMBA_ERROR_MEMORY : SAMBA_ERROR_DEVICE,
                  "'" + artefact.path() + "': cannot load its kernels: " + reason);
    reasons += "; " + reason;
  }
  throw Error(SAMBA_ERROR_DEVICE, "'" + artefact.path() + "' has no image for " + context->description() + ", it has " +
                                      (all.empty() ? "none" : all) + reasons);
}

Result LoadedImage::load(const GpuImage &image, std::string &log) {
  std::string bytes(artefact.image(image)); // PTX ends with a null
  log.assign(4096, '\0');
  int options[] = {JitErrorLogBuffer, JitErrorLogBytes};
  void *values[] = {log.data(), reinterpret_cast<void *>(log.size())};
  Result result = context->driver().moduleLoadDataEx(&module, bytes.c_str(), 2, options, values);
  log.resize(std::min(log.size(), log.find('\0')));
  return result;
}

LoadedImage::~LoadedImage() {
  if (!module)
    return;
  try {
    Context::Lock lock(*context);
    context->driver().moduleUnload(module);
  } catch (const Error &) {
  }
}

FunctionHandle LoadedImage::function(const std::string &name) const {
  Context::Lock lock(*context);
  FunctionHandle handle = nullptr;
  Result result = context->driver().moduleGetFunction(&handle, module, name.c_str());
  if (result == NotFound)
    throw Error(SAMBA_ERROR_FORMAT, "'" + artefact.path() + "': its image for the GPU has no kernel '" + name + "'");
  context->driver().check(result, "looking for kernel '" + name + "'");
  return handle;
}
