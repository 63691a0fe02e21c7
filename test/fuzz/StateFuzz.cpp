//===- StateFuzz.cpp - fuzzes saved states -------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "samba/samba.hpp"
#include "test/unit/runtime/FakeArtefact.h"

#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace samba;

static const Model &model() {
  static test::Folder folder;
  static const Model opened = [] {
    test::FakeArtefact().write(folder / "model.so");
    return Model(folder / "model.so", {sizeof(samba_options), 1, 0, 0});
  }();
  return opened;
}

static void load(const std::string &blob) {
  samba_session *session = nullptr;
  if (samba_session_deserialize(model().get(), blob.data(), blob.size(), &session) == SAMBA_OK &&
      samba_session_position(session) < 0)
    std::abort();
  samba_session_free(session);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string blob(reinterpret_cast<const char *>(data), size);
  load(blob);
  if (size < 64)
    return 0;
  // With the fingerprint of the model and a right checksum.
  uint64_t fingerprint = model().fingerprint();
  std::memcpy(&blob[16], &fingerprint, sizeof(fingerprint));
  std::string covered = blob.substr(0, 56) + blob.substr(64);
  uint64_t checksum = XXH3_64bits(covered.data(), covered.size());
  std::memcpy(&blob[56], &checksum, sizeof(checksum));
  load(blob);
  return 0;
}
