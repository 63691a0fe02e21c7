//===- VirtualDriver.cpp - what the CUDA entry points act on -------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/driver/VirtualDriver.h"

using namespace samba::runtime::cuda;
using namespace samba::vgpu;

thread_local OpaqueContext *VirtualDriver::current = nullptr;
thread_local std::string VirtualDriver::message;

//===----------------------------------------------------------------------===//
// Contexts
//===----------------------------------------------------------------------===//

void OpaqueContext::submit(OpaqueStream &stream, Work work) {
  (stream.recording ? stream.recording->work : stream.queue).push_back(std::move(work));
}

static Result resultOf(const Finding &finding) {
  if (finding.check == "out-of-bounds")
    return IllegalAddress;
  return finding.check == "misaligned" ? MisalignedAddress : LaunchFailed;
}

void OpaqueContext::flush(OpaqueStream &stream) {
  std::vector<Work> queue = std::move(stream.queue);
  stream.queue.clear();
  for (const Work &work : queue) {
    if (failure != Success)
      return;
    try {
      work();
    } catch (const Fault &fault) {
      failure = resultOf(fault.finding());
      failureText = fault.what();
    } catch (const std::exception &error) {
      failure = LaunchFailed;
      failureText = error.what();
    }
  }
}

void OpaqueContext::flushAll() {
  for (auto &[handle, stream] : streams)
    flush(*stream);
}

bool OpaqueContext::isPinned(const void *begin, size_t bytes) const {
  const char *at = static_cast<const char *>(begin);
  auto next = pinned.upper_bound(at);
  if (next == pinned.begin())
    return false;
  auto [start, size] = *--next;
  return bytes <= size && static_cast<size_t>(at - start) <= size - bytes;
}

//===----------------------------------------------------------------------===//
// The driver
//===----------------------------------------------------------------------===//

VirtualDriver &VirtualDriver::get() {
  static VirtualDriver *driver = new VirtualDriver; // never destroyed: others may outlive it
  return *driver;
}

void VirtualDriver::failIfDue(const char *name) {
  auto due = settings.failures.find(name);
  if (due != settings.failures.end() && ++calls[name] == due->second.call)
    throw Refusal{due->second.result, "as the settings ask"};
}

void VirtualDriver::requireInitialised() const {
  if (!initialised)
    throw Refusal{NotInitialised, ""};
}

OpaqueContext &VirtualDriver::context() {
  requireInitialised();
  if (!current || current != primary.get())
    throw Refusal{InvalidContext, "no context is current on this thread"};
  if (current->failure != Success)
    throw Refusal{current->failure, current->failureText};
  return *current;
}

void VirtualDriver::configure(const std::string &text) {
  if (primary && text != settings.text)
    throw Refusal{InvalidContext, "the virtual device is in use with the settings '" + settings.text + "'"};
  Settings parsed = Settings::parse(text);
  if (primary)
    return;
  settings = std::move(parsed);
  calls.clear();
  initialised = false;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

namespace {
struct NamedResult {
  Result result;
  const char *name, *text;
};
} // namespace

static const NamedResult results[] = {
    {Success, "CUDA_SUCCESS", "no error"},
    {InvalidValue, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {OutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {NotInitialised, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {NoDevice, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {InvalidDevice, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {InvalidImage, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {InvalidContext, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {NoBinaryForGpu, "CUDA_ERROR_NO_BINARY_FOR_GPU", "no kernel image is available for execution on the device"},
    {InvalidPtx, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {UnsupportedPtxVersion, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
     "the provided PTX was compiled with an unsupported toolchain."},
    {InvalidHandle, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {NotFound, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {IllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {MisalignedAddress, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {LaunchFailed, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {StreamCaptureUnsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED",
     "operation not permitted when stream is capturing"},
};

static const NamedResult *find(Result result) {
  for (const NamedResult &known : results)
    if (known.result == result)
      return &known;
  return nullptr;
}

const char *samba::vgpu::resultName(Result result) {
  const NamedResult *known = find(result);
  return known ? known->name : nullptr;
}

const char *samba::vgpu::resultText(Result result) {
  const NamedResult *known = find(result);
  return known ? known->text : nullptr;
}
