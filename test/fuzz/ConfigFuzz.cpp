//===- ConfigFuzz.cpp - fuzzes config.json -------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/Json.h"
#include "frontend/SambaConfig.h"
#include "frontend/SambaTensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto value = samba::parseJson({reinterpret_cast<const char *>(data), size}, "fuzz");
  if (!value) {
    llvm::consumeError(value.takeError());
    return 0;
  }
  const llvm::json::Object *object = value->getAsObject();
  if (!object)
    return 0;
  auto config = samba::SambaConfig::parse(*object, "fuzz");
  if (!config)
    llvm::consumeError(config.takeError());
  else
    samba::numParameters(*config);
  return 0;
}
