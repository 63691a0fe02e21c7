//===- BatchFuzz.cpp - fuzzes the lines of a batch -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/fuzz/TextModel.h"
#include "tools/samba-run/BatchLine.h"

#include <cstdlib>

using namespace samba;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const Model &model = fuzz::textModel();
  try {
    run::BatchLine line = run::BatchLine::parse({reinterpret_cast<const char *>(data), size}, model, {});
    if (line.prompt.empty() || line.wish.tokens < 0)
      std::abort();
    for (int32_t id : line.prompt)
      if (id < 0 || id >= model.vocabSize())
        std::abort();
    // What the sampler takes, it can do.
    samba_sampler *sampler = nullptr;
    if (samba_sampler_create(&line.wish.sampling, &sampler) == SAMBA_OK) {
      float logits[4] = {0, 3, 2, 1};
      int32_t token = -1;
      samba_sampler_accept(sampler, 3);
      if (samba_sampler_sample(sampler, logits, 4, &token) != SAMBA_OK || token < 0 || token > 3)
        std::abort();
    }
    samba_sampler_free(sampler);
  } catch (const std::runtime_error &) {
  }
  return 0;
}
