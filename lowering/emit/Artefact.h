//===- Artefact.h - writes compiled models -----------------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The file format is described in runtime/include/samba/abi.h.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_EMIT_ARTEFACT_H
#define LOWERING_EMIT_ARTEFACT_H

#include "lowering/emit/GpuSection.h"
#include "lowering/emit/Manifest.h"
#include "lowering/emit/WeightPacker.h"

namespace samba {

/// What goes into an artefact. Views must live until it is written.
struct ArtefactContents {
  Manifest manifest;           // weights and sources are filled in while writing
  llvm::StringRef code;        // an ELF shared library; empty if there is none for the CPU
  const WeightPacker *weights; // of the code; null without code
  const WeightSource &source;  // told what has been read of the source files
  llvm::ArrayRef<uint8_t> tokenizer;
  std::vector<SourceFile> sources;
  std::optional<GpuContents> gpu;
};

struct ArtefactOptions {
  /// A program to put in front, which makes the artefact a program of its own. Empty: a plain artefact.
  std::string launcher;
  /// Weights go to a file of their own, named like the artefact with ".weights" after it.
  bool splitWeights = false;
  WeightPacker::Options packing;
};

/// In bytes.
struct ArtefactSizes {
  uint64_t code = 0;
  uint64_t weights = 0;
  uint64_t gpu = 0;
  uint64_t gpuWeights = 0;
  uint64_t tokenizer = 0;
  uint64_t file = 0; // the whole artefact; with split weights, without them
};

/// Writes an artefact. It appears under its name only when it is complete; whatever ends the writing earlier, nothing
/// is left behind.
llvm::Expected<ArtefactSizes> writeArtefact(llvm::StringRef path, ArtefactContents contents,
                                            const ArtefactOptions &options);

} // namespace samba

#endif // LOWERING_EMIT_ARTEFACT_H
