//===- YamlFuzz.cpp - fuzzes configurations of microsoft/Samba ------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/FlatYaml.h"
#include "frontend/families/Microsoft.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto object = samba::parseFlatYaml({reinterpret_cast<const char *>(data), size}, "yaml");
  if (!object) {
    llvm::consumeError(object.takeError());
    return 0;
  }
  auto config = samba::MicrosoftConfig::parse(*object, "yaml");
  if (!config) {
    llvm::consumeError(config.takeError());
    return 0;
  }
  // What the description of a model relies on.
  if (config->numHeads < 1 || config->fullPerLayer < 0 || (config->window && *config->window < 1) ||
      !(config->normEps > 0))
    __builtin_trap();
  return 0;
}
