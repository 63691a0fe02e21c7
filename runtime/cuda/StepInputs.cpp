//===- StepInputs.cpp - what a step needs from the host ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/cuda/StepInputs.h"
#include "runtime/cuda/DeviceState.h"

#include <cstring>

using namespace samba::runtime;
using namespace samba::runtime::cuda;

InputLayout::InputLayout(const StepSizes &limits) {
  uint64_t end = 0;
  auto take = [&](int64_t count, size_t size) {
    uint64_t begin = end;
    end = (begin + static_cast<uint64_t>(count) * size + 63) / 64 * 64;
    return begin;
  };
  sizes = take(4, sizeof(int32_t));
  tokens = take(limits.tokens, sizeof(int32_t));
  segments = take(limits.sequences + 1, sizeof(int64_t));
  positions = take(limits.sequences, sizeof(int64_t));
  rows = take(limits.rows, sizeof(int64_t));
  states = take(limits.sequences, sizeof(DevicePointer));
  bytes = end;
}

void InputLayout::fill(char *memory, const Step &step, const StepSizes &of) const {
  int32_t counts[] = {static_cast<int32_t>(of.tokens), static_cast<int32_t>(of.sequences),
                      static_cast<int32_t>(of.rows), static_cast<int32_t>(of.longest)};
  std::memcpy(memory + sizes, counts, sizeof(counts));
  auto copy = [&](uint64_t offset, const auto &elements) {
    if (!elements.empty())
      std::memcpy(memory + offset, elements.data(), elements.size() * sizeof(elements[0]));
  };
  copy(tokens, step.tokens);
  copy(segments, step.segments);
  copy(positions, step.positions);
  copy(rows, step.rows);
  for (size_t s = 0; s < step.states.size(); ++s) {
    DevicePointer address = static_cast<const DeviceState *>(step.states[s])->address();
    std::memcpy(memory + states + s * sizeof(address), &address, sizeof(address));
  }
}
