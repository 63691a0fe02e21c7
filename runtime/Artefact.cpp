//===- Artefact.cpp - a compiled model, checked and loaded ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Artefact.h"
#include "runtime/Cpu.h"
#include "runtime/Error.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace samba::runtime;

namespace {

constexpr uint64_t maxManifestBytes = uint64_t(64) << 20;
constexpr uint64_t maxTokenizerBytes = uint64_t(1) << 30;
constexpr uint64_t weightsAlignment = 64;

[[noreturn]] void damaged(const std::string &path, const std::string &what) {
  throw Error(SAMBA_ERROR_FORMAT, "'" + path + "' is damaged: " + what);
}

struct NamedSection {
  const char *name;
  samba_section section;
  bool overlaps(const NamedSection &other) const {
    return section.size > 0 && other.section.size > 0 && section.offset < other.section.offset + other.section.size &&
           other.section.offset < section.offset + section.size;
  }
};

void checkBounds(const std::string &path, const char *name, const samba_section &section, uint64_t fileSize) {
  if (section.offset > fileSize || section.size > fileSize - section.offset)
    damaged(path, std::string("section ") + name + " (" + std::to_string(section.size) + " bytes at " +
                      std::to_string(section.offset) + ") lies beyond the " + std::to_string(fileSize) +
                      " bytes of the file");
}

bool hasMagic(const samba_footer &footer) {
  return std::memcmp(footer.magic, SAMBA_FOOTER_MAGIC, sizeof(footer.magic)) == 0;
}

samba_footer readFooter(const File &file) {
  const std::string &path = file.path();
  samba_footer footer;
  if (file.size() < sizeof(footer))
    throw Error(SAMBA_ERROR_FORMAT,
                "'" + path + "' is not a compiled model: it has only " + std::to_string(file.size()) + " bytes");
  file.read(file.size() - sizeof(footer), &footer, sizeof(footer));
  if (!hasMagic(footer))
    throw Error(SAMBA_ERROR_FORMAT,
                "'" + path + "' is not a compiled model, or its end is cut off: no footer at the end of the file");
  if (footer.abi_version != SAMBA_ABI_VERSION)
    throw Error(SAMBA_ERROR_ABI, "'" + path + "' has artefact version " + std::to_string(footer.abi_version) +
                                     ", this runtime loads version " + std::to_string(SAMBA_ABI_VERSION));
  if (XXH3_64bits(&footer, offsetof(samba_footer, checksum)) != footer.checksum)
    damaged(path, "wrong checksum of the footer");
  if (footer.file_size != file.size())
    damaged(path,
            "the file has " + std::to_string(file.size()) + " bytes, expected " + std::to_string(footer.file_size));
  if (footer.flags & ~SAMBA_WEIGHTS_BESIDE)
    damaged(path, "unknown flags " + std::to_string(footer.flags));
  return footer;
}

void checkSections(const std::string &path, const samba_footer &footer) {
  // The last two may be in another file.
  const NamedSection sections[] = {{"code", footer.code},         {"tokenizer", footer.tokenizer},
                                   {"manifest", footer.manifest}, {"gpu", footer.gpu},
                                   {"weights", footer.weights},   {"gpu_weights", footer.gpu_weights}};
  bool beside = footer.flags & SAMBA_WEIGHTS_BESIDE;
  for (size_t i = 0; i < 6; ++i) {
    bool inOther = beside && i >= 4;
    if (!inOther)
      checkBounds(path, sections[i].name, sections[i].section, footer.file_size - sizeof(footer));
    for (size_t j = inOther ? 4 : 0; j < i; ++j)
      if (sections[i].overlaps(sections[j]))
        damaged(path, std::string("sections ") + sections[j].name + " and " + sections[i].name + " overlap");
  }
  if (footer.code.size == 0 && footer.gpu.size == 0)
    damaged(path, "sections code and gpu are empty");
  if (footer.code.size == 0 && footer.weights.size > 0)
    damaged(path, "section code is empty, section weights is not");
  if (footer.gpu.size == 0 && footer.gpu_weights.size > 0)
    damaged(path, "section gpu is empty, section gpu_weights is not");
  if (footer.manifest.size == 0 || footer.manifest.size > maxManifestBytes)
    damaged(path, "section manifest has " + std::to_string(footer.manifest.size) + " bytes, expected 1 to " +
                      std::to_string(maxManifestBytes));
  if (footer.tokenizer.size > maxTokenizerBytes)
    damaged(path, "section tokenizer has " + std::to_string(footer.tokenizer.size) + " bytes, expected at most " +
                      std::to_string(maxTokenizerBytes));
  for (size_t i = 3; i < 6; ++i)
    if (sections[i].section.offset % weightsAlignment != 0)
      damaged(path, std::string("section ") + sections[i].name + " begins at " +
                        std::to_string(sections[i].section.offset) + ", expected a multiple of " +
                        std::to_string(weightsAlignment));
}

void checkSum(const std::string &path, const char *name, const Mapping &mapping, const samba_section &section) {
  if (XXH3_64bits(mapping.data(), mapping.size()) != section.checksum)
    damaged(path, std::string("wrong checksum of section ") + name);
}

Mapping mapChecked(const File &file, const char *name, const samba_section &section) {
  Mapping mapping(file, section.offset, section.size);
  checkSum(file.path(), name, mapping, section);
  return mapping;
}

/// The file `name` in the folder of the artefact itself, also where `path` is a symbolic link to it.
std::string besidePath(const std::string &path, const std::string &name) {
  std::string folder = path;
  if (char *resolved = ::realpath(path.c_str(), nullptr)) {
    folder = resolved;
    std::free(resolved);
  }
  size_t slash = folder.rfind('/');
  return slash == std::string::npos ? name : folder.substr(0, slash + 1) + name;
}

Mapping mapWeights(const File &file, const char *name, const samba_section &section, bool verify) {
  Mapping mapping(file, section.offset, section.size);
  mapping.adviseHugePages();
  if (verify || section.size <= Artefact::verifiedWeightsBytes)
    checkSum(file.path(), name, mapping, section);
  return mapping;
}

Artefact::Target chooseTarget(const std::string &path, const samba_footer &footer,
                              std::optional<Artefact::Target> wanted) {
  bool cpu = footer.code.size > 0, gpu = footer.gpu.size > 0;
  Artefact::Target target = wanted.value_or(cpu ? Artefact::Target::Cpu : Artefact::Target::Gpu);
  if (target == Artefact::Target::Cpu && !cpu)
    throw Error(SAMBA_ERROR_CPU, "'" + path + "' is compiled for CUDA only, it cannot run on the CPU");
  if (target == Artefact::Target::Gpu && !gpu)
    throw Error(SAMBA_ERROR_DEVICE, "'" + path + "' is compiled for the CPU only, it cannot run on a GPU");
  return target;
}

/// The code to run: the first of the variants that this machine can run, else what the manifest's target says.
/// $SAMBA_CPU asks for the code of one CPU.
Variant chooseCode(const std::string &path, const Manifest &manifest) {
  Variant base{manifest.cpu, manifest.features, SAMBA_ENTRY_SYMBOL};
  std::vector<Variant> candidates = manifest.variants;
  candidates.push_back(base);
  const char *asked = std::getenv("SAMBA_CPU");
  if (asked && *asked) {
    for (const Variant &candidate : candidates)
      if (candidate.cpu == asked) {
        checkCpu(path, manifest.triple, candidate.features);
        return candidate;
      }
    std::string names;
    for (const Variant &candidate : candidates)
      names += (names.empty() ? "" : ", ") + candidate.cpu;
    throw Error(SAMBA_ERROR_CPU,
                "'" + path + "' has no code for the CPU '" + asked + "' that SAMBA_CPU names, only for " + names);
  }
  if (manifest.triple.substr(0, manifest.triple.find('-')) == machineArchitecture())
    for (const Variant &candidate : candidates)
      if (std::all_of(candidate.features.begin(), candidate.features.end(), cpuSupports))
        return candidate;
  checkCpu(path, manifest.triple, base.features);
  return base;
}

} // namespace

bool samba::runtime::endsLikeArtefact(const std::string &path) {
  File file(path);
  samba_footer footer;
  if (file.size() < sizeof(footer))
    return false;
  file.read(file.size() - sizeof(footer), &footer, sizeof(footer));
  return hasMagic(footer);
}

Artefact::Artefact(const std::string &path, bool verifyWeights, std::optional<Target> target) : name(path) {
  File file(path);
  samba_footer footer = readFooter(file);
  checkSections(path, footer);

  Mapping manifestMapping = mapChecked(file, "manifest", footer.manifest);
  description = Manifest::parse(path, {manifestMapping.data(), manifestMapping.size()});
  chosen = chooseTarget(path, footer, target);
  bool onCpu = chosen == Target::Cpu;
  Variant variant;
  if (onCpu && description.hasCode)
    variant = chooseCode(path, description);
  cpuName = variant.cpu;
  bool hasCode = footer.code.size > 0;
  uint64_t weightsChecksum = hasCode ? footer.weights.checksum : footer.gpu_weights.checksum;
  std::string identified = description.identity + " " + std::to_string(weightsChecksum);
  identity = XXH3_64bits(identified.data(), identified.size());

  bool beside = footer.flags & SAMBA_WEIGHTS_BESIDE;
  if (description.hasCode != hasCode)
    damaged(path, "manifest key 'target' and the section code disagree");
  if (description.weightsBytes != footer.weights.size)
    damaged(path, "manifest key 'weights.bytes' is " + std::to_string(description.weightsBytes) + ", the section has " +
                      std::to_string(footer.weights.size));
  if (description.weightsFile.has_value() != beside)
    damaged(path, "manifest key 'weights.file' and the footer disagree about where the weights are");
  if (description.tokenizer.has_value() != (footer.tokenizer.size > 0))
    damaged(path, "manifest key 'tokenizer' and the section tokenizer disagree");

  tokenizerMapping = mapChecked(file, "tokenizer", footer.tokenizer);
  gpuMapping = mapChecked(file, "gpu", footer.gpu);
  if (!onCpu) {
    gpuSection = GpuSection::parse(path, {gpuMapping.data(), gpuMapping.size()}, description);
    if (gpuSection.weightsBytes != footer.gpu_weights.size)
      damaged(path, "gpu key 'weights_bytes' is " + std::to_string(gpuSection.weightsBytes) + ", the section has " +
                        std::to_string(footer.gpu_weights.size));
  }
  Mapping codeMapping = mapChecked(file, "code", footer.code);
  const char *weightsName = onCpu ? "weights" : "gpu_weights";
  const samba_section &weightsSection = onCpu ? footer.weights : footer.gpu_weights;
  if (beside) {
    File weightsFile(besidePath(path, *description.weightsFile));
    checkBounds(weightsFile.path(), "weights", footer.weights, weightsFile.size());
    checkBounds(weightsFile.path(), "gpu_weights", footer.gpu_weights, weightsFile.size());
    weightsMapping = mapWeights(weightsFile, weightsName, weightsSection, verifyWeights);
  } else {
    weightsMapping = mapWeights(file, weightsName, weightsSection, verifyWeights);
  }
  if (onCpu)
    code = std::make_unique<Code>(file, footer.code.offset, codeMapping.data(), codeMapping.size(), variant.entry);
}
