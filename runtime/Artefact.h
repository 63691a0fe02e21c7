//===- Artefact.h - a compiled model, checked and loaded -------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef RUNTIME_ARTEFACT_H
#define RUNTIME_ARTEFACT_H

#include "runtime/Code.h"
#include "runtime/File.h"
#include "runtime/GpuProgram.h"
#include "runtime/Manifest.h"

#include <memory>
#include <optional>
#include <string>

namespace samba::runtime {

/// True if the file ends like an artefact.
bool endsLikeArtefact(const std::string &path);

/// An open artefact. Immutable.
class Artefact {
public:
  /// Weights up to this size are always checked.
  static constexpr uint64_t verifiedWeightsBytes = uint64_t(256) << 20;

  /// What an artefact can run on.
  enum class Target { Cpu, Gpu };

  /// Checks everything that is needed on `target`, by default the CPU if there is code for it, before any code is
  /// loaded: version, size, bounds and overlaps of the sections, checksums (those of larger weights only with
  /// `verifyWeights`), manifest, CPU or programs of the GPU.
  Artefact(const std::string &path, bool verifyWeights, std::optional<Target> target = std::nullopt);

  const std::string &path() const { return name; }
  const Manifest &manifest() const { return description; }
  Target target() const { return chosen; }
  /// Of the manifest's identity and the weights: two models with the same one can exchange states.
  uint64_t fingerprint() const { return identity; }
  /// The CPU that the code in use is for, as its maker named it; empty on a GPU.
  const std::string &cpu() const { return cpuName; }
  /// Of the CPU.
  samba_entry entry() const { return code->entry(); }
  /// Of the GPU.
  const GpuSection &gpu() const { return gpuSection; }
  std::string_view image(const GpuImage &image) const {
    return {gpuMapping.data() + gpuSection.imagesBegin + image.offset, image.size};
  }
  /// Those of the target, 64-byte aligned.
  const char *weights() const { return weightsMapping.data(); }
  uint64_t weightsBytes() const { return weightsMapping.size(); }
  /// The section, of the kind that the manifest names; empty if there is none.
  std::string tokenizer() const { return {tokenizerMapping.data(), tokenizerMapping.size()}; }

private:
  std::string name;
  Manifest description;
  Target chosen = Target::Cpu;
  uint64_t identity = 0;
  std::string cpuName;
  Mapping weightsMapping, tokenizerMapping, gpuMapping;
  GpuSection gpuSection;
  std::unique_ptr<Code> code;
};

} // namespace samba::runtime

#endif // RUNTIME_ARTEFACT_H
