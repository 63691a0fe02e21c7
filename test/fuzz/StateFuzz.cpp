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
    return Model(folder / "model.so", {sizeof(samba_options), 1, 0, 0, nullptr, 0});
  }();
  return opened;
}

static void load(const std::string &blob) {
  samba_session *session = nullptr;
  if (samba_session_deserialize(model().get(), blob.data(), blob.size(), &session) == SAMBA_OK) {
    if (samba_session_position(session) < 0)
      std::abort();
    // What is attached may be a sampler's, which must work then.
    size_t bytes = 0;
    const void *attached = samba_session_attachment(session, &bytes);
    samba_sampling sampling = SAMBA_SAMPLING_INIT;
    sampling.temperature = 1;
    sampling.presence_penalty = 1;
    samba_sampler *sampler = nullptr;
    check(samba_sampler_create(&sampling, &sampler));
    float logits[4] = {0, 1, 2, 3};
    int32_t token = -1;
    if (samba_sampler_restore(sampler, attached, bytes) == SAMBA_OK &&
        (samba_sampler_sample(sampler, logits, 4, &token) != SAMBA_OK || token < 0 || token > 3))
      std::abort();
    samba_sampler_free(sampler);
  }
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
