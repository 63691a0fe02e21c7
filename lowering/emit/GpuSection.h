//===- GpuSection.h - the programs of a model for the GPU --------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// docs/formats.md describes the section, runtime/GpuProgram.cpp checks it.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_EMIT_GPUSECTION_H
#define LOWERING_EMIT_GPUSECTION_H

#include "lowering/emit/WeightPacker.h"
#include "llvm/Support/JSON.h"
#include <string>
#include <vector>

namespace samba {

/// All kernels of a model, for a range of GPUs.
struct GpuImage {
  enum class Kind {
    Ptx,   // for the architecture and all later ones; compiled by the driver
    Cubin, // for the architecture and the later ones of the same major number
  };
  Kind kind;
  int arch;           // compute capability times 10: 80, 90
  bool exact = false; // for this architecture alone (sm_90a)
  std::string bytes;  // of PTX, without a terminator
};

/// What an artefact has for the GPU. Views must live until it is written.
struct GpuContents {
  std::vector<GpuImage> images;
  llvm::json::Array programs; // keys and values as in docs/formats.md
  int64_t arenaBytes = 0;
  const WeightPacker *weights = nullptr;
};

/// The bytes of the section.
std::string gpuSection(const GpuContents &contents);

} // namespace samba

#endif // LOWERING_EMIT_GPUSECTION_H
