//===- ConfigFuzz.cpp - fuzzes config.json -------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/Json.h"
#include "frontend/families/Families.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto value = samba::parseJson({reinterpret_cast<const char *>(data), size}, "fuzz");
  if (!value) {
    llvm::consumeError(value.takeError());
    return 0;
  }
  llvm::json::Object *object = value->getAsObject();
  if (!object)
    return 0;
  // Thousands of layers say nothing new, and take a second each.
  for (auto &[key, member] : *object)
    if (llvm::StringRef(key).contains("layer") && member.getAsInteger().value_or(0) > 64)
      member = 64;
  auto model = samba::describeModel(*object, "fuzz", /*checkpoint=*/nullptr);
  if (!model)
    llvm::consumeError(model.takeError());
  else
    model->numParameters();
  return 0;
}
