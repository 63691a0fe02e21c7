//===- JournalFuzz.cpp - fuzzes the journals of batches ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/unit/runtime/FakeArtefact.h"
#include "tools/samba-run/BatchOutput.h"

#include <cstdlib>
#include <stdexcept>

using namespace samba;

/// Lines 1 to 3, of key "k", come out whole, whether the journal has them or not.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const int inMemory = ::setenv("TMPDIR", "/dev/shm", /*overwrite=*/0);
  (void)inMemory;
  static test::Folder folder;
  static const std::string path = folder / "out";
  test::writeBytes(path + ".partial", {reinterpret_cast<const char *>(data), size});
  try {
    run::BatchOutput output(path);
    for (uint64_t line = 1; line <= 3; ++line) {
      output.expect(line);
      if (!output.knows(line, "k"))
        output.add(line, "k", "{}");
    }
    output.finish();
  } catch (const std::runtime_error &) {
    return 0;
  }
  std::string result = test::readBytes(path);
  size_t lines = 0;
  for (size_t begin = 0, end; begin < result.size(); begin = end + 1, ++lines) {
    end = result.find('\n', begin);
    if (end == std::string::npos || end < begin + 2 || result[begin] != '{' || result[end - 1] != '}')
      std::abort();
  }
  if (lines != 3)
    std::abort();
  return 0;
}
