//===- FakeArtefact.h - artefacts made by the tests ------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TEST_UNIT_RUNTIME_FAKEARTEFACT_H
#define TEST_UNIT_RUNTIME_FAKEARTEFACT_H

#include "samba/abi.h"

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace samba::test {

constexpr int32_t vocabSize = 32;
constexpr int64_t width = 8;
constexpr size_t stateBytes = 128;

/// A folder that goes away with its contents.
class Folder {
public:
  Folder();
  ~Folder();
  Folder(const Folder &) = delete;
  std::string operator/(const std::string &name) const { return path + "/" + name; }

private:
  std::string path;
};

std::string readBytes(const std::string &path);
/// As a new file, even where there is one: a model that is open keeps the old one.
void writeBytes(const std::string &path, const std::string &bytes);

/// The parts of an artefact of FakeModel.c. Change them, then write it.
struct FakeArtefact {
  FakeArtefact();

  std::string launcher; // before the code
  std::string code;
  std::string weights;
  std::string tokenizer;
  nlohmann::json gpu;    // the text of the gpu section; null: no section
  std::string gpuImages; // behind it
  std::string gpuWeights;
  nlohmann::json manifest;
  uint32_t abiVersion = SAMBA_ABI_VERSION;
  uint32_t flags = 0;
  std::function<void(samba_footer &)> changeFooter; // before its checksum is computed

  /// With SAMBA_WEIGHTS_BESIDE, the weights are left out: they are for the test to write.
  std::string bytes() const;
  void write(const std::string &path) const { writeBytes(path, bytes()); }
  /// The footer as the last call of bytes() wrote it.
  mutable samba_footer footer = {};

  void useTokenizer();
  /// Adds programs for a GPU, of the PTX of test/unit/cuda/FakeKernels.c. In a test program with SAMBA_FAKE_KERNELS
  /// they are there from the beginning.
  void useGpu(const std::string &ptx);
  void dropCode();
};

/// The logits of every token of one fresh sequence, [tokens, vocabSize].
std::vector<float> predictLogits(const FakeArtefact &artefact, const std::vector<int32_t> &tokens);

/// `count` token ids, never 0 to 2; other ones for another seed.
std::vector<int32_t> someTokens(size_t count, uint32_t seed = 1);

} // namespace samba::test

#endif // TEST_UNIT_RUNTIME_FAKEARTEFACT_H
