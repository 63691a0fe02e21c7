//===- StateMemory.cpp - states as bytes ----------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/StateMemory.h"

#include "dialect/Quantisation.h"
#include "dialect/interpreter/Evaluate.h"
#include <cstring>

using namespace samba;

void samba::packState(StateType type, llvm::ArrayRef<float> values, uint8_t *memory) {
  if (type.isQuantised()) {
    size_t row = type.getShape().back();
    for (; !values.empty(); values = values.drop_front(row), memory += row + sizeof(float)) {
      float scale = quantiseWeights(values.take_front(row), 8, reinterpret_cast<int8_t *>(memory));
      std::memcpy(memory + row, &scale, sizeof(float));
    }
  } else if (type.getElementType().isBF16()) {
    auto narrow = llvm::cast<mlir::FloatType>(type.getElementType());
    for (float value : values) {
      float rounded = reference::roundTo(narrow, value); // the upper half of an f32
      std::memcpy(memory, reinterpret_cast<const char *>(&rounded) + 2, 2);
      memory += 2;
    }
  } else {
    std::memcpy(memory, values.data(), values.size() * sizeof(float));
  }
}

void samba::unpackState(StateType type, const uint8_t *memory, llvm::MutableArrayRef<float> values) {
  if (type.isQuantised()) {
    size_t row = type.getShape().back();
    for (; !values.empty(); values = values.drop_front(row), memory += row + sizeof(float)) {
      float scale;
      std::memcpy(&scale, memory + row, sizeof(float));
      for (size_t i = 0; i < row; ++i)
        values[i] = float(static_cast<int8_t>(memory[i])) * scale;
    }
  } else if (type.getElementType().isBF16()) {
    for (float &value : values) {
      value = 0;
      std::memcpy(reinterpret_cast<char *>(&value) + 2, memory, 2);
      memory += 2;
    }
  } else {
    std::memcpy(values.data(), memory, values.size() * sizeof(float));
  }
}
