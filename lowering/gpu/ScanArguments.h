//===- ScanArguments.h - what the kernels of scans share ---------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_GPU_SCANARGUMENTS_H
#define LOWERING_GPU_SCANARGUMENTS_H

#include "lowering/gpu/Kernels.h"

namespace samba {

/// All that the code of a scan depends on.
std::string describe(const ScanOperands &scan);

/// The arguments of a scan's kernels, and which is which. Those that are absent have no place.
struct ScanArguments {
  explicit ScanArguments(const ScanOperands &scan);
  std::vector<LaunchArgument> list;
  size_t u = 0, delta = 0, A = 0, B = 0, C = 0, D = 0, z = 0, deltaBias = 0, result = 0, kept = 0;
  size_t segments = 0, states = 0, offset = 0;
  size_t x = 0, weight = 0, bias = 0; // of the projection
};

/// ScanPrefill.cpp: for segments of many tokens.
void launchScanPrefill(StepBuilder &s, const ScanOperands &scan);

} // namespace samba

#endif // LOWERING_GPU_SCANARGUMENTS_H
