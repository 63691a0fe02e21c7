//===- MemoryLayout.cpp - sizes and places of weights and states ----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/MemoryLayout.h"

using namespace mlir;

namespace samba {

namespace {

// Operands are at most kTooManyBytes, so a sum cannot overflow.
int64_t add(int64_t a, int64_t b) { return std::min(a + b, kTooManyBytes); }

int64_t multiply(int64_t a, int64_t b) { return a != 0 && b > kTooManyBytes / a ? kTooManyBytes : a * b; }

} // namespace

int64_t packedElements(RankedTensorType type) {
  auto layout = dyn_cast_or_null<LayoutAttr>(type.getEncoding());
  int64_t elements = 1;
  for (auto [dimension, size] : llvm::enumerate(type.getShape())) {
    int64_t bounded = std::min(size, kTooManyBytes);
    if (layout && layout.isPanels()) // whole panels of whole groups
      bounded = llvm::alignTo(bounded, dimension == 0 ? layout.getWidth() : layout.getInterleave());
    elements = multiply(elements, bounded);
  }
  return elements;
}

int64_t packedSizeInBytes(RankedTensorType type) {
  if (auto quant = dyn_cast_or_null<QuantAttr>(type.getEncoding()); quant && quant.getWidth()) {
    int64_t panels = llvm::divideCeil(type.getDimSize(0), quant.getWidth());
    return multiply(multiply(panels, quant.groupsOf(type.getDimSize(1))), quant.getBlockBytes());
  }
  return multiply(packedElements(type), type.getElementTypeBitWidth() / 8);
}

int64_t alignedSize(int64_t bytes) {
  return std::min<int64_t>(llvm::alignTo(std::min(bytes, kTooManyBytes), kMemoryAlignment), kTooManyBytes);
}

bool isWeightArgument(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.hasStaticShape() && tensor.getElementType().isIntOrFloat();
}

ArgumentOffsets relativeOffsets(TypeRange argumentTypes) {
  ArgumentOffsets offsets;
  for (Type type : argumentTypes) {
    auto &weight = offsets.weights.emplace_back();
    auto &state = offsets.states.emplace_back();
    if (isWeightArgument(type)) {
      weight = offsets.weightBytes;
      offsets.weightBytes = add(offsets.weightBytes, alignedSize(packedSizeInBytes(cast<RankedTensorType>(type))));
    } else if (auto stateType = dyn_cast<StateType>(type)) {
      state = offsets.stateBytes;
      offsets.stateBytes = add(offsets.stateBytes, alignedSize(stateType.getSizeInBytes()));
    }
  }
  return offsets;
}

ArgumentOffsets relativeOffsets(func::FuncOp function) { return relativeOffsets(function.getArgumentTypes()); }

} // namespace samba
