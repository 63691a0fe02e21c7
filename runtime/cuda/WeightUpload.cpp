//===- WeightUpload.cpp - weights on their way to a GPU ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/cuda/WeightUpload.h"

#include <algorithm>
#include <cstring>

using namespace samba::runtime::cuda;

// Large enough that a copy takes far longer than its launch.
static constexpr uint64_t pieceBytes = uint64_t(8) << 20;

void samba::runtime::cuda::uploadWeights(const std::shared_ptr<const Context> &context, const char *from,
                                         uint64_t bytes, DevicePointer to) {
  // One buffer is filled from the file while the GPU takes the other.
  struct Lane {
    PinnedBuffer buffer;
    StreamHandle stream = nullptr;
  } lanes[2];
  Context::Lock lock(*context);
  const Driver &driver = context->driver();
  const char *what = "copying weights to the GPU";
  Result result = Success;
  for (Lane &lane : lanes) // before any stream, which nothing would destroy if there is no memory
    lane.buffer = PinnedBuffer(context, std::min(bytes, pieceBytes), "weights on their way");
  for (Lane &lane : lanes)
    if (result == Success)
      result = driver.streamCreate(&lane.stream, streamNonBlocking);
  uint64_t done = 0;
  for (size_t i = 0; result == Success && done < bytes; i = 1 - i) {
    uint64_t piece = std::min(pieceBytes, bytes - done);
    result = driver.streamSynchronize(lanes[i].stream);
    if (result != Success)
      break;
    std::memcpy(lanes[i].buffer.data(), from + done, piece);
    result = driver.memcpyHtoDAsync(to + done, lanes[i].buffer.data(), piece, lanes[i].stream);
    done += piece;
  }
  for (Lane &lane : lanes) {
    if (!lane.stream)
      continue;
    Result last = driver.streamSynchronize(lane.stream);
    driver.streamDestroy(lane.stream);
    result = result == Success ? last : result;
  }
  context->check(result, what);
}
