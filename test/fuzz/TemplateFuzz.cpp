//===- TemplateFuzz.cpp - fuzzes chat templates --------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/Error.h"
#include "runtime/chat/Template.h"

using namespace samba::runtime;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const auto variables = nlohmann::ordered_json::parse(
      R"({"messages":[{"role":"system","content":" s\n"},{"role":"user","content":"\u00fc{{"},{"role":"assistant","content":"b"}],
          "bos_token":"<s>","eos_token":"</s>","add_generation_prompt":true,"tools":null,"n":3})");
  try {
    chat::Template({reinterpret_cast<const char *>(data), size}).render(variables, 0);
  } catch (const Error &) {
  }
  return 0;
}
