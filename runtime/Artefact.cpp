//===- Artefact.cpp - a compiled model, checked and loaded ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Artefact.h"
#include "runtime/Cpu.h"
#include "runtime/Error.h"

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
  bool beside = footer.flags & SAMBA_WEIGHTS_BESIDE;
  const NamedSection sections[] = {{"code", footer.code},
                                   {"tokenizer", footer.tokenizer},
                                   {"manifest", footer.manifest},
                                   {"weights", footer.weights}};
  size_t count = beside ? 3 : 4;
  for (size_t i = 0; i < count; ++i) {
    checkBounds(path, sections[i].name, sections[i].section, footer.file_size - sizeof(footer));
    for (size_t j = 0; j < i; ++j)
      if (sections[i].overlaps(sections[j]))
        damaged(path, std::string("sections ") + sections[j].name + " and " + sections[i].name + " overlap");
  }
  if (footer.code.size == 0)
    damaged(path, "section code is empty");
  if (footer.manifest.size == 0 || footer.manifest.size > maxManifestBytes)
    damaged(path, "section manifest has " + std::to_string(footer.manifest.size) + " bytes, expected 1 to " +
                      std::to_string(maxManifestBytes));
  if (footer.tokenizer.size > maxTokenizerBytes)
    damaged(path, "section tokenizer has " + std::to_string(footer.tokenizer.size) + " bytes, expected at most " +
                      std::to_string(maxTokenizerBytes));
  if (footer.weights.offset % weightsAlignment != 0)
    damaged(path, "section weights begins at " + std::to_string(footer.weights.offset) + ", expected a multiple of " +
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

Mapping mapWeights(const File &file, const samba_section &section, bool verify) {
  Mapping mapping(file, section.offset, section.size);
  if (verify || section.size <= Artefact::verifiedWeightsBytes)
    checkSum(file.path(), "weights", mapping, section);
  return mapping;
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

Artefact::Artefact(const std::string &path, bool verifyWeights) {
  File file(path);
  samba_footer footer = readFooter(file);
  checkSections(path, footer);

  Mapping manifestMapping = mapChecked(file, "manifest", footer.manifest);
  description = Manifest::parse(path, {manifestMapping.data(), manifestMapping.size()});
  checkCpu(path, description.triple, description.features);
  std::string identified = description.identity + " " + std::to_string(footer.weights.checksum);
  identity = XXH3_64bits(identified.data(), identified.size());

  bool beside = footer.flags & SAMBA_WEIGHTS_BESIDE;
  if (description.weightsBytes != footer.weights.size)
    damaged(path, "manifest key 'weights.bytes' is " + std::to_string(description.weightsBytes) + ", the section has " +
                      std::to_string(footer.weights.size));
  if (description.weightsFile.has_value() != beside)
    damaged(path, "manifest key 'weights.file' and the footer disagree about where the weights are");
  if (description.hasTokenizer != (footer.tokenizer.size > 0))
    damaged(path, "manifest key 'tokenizer' and the section tokenizer disagree");

  tokenizerMapping = mapChecked(file, "tokenizer", footer.tokenizer);
  Mapping codeMapping = mapChecked(file, "code", footer.code);
  if (beside) {
    File weightsFile(besidePath(path, *description.weightsFile));
    checkBounds(weightsFile.path(), "weights", footer.weights, weightsFile.size());
    weightsMapping = mapWeights(weightsFile, footer.weights, verifyWeights);
  } else {
    weightsMapping = mapWeights(file, footer.weights, verifyWeights);
  }
  code = std::make_unique<Code>(file, footer.code.offset, codeMapping.data(), codeMapping.size());
}
