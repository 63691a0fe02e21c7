//===- ManifestFuzz.cpp - fuzzes the manifest ----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Error.h"
#include "runtime/StateLayout.h"

#include <cstdlib>

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
    std::vector<char> state(manifest.stateBytes);
    for (size_t i = 0; i < state.size(); ++i)
      state[i] = static_cast<char>(i * 7);
    std::vector<char> before = state, rest = layout.saveRest(state.data()),
                      slots = layout.saveSlots(state.data(), 5, 3);
    layout.restoreSlots(state.data(), 5, 3, slots);
    layout.restoreRest(state.data(), rest);
    if (state != before)
      std::abort();
  } catch (const Error &) {
  }
  return 0;
}
