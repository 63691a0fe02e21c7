//===- GpuProgram.h - what a model launches on a GPU -----------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_GPUPROGRAM_H
#define RUNTIME_GPUPROGRAM_H

#include "runtime/Manifest.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace samba::runtime {

/// The sizes of one step, in the order in which kernels find them in memory.
struct StepSizes {
  int64_t tokens = 0, sequences = 0, rows = 0;
  int64_t longest = 0; // segment
};

/// All kernels for a range of GPUs. Compute capabilities are times 10: 80, 90.
struct GpuImage {
  bool isPtx;
  bool exact; // for `arch` alone
  int arch;
  uint64_t offset, size; // in the bytes of the images

  /// PTX runs on its architecture and later ones, a cubin on later minor numbers only.
  bool runsOn(int capability) const;
};

/// What a kernel is passed. Pointers are 8 bytes.
struct GpuArgument {
  enum class Kind {
    Arena,
    Weights,
    Tokens,
    Segments,
    Positions,
    Rows,
    States,
    Sizes,
    Logits,
    Argmax,
    I32,
    I64,
    F32,
    Map
  };
  Kind kind;
  union {
    uint64_t offset; // Arena, Weights
    size_t map;      // Map: an index of GpuLaunch::maps
    int64_t integer; // I32, I64
    float real;      // F32
  };

  /// What it takes as a parameter.
  size_t bytes() const { return kind == Kind::Map ? 128 : kind == Kind::I32 || kind == Kind::F32 ? 4 : 8; }
};

/// ceil(value(of) / per) * times blocks.
struct GpuExtent {
  enum class Of { One, Tokens, Sequences, Rows, Longest };
  Of of = Of::One;
  int64_t per = 1, times = 1;

  int64_t count(const StepSizes &sizes) const;
};

/// A matrix of 2-byte elements as copy engines see it, in boxes whose rows of 128 bytes are swizzled.
struct GpuMap {
  bool ofWeights; // or of the arena
  uint64_t offset;
  int64_t width, stride; // elements; bytes from row to row
  GpuExtent rows;
  uint32_t boxRows;
  static constexpr uint32_t boxWidth = 64; // elements
};

struct GpuLaunch {
  std::string kernel, name; // name: of the part of the model, "layers.3.mixer.in_proj"
  std::array<GpuExtent, 3> grid;
  std::array<uint32_t, 3> block;
  uint32_t sharedBytes;
  bool chooses; // launched only in steps of which tokens are wanted in place of logits
  std::vector<GpuArgument> arguments;
  std::vector<GpuMap> maps; // among the arguments
};

/// A place where the values of a probe lie in the arena: [tokens, width], or [rows, width].
struct GpuProbe {
  size_t index;
  bool ofRows;
  uint64_t offset;
  int64_t width;
};

struct GpuProgram {
  std::string name;
  int exact = 0;    // for the image of exactly this architecture; 0: for all images that have no programs of their own
  StepSizes limits; // of what a step may have; no limit on `longest` is that on tokens
  std::vector<std::variant<GpuLaunch, GpuProbe>> items; // in order

  bool accepts(const StepSizes &sizes) const;
  /// Whether it can give tokens in place of logits.
  bool hasArgmax() const;
};

/// The gpu section of an artefact. Parsing checks all of it: what launches pass is within arena, weights and states,
/// grids are launchable for every step that a program accepts, images lie in the section.
struct GpuSection {
  std::vector<GpuImage> images;
  std::vector<GpuProgram> programs; // at least one for all images
  uint64_t weightsBytes = 0, arenaBytes = 0;
  uint64_t imagesBegin = 0; // in the section

  /// Throws SAMBA_ERROR_FORMAT naming the key, SAMBA_ERROR_ABI for another version. `path` is for messages.
  static GpuSection parse(const std::string &path, std::string_view bytes, const Manifest &manifest);

  /// GpuProgram::exact of the programs for an image.
  int programsOf(const GpuImage &image) const;
  /// The greatest steps that programs accept. Every step within is accepted by one of them.
  StepSizes limits(int exact = 0) const;
  /// The first program that accepts a step; null if there is none.
  const GpuProgram *programFor(const StepSizes &sizes, int exact = 0) const;
};

} // namespace samba::runtime

#endif // RUNTIME_GPUPROGRAM_H
