//===- RunFixture.h - running samba-run in tests ---------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TEST_UNIT_RUNTIME_RUNFIXTURE_H
#define TEST_UNIT_RUNTIME_RUNFIXTURE_H

#include "test/unit/runtime/FakeArtefact.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <gtest/gtest.h>
#include <string>
#include <sys/wait.h>
#include <vector>

namespace samba::test {

struct Result {
  int status;
  std::string out, err;
};

/// Runs a shell command; "$RUN" in it is the program.
inline Result shell(const Folder &folder, const std::string &command) {
  ::setenv("RUN", SAMBA_RUN, 1);
  std::string all = "{ " + command + " ; } > " + folder / "out" + " 2> " + folder / "err" + " < /dev/null";
  int status = std::system(all.c_str());
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status), readBytes(folder / "out"),
          readBytes(folder / "err")};
}

inline size_t filesIn(const Folder &folder, const std::string &part) {
  size_t count = 0;
  for (const auto &entry : std::filesystem::directory_iterator(folder / "."))
    count += entry.path().filename().string().find(part) != std::string::npos;
  return count;
}

/// What greedy generation gives, by predicting the whole sequence again for every token.
inline std::vector<int32_t> predictGreedy(const FakeArtefact &artefact, std::vector<int32_t> tokens, size_t count) {
  std::vector<int32_t> generated;
  for (size_t i = 0; i < count; ++i) {
    std::vector<float> logits = predictLogits(artefact, tokens);
    auto row = logits.end() - vocabSize;
    tokens.push_back(static_cast<int32_t>(std::max_element(row, logits.end()) - row));
    generated.push_back(tokens.back());
  }
  return generated;
}

class Run : public testing::Test {
protected:
  Run() {
    artefact.write(folder / "model.so");
    writeBytes(folder / "tokens.json", nlohmann::json(prompt).dump());
    ::setenv("D", (folder / ".").c_str(), 1);
  }

  /// A model with samba-tiny's tokenizer.
  void useText() {
    artefact.code = readBytes(SAMBA_TEXT_MODEL);
    artefact.useTokenizer();
    artefact.manifest["model"]["vocab_size"] = 2048;
    std::string weights = artefact.weights;
    while (artefact.weights.size() < 2048 * width * 4)
      artefact.weights += weights;
    artefact.manifest["weights"]["bytes"] = artefact.weights.size();
    artefact.write(folder / "model.so");
  }

  Folder folder;
  FakeArtefact artefact;
  std::vector<int32_t> prompt = someTokens(20);
};

} // namespace samba::test

#endif // TEST_UNIT_RUNTIME_RUNFIXTURE_H
