//===- QuantWeight.h - weights of integers with a scale per group -*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// How a weight of the encoding #samba.quant<bits, 64, 8> lies in memory and how its integers become numbers. A block
// holds, for 8 outputs and 64 inputs, the 8 scales and then words of four inputs of an output, `[16, 8]` of them with 8
// bits. With 4 bits there are `[8, 8]`, whose low halves are the first 32 inputs and whose high halves are the others.
// So a warp reads a block side by side, and in the order of the words lanes hold just what a tensor core wants of them.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_GPU_QUANTWEIGHT_H
#define LOWERING_GPU_QUANTWEIGHT_H

#include "lowering/gpu/Kernels.h"

namespace samba {

struct QuantWeight {
  static constexpr int64_t kPanel = 8, kGroup = 64, kScaleBytes = kPanel * 4;

  explicit QuantWeight(const Matrix &weight);
  /// Whether the kernels can read that encoding.
  static bool isSupported(QuantAttr quant) { return quant.getGroup() == kGroup && quant.getWidth() == kPanel; }

  /// Where the block of a panel and a group begins, in bytes.
  mlir::Value block(GpuEmitter &e, mlir::Value panel, mlir::Value group) const;
  /// The values of a word's four integers, of the half `half` if there are two: f32, or two pairs of bf16. Exact.
  mlir::SmallVector<mlir::Value> widen(GpuEmitter &e, mlir::Value word, int64_t half) const;
  std::pair<mlir::Value, mlir::Value> widenPairs(GpuEmitter &e, mlir::Value word, int64_t half) const;
  /// Only the first pair, or where the condition holds the second.
  mlir::Value widenPair(GpuEmitter &e, mlir::Value word, int64_t half, mlir::Value second) const;

  int64_t bits, groups;
  int64_t halves;     // integers of a byte
  int64_t words;      // of an output in a block
  int64_t blockBytes; // a multiple of 16

private:
  mlir::Value widenTwo(GpuEmitter &e, mlir::Value integers, mlir::Value selector) const;
  mlir::Value integersOf(GpuEmitter &e, mlir::Value word, int64_t half) const;
};

} // namespace samba

#endif // LOWERING_GPU_QUANTWEIGHT_H
