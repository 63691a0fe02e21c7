//===- DeviceState.cpp - the state of a sequence on a GPU ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/cuda/DeviceState.h"

#include <cstring>

using namespace samba::runtime;
using namespace samba::runtime::cuda;

namespace {

struct SavedBuffer : SavedParts {
  DeviceBuffer buffer;
};

/// Copies pieces of a state to a place where they lie side by side, or back.
void copyPieces(const Context &context, const StateParts &parts, DevicePointer state, DevicePointer packed, bool back) {
  for (const StatePieces &pieces : parts) {
    if (pieces.total() == 0)
      continue;
    Copy2D copy = {};
    copy.fromType = copy.toType = memoryTypeDevice;
    copy.fromDevice = back ? packed : state + pieces.offset;
    copy.fromPitch = back ? pieces.bytes : pieces.pitch;
    copy.toDevice = back ? state + pieces.offset : packed;
    copy.toPitch = back ? pieces.pitch : pieces.bytes;
    copy.width = pieces.bytes;
    copy.height = pieces.count;
    Result result;
    if (pieces.count == 1) // rows of a pitch are limited in size
      result = context.driver().memcpyDtoDAsync(copy.toDevice, copy.fromDevice, pieces.bytes, context.stream());
    else
      result = context.driver().memcpy2DAsync(&copy, context.stream());
    context.check(result, "copying a state on the GPU");
    packed += pieces.total();
  }
}

} // namespace

/// A caller who has a pointer may have changed the bytes.
void DeviceState::heedCaller() {
  if (exposed)
    deviceValid = false;
}

char *DeviceState::hostMemory() {
  if (!host)
    host.emplace(bytes);
  return host->data();
}

void DeviceState::allocate() {
  if (!device)
    device = DeviceBuffer(context, bytes, "the state of a sequence");
}

const char *DeviceState::read() {
  char *memory = hostMemory();
  if (!hostValid) {
    Context::Lock lock(*context);
    context->check(context->driver().memcpyDtoHAsync(memory, device.address(), bytes, context->stream()),
                   "copying a state from the GPU");
    context->synchronise("copying a state from the GPU");
    hostValid = true;
  }
  return memory;
}

char *DeviceState::overwrite() {
  char *memory = hostMemory();
  hostValid = true;
  deviceValid = false;
  return memory;
}

char *DeviceState::expose() {
  read();
  exposed = true;
  return host->data();
}

void DeviceState::assign(const void *from) {
  if (!from && !host) { // zeros as they are
    hostValid = true;
    deviceValid = false;
    return;
  }
  char *memory = overwrite();
  if (from)
    std::memcpy(memory, from, bytes);
  else
    std::memset(memory, 0, bytes);
}

void DeviceState::assign(SequenceState &other) {
  DeviceState &from = static_cast<DeviceState &>(other);
  from.heedCaller();
  if (!from.deviceValid)
    return assign(from.host ? from.host->data() : nullptr);
  allocate();
  Context::Lock lock(*context);
  context->check(context->driver().memcpyDtoDAsync(device.address(), from.device.address(), bytes, context->stream()),
                 "copying a state on the GPU");
  stepped();
}

std::unique_ptr<SequenceState> DeviceState::fork() {
  auto child = std::make_unique<DeviceState>(context, bytes);
  child->assign(*this);
  return child;
}

void DeviceState::stepped() {
  deviceValid = true;
  hostValid = false;
  if (exposed)
    read();
}

void DeviceState::prepareStep() {
  heedCaller();
  if (deviceValid)
    return;
  allocate();
  Context::Lock lock(*context);
  const Driver &driver = context->driver();
  if (host) {
    context->check(driver.memcpyHtoDAsync(device.address(), host->data(), bytes, context->stream()),
                   "copying a state to the GPU");
    // The caller may change its memory, and the driver may still read it.
    context->synchronise("copying a state to the GPU");
  } else {
    context->check(driver.memsetD8Async(device.address(), 0, bytes, context->stream()), "clearing a state on the GPU");
  }
  deviceValid = true;
}

std::unique_ptr<SavedParts> DeviceState::save(const StateParts &parts) {
  prepareStep();
  uint64_t total = 0;
  for (const StatePieces &pieces : parts)
    total += pieces.total();
  auto saved = std::make_unique<SavedBuffer>();
  saved->buffer = DeviceBuffer(context, total, "a mark of a sequence");
  Context::Lock lock(*context);
  copyPieces(*context, parts, device.address(), saved->buffer.address(), /*back=*/false);
  return saved;
}

void DeviceState::restore(const StateParts &parts, const SavedParts &saved) {
  prepareStep();
  Context::Lock lock(*context);
  copyPieces(*context, parts, device.address(), static_cast<const SavedBuffer &>(saved).buffer.address(),
             /*back=*/true);
  stepped();
}
