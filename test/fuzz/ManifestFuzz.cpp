//===- ManifestFuzz.cpp - fuzzes the manifest ----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Error.h"
#include "runtime/HostState.h"
#include "runtime/StateLayout.h"

#include <cstdlib>
#include <cstring>

using namespace samba::runtime;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  try {
    Manifest manifest = Manifest::parse("fuzz", {reinterpret_cast<const char *>(data), size});
    for (const StateField &field : manifest.fields)
      if (field.offset + field.bytes > manifest.stateBytes)
        std::abort();
    if (manifest.stateBytes > 1 << 20)
      return 0;
    // Whatever the fields are, saving and restoring stays within the state and is exact.
    StateLayout layout(manifest);
    HostState state(manifest.stateBytes);
    for (size_t i = 0; i < manifest.stateBytes; ++i)
      state.data()[i] = static_cast<char>(i * 7);
    for (const StateParts &parts : {layout.rest(), layout.slots(5, 3)}) {
      auto saved = state.save(parts);
      for (const StatePieces &pieces : parts)
        for (uint64_t piece = 0; piece < pieces.count; ++piece)
          std::memset(state.data() + pieces.offset + piece * pieces.pitch, 1, pieces.bytes);
      state.restore(parts, *saved);
    }
    for (size_t i = 0; i < manifest.stateBytes; ++i)
      if (state.data()[i] != static_cast<char>(i * 7))
        std::abort();
  } catch (const Error &) {
  }
  return 0;
}
