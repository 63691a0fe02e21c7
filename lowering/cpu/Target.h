//===- Target.h - description of a CPU for code generation -------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the CPU lowering asks about the machine it generates code for: register tiles and panel widths follow from it
// and are nowhere hard-wired.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_CPU_TARGET_H
#define LOWERING_CPU_TARGET_H

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <cstdint>
#include <string>
#include <vector>

namespace samba {

struct CpuTarget {
  std::string triple;   // LLVM target triple
  std::string cpu;      // LLVM CPU name, e.g. "znver4" or "x86-64-v4"
  std::string features; // LLVM feature string, e.g. "+avx2,+fma"; empty if the CPU name says it all
  /// Features that the running machine must have, as LLVM spells them ("avx512f", "fma").
  /// They go into the manifest, and the runtime checks them before it runs the code.
  std::vector<std::string> required;

  int64_t vectorBits = 256;     // width of a vector register
  int64_t vectorRegisters = 16; // how many there are
  int64_t tileRows = 4;         // register tile of a matrix product: rows of x ...
  int64_t panelWidth = 16;      // ... by outputs; also the panel width of packed weights

  bool bf16Dot = false; // has the AVX-512 dot product of bf16 pairs with f32 accumulators

  bool vnni = false; // has the AVX-512 dot product of byte quads with i32 accumulators

  /// f32 lanes of a vector register.
  int64_t lanes() const { return vectorBits / 32; }

  /// "native" (this machine), "x86-64-v3", "x86-64-v4", or any CPU name that LLVM knows for this machine's
  /// architecture. An unknown name is an error that lists close names.
  static llvm::Expected<CpuTarget> get(llvm::StringRef name);
};

} // namespace samba

#endif // LOWERING_CPU_TARGET_H
