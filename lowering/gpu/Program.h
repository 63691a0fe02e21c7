//===- Program.h - what a device is told to launch ---------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A program computes one step: a list of kernel launches, with the places of what they read and write. A model has
// several, for steps of different sizes; the runtime takes the first whose limits hold. docs/formats.md describes the
// form in which a program lies in an artefact.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_GPU_PROGRAM_H
#define LOWERING_GPU_PROGRAM_H

#include "mlir/IR/BuiltinAttributes.h"
#include <optional>
#include <string>
#include <vector>

namespace samba {

/// The sizes of a step that are known only when it runs.
enum class Extent { One, Tokens, Sequences, Rows, Longest };

/// ceil(extent / per) * times thread blocks.
struct GridSize {
  Extent of = Extent::One;
  int64_t per = 1, times = 1;
};

/// Of a step that a program can compute.
struct Limits {
  int64_t tokens = 1, sequences = 1, rows = 1;
  std::optional<int64_t> longest; // tokens of one sequence

  int64_t of(Extent extent) const;
};

/// A matrix of bf16 as the copy engine of sm_90 sees it: it copies boxes of 64 columns and some rows, whose 128-byte
/// rows it swizzles. What lies beyond the matrix are zeros.
struct MatrixMap {
  int64_t width, stride; // elements, bytes
  GridSize rows;         // how many there are
  int64_t boxRows;
  static constexpr int64_t boxWidth = 64;
  static constexpr int64_t bytes = 128, alignment = 64; // of its description
};

/// An argument of a kernel. A buffer is an intermediate value; its place in the arena is decided when all launches are
/// known.
struct LaunchArgument {
  enum class Kind { Buffer, Weights, Input, Output, State, Number };
  Kind kind = Kind::Buffer;
  int64_t offset = 0; // bytes, or the number
  unsigned buffer = 0;
  std::string name = {};             // of an input or output
  std::optional<MatrixMap> map = {}; // the kernel takes a description of the matrix that lies there, not its address
};

struct Launch {
  std::string kernel, name; // name: of the layer and operation, for people
  GridSize grid[3];
  int64_t threads = 1, sharedBytes = 0;
  std::vector<LaunchArgument> arguments;
  std::optional<int64_t> probe = {}; // shows `width` columns of argument 0 and launches nothing
  int64_t width = 0;
  Extent rows = Extent::Tokens; // of the probe
  bool chooses = false;         // launched only in steps of which tokens are wanted in place of logits
};

struct GpuProgram {
  std::string name;
  Limits limits;
  std::vector<Launch> launches;
  std::vector<int64_t> buffers; // bytes
  int64_t exact = 0;            // 90: its kernels may be those of sm_90a; 0: they run on sm_80 and all later ones
  bool needsExact = false;      // and some are

  /// Decides where the buffers lie: two may share bytes unless a launch comes between their first and last uses.
  /// Returns the offsets and sets `arenaBytes`.
  std::vector<int64_t> plan(int64_t &arenaBytes) const;

  /// As an entry of the module attribute `samba.programs`.
  mlir::DictionaryAttr toAttribute(mlir::MLIRContext *context, llvm::ArrayRef<int64_t> offsets) const;
};

/// The name of an extent in programs.
llvm::StringRef extentName(Extent extent);

} // namespace samba

#endif // LOWERING_GPU_PROGRAM_H
