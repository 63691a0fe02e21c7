//===- ArtefactFuzz.cpp - fuzzes footer and sections ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// The checksums of the sections are made right, so that what comes after them is reached; but for that of the code, so
// that it is never loaded.
//
//===----------------------------------------------------------------------===//

#include "runtime/Artefact.h"
#include "runtime/Error.h"
#include "samba/abi.h"
#include "test/fuzz/MemoryFile.h"

#include <cstddef>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string file(reinterpret_cast<const char *>(data), size);
  samba_footer footer;
  if (size >= sizeof(footer)) {
    size_t at = size - sizeof(footer);
    std::memcpy(&footer, &file[at], sizeof(footer));
    for (samba_section *section :
         {&footer.weights, &footer.tokenizer, &footer.manifest, &footer.gpu, &footer.gpu_weights, &footer.code})
      if (section->offset <= at && section->size <= at - section->offset)
        section->checksum = XXH3_64bits(&file[section->offset], section->size);
    footer.code.checksum ^= 1;
    footer.checksum = XXH3_64bits(&footer, offsetof(samba_footer, checksum));
    std::memcpy(&file[at], &footer, sizeof(footer));
  }
  samba::fuzz::MemoryFile memory(file.data(), file.size());
  for (auto target : {samba::runtime::Artefact::Target::Cpu, samba::runtime::Artefact::Target::Gpu})
    try {
      samba::runtime::Artefact artefact(memory.path(), true, target);
    } catch (const samba::runtime::Error &) {
    }
  return 0;
}
