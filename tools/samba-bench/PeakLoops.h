//===- PeakLoops.h - loops that do nothing but compute ----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_SAMBA_BENCH_PEAKLOOPS_H
#define TOOLS_SAMBA_BENCH_PEAKLOOPS_H

#include <cstddef>
#include <cstdint>
#include <optional>

namespace samba::bench {

/// A loop of independent chains of one instruction, all in registers.
struct PeakLoop {
  const char *instruction;
  double operationsPerIteration; // a multiply-add is two
  void (*run)(uint64_t iterations);
};

/// The widest multiply-add of this CPU on f32.
PeakLoop f32Peak();
/// The dot product of pairs of bf16 and of groups of four 8-bit integers; nothing if this CPU has none.
std::optional<PeakLoop> bf16Peak();
std::optional<PeakLoop> int8Peak();

/// Reads memory in one sequential stream. `bytes` is a multiple of 1024, `data` 64-byte aligned.
void readMemory(const void *data, size_t bytes);

} // namespace samba::bench

#endif // TOOLS_SAMBA_BENCH_PEAKLOOPS_H
