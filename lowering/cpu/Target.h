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
#include "llvm/ADT/bit.h"
#include "llvm/Support/Error.h"
#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace samba {

/// Makes LLVM ready to generate code for every architecture of CpuTarget. May be called again.
void initialiseTargets();

struct CpuTarget {
  std::string name;     // what `get` was asked for
  std::string triple;   // LLVM target triple
  std::string cpu;      // LLVM CPU name, e.g. "znver4" or "x86-64-v4"
  std::string features; // LLVM feature string, e.g. "+avx2,+fma"; empty if the CPU name says it all
  /// Features that the running machine must have, as LLVM spells them ("avx512f", "fma").
  /// They go into the manifest, and the runtime checks them before it runs the code.
  std::vector<std::string> required;

  int64_t vectorBits = 256;     // width of a vector register
  int64_t vectorRegisters = 16; // how many there are
  int64_t lineBytes = 64;       // of a cache line
  int64_t tileRows = 4;         // register tile of a matrix product: rows of x ...
  int64_t panelWidth = 16;      // ... by outputs; also the panel width of packed weights

  /// LLVM's intrinsic for the dot products of bf16 pairs with f32 accumulators, on whole vector registers: (sums, x,
  /// weights). Empty if the machine has none.
  llvm::StringRef bf16Dot;
  /// Likewise of byte quads with i32 accumulators: (sums, weights, x). The bytes of x are signed.
  llvm::StringRef byteDot;
  bool byteDotSignedWeights = false; // the weights' bytes are signed too, else unsigned
  /// LLVM's intrinsic that looks f32 up in two whole vector registers: (low half, i32 indices, high half), of which
  /// only the bits that say where are read. Empty if the machine has none, or too short registers.
  llvm::StringRef lookUp;

  /// f32 lanes of a vector register.
  int64_t lanes() const { return vectorBits / 32; }

  /// "native" (this machine), "x86-64-v3", "x86-64-v4", "aarch64" (any 64-bit Arm CPU) or a CPU name that LLVM knows
  /// for x86-64 or 64-bit Arm; what is not for this machine's architecture is compiled for Linux on the other one.
  /// Features may follow, as LLVM names them: "x86-64-v4+avx512bf16". An unknown name is an error that lists close
  /// names.
  static llvm::Expected<CpuTarget> get(llvm::StringRef name);

  /// Those of a list "NAME,NAME", each once, all of one architecture, the least demanding first: code for any of them
  /// can share weights that are packed for the widest panel among them. "portable" is a list of its own for x86-64.
  static llvm::Expected<std::vector<CpuTarget>> getAll(llvm::StringRef names);

  /// Rows of a register tile over panels of `width` outputs, with no more accumulators than tileRows x panelWidth; a
  /// power of two.
  int64_t tileRowsFor(int64_t width) const {
    return std::min<int64_t>(tileRows, llvm::bit_floor(uint64_t(std::max<int64_t>(1, tileRows * panelWidth / width))));
  }
};

} // namespace samba

#endif // LOWERING_CPU_TARGET_H
