//===- InspectArtefact.cpp - what a compiled model is ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Nothing of the artefact is loaded, so it may be for another machine.
//
//===----------------------------------------------------------------------===//

#include "frontend/Error.h"
#include "frontend/Json.h"
#include "frontend/MappedFile.h"
#include "lowering/emit/Checksum.h"
#include "samba/abi.h"
#include "tools/samba-inspect/Inspect.h"
#include <cstddef>
#include <cstring>

using namespace llvm;
using namespace samba;

static std::optional<samba_footer> footerOf(ArrayRef<uint8_t> bytes) {
  samba_footer footer;
  if (bytes.size() < sizeof(footer))
    return std::nullopt;
  std::memcpy(&footer, bytes.end() - sizeof(footer), sizeof(footer));
  if (std::memcmp(footer.magic, SAMBA_FOOTER_MAGIC, sizeof(footer.magic)))
    return std::nullopt;
  return footer;
}

bool samba::inspect::isArtefact(StringRef path) {
  Expected<MappedFile> file = MappedFile::open(path);
  if (!file) {
    consumeError(file.takeError());
    return false;
  }
  // One whose end is cut off has no footer, but begins as a library does.
  return footerOf(file->bytes()) || file->text().starts_with("\x7f"
                                                             "ELF");
}

/// "bytes" and those of the sections; "manifest", as in docs/formats.md.
Expected<json::Object> samba::inspect::inspectArtefact(StringRef path, const Options &options) {
  Expected<MappedFile> file = MappedFile::open(path);
  if (!file)
    return file.takeError();
  ArrayRef<uint8_t> bytes = file->bytes();
  std::optional<samba_footer> footer = footerOf(bytes);
  if (!footer)
    return makeError(path + ": expected a compiled model, found no footer at the end; it may be cut off");
  if (footer->abi_version != SAMBA_ABI_VERSION)
    return makeError(path + ": expected artefact version " + Twine(SAMBA_ABI_VERSION) + ", found " +
                     Twine(footer->abi_version));
  const uint8_t *start = bytes.end() - sizeof(samba_footer);
  if (checksum(ArrayRef(start, offsetof(samba_footer, checksum))) != footer->checksum ||
      footer->file_size != bytes.size())
    return makeError(path + ": expected the footer's checksum and size to fit, found a damaged file");
  const samba_section &manifest = footer->manifest;
  if (manifest.offset > bytes.size() || manifest.size > bytes.size() - manifest.offset ||
      checksum(bytes.slice(manifest.offset, manifest.size)) != manifest.checksum)
    return makeError(path + ": expected the manifest's checksum to fit, found a damaged file");
  Expected<json::Value> parsed = parseJson(file->text().substr(manifest.offset, manifest.size), path);
  if (!parsed)
    return parsed.takeError();
  if (!parsed->getAsObject())
    return makeError(path + ": expected the manifest to be an object, found " + describe(&*parsed));

  json::Object sections;
  const std::pair<StringRef, const samba_section *> all[] = {
      {"code", &footer->code},           {"weights", &footer->weights}, {"gpu_weights", &footer->gpu_weights},
      {"tokenizer", &footer->tokenizer}, {"gpu", &footer->gpu},         {"manifest", &footer->manifest}};
  for (auto [name, section] : all)
    sections[name] = int64_t(section->size);
  return json::Object{{"path", path},
                      {"kind", "artefact"},
                      {"bytes", int64_t(bytes.size())},
                      {"sections", std::move(sections)},
                      {"bandwidth_gb_s", options.bandwidth},
                      {"manifest", std::move(*parsed)}};
}
