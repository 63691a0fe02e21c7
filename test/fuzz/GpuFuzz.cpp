//===- GpuFuzz.cpp - fuzzes the gpu section -------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The input is the JSON text; the length before it and the images behind it are made here.
//
//===----------------------------------------------------------------------===//

#include "runtime/Error.h"
#include "runtime/GpuProgram.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  samba::runtime::Manifest manifest = {};
  manifest.stateBytes = 4096;
  manifest.probes = {{"embeddings", 64}, {"layers.0", 64}};
  std::string bytes(8, '\0');
  for (size_t i = 0; i < 8; ++i)
    bytes[i] = static_cast<char>(size >> 8 * i);
  bytes.append(reinterpret_cast<const char *>(data), size);
  bytes.resize((bytes.size() + 63) / 64 * 64 + 256);
  try {
    samba::runtime::GpuSection section = samba::runtime::GpuSection::parse("fuzz", bytes, manifest);
    // What passed is launchable.
    samba::runtime::StepSizes limits = section.limits();
    if (!section.programFor(limits))
      __builtin_trap();
    for (const samba::runtime::GpuImage &image : section.images)
      if (section.imagesBegin + image.offset + image.size > bytes.size())
        __builtin_trap();
  } catch (const samba::runtime::Error &) {
  }
  return 0;
}
