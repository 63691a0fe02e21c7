//===- ScanStep.h - one step of one channel of a scan ------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_GPU_SCANSTEP_H
#define LOWERING_GPU_SCANSTEP_H

#include "lowering/gpu/Kernels.h"

namespace samba {

/// All that the code of a scan depends on.
std::string describe(const ScanOperands &scan);

/// The arguments of a scan's kernels, and which is which. Those that are absent have no place.
struct ScanArguments {
  explicit ScanArguments(const ScanOperands &scan);
  std::vector<LaunchArgument> list;
  size_t u = 0, delta = 0, A = 0, B = 0, C = 0, D = 0, z = 0, deltaBias = 0, result = 0;
  size_t segments = 0, states = 0, offset = 0;
  size_t x = 0, weight = 0, bias = 0; // of the projection
};

/// ScanChunks.cpp: for segments of many tokens.
bool needsScanChunks(const StepBuilder &s, const ScanOperands &scan);
void launchScanChunks(StepBuilder &s, const ScanOperands &scan);

/// A thread's channel: what it keeps in registers, and its walk through time.
class ScanStep {
public:
  using Value = mlir::Value;

  ScanStep(GpuEmitter &e, const ScanOperands &scan, const ScanArguments &places, mlir::ValueRange arguments,
           Value channel);

  mlir::SmallVector<Value> loadState(Value state);
  void storeState(Value state, mlir::ArrayRef<Value> h);
  /// Takes the states `h` through the token of that row, and stores its output if asked to. Returns the token's time
  /// step. `delta` is read from memory if it is null.
  Value advance(Value row, mlir::MutableArrayRef<Value> h, bool writes, Value delta = {});

  mlir::SmallVector<Value> A; // times log2 e

private:
  GpuEmitter &e;
  const ScanOperands &scan;
  const ScanArguments &places;
  mlir::ValueRange arguments;
  Value channel, D, deltaBias;
  int64_t states, channels;
};

} // namespace samba

#endif // LOWERING_GPU_SCANSTEP_H
