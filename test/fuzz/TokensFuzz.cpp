//===- TokensFuzz.cpp - fuzzes token ids and streams ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Input.h"
#include "tools/samba-run/StreamInput.h"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>

using namespace samba::run;

static void check(const std::vector<int32_t> &ids) {
  for (int32_t id : ids)
    if (id < 0 || id >= 100)
      std::abort();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string text(reinterpret_cast<const char *>(data), size);
  try {
    check(tokensOf(nlohmann::ordered_json::parse(text, nullptr, false), "fuzz", 100));
  } catch (const std::runtime_error &) {
  }
  for (bool lines : {false, true}) {
    try {
      IntegerCutter integers;
      integers.add(text.data(), size / 2);
      while (auto ids = integers.next(false, lines, 100)) {
        check(*ids);
        if (!lines)
          break;
      }
      integers.add(text.data() + size / 2, size - size / 2);
      while (auto ids = integers.next(true, lines, 100))
        check(*ids);
    } catch (const std::runtime_error &) {
    }
    TextCutter cutter(lines);
    size_t total = 0;
    cutter.add(text.data(), size);
    while (auto part = cutter.next(true))
      total += part->size();
    if (total > size || (lines && total != size))
      std::abort();
  }
  return 0;
}
