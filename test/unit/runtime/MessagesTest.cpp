//===- MessagesTest.cpp - what the runtime says of wrong calls -----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The messages of docs/errors.md and docs/runtime.md, word by word, where other tests look at a part of them only.
//
//===----------------------------------------------------------------------===//

#include "samba/samba.hpp"
#include "test/unit/runtime/RunFixture.h"

#include <cmath>
#include <cstring>
#include <limits>

using namespace samba;
using namespace samba::test;
using nlohmann::json;

namespace {

class Messages : public Run {
protected:
  static void expect(samba_status status, samba_status wanted, const std::string &message) {
    EXPECT_EQ(status, wanted) << samba_last_error();
    EXPECT_EQ(std::string(samba_last_error()), message);
  }

  /// `before` stands in front of the program, like "A=1".
  void expectRun(const std::string &arguments, const std::string &message, const std::string &before = "") {
    Result result = shell(folder, before + " $RUN $D/model.so --json " + arguments);
    EXPECT_EQ(result.status, 1) << arguments;
    EXPECT_EQ(result.err.rfind("samba-run: error: ", 0), 0u) << result.err;
    EXPECT_NE(result.err.find(message), std::string::npos) << arguments << ": " << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << arguments << ": " << result.err;
  }

  const std::string faulty = "LD_PRELOAD=" SAMBA_FAULTY_CALLS;
};

TEST_F(Messages, WrongCalls) {
  Model model(folder / "model.so"), other(folder / "model.so");
  Session session(model), foreign(other);
  std::vector<float> logits(vocabSize);
  int32_t token = 5;
  constexpr samba_status argument = SAMBA_ERROR_ARGUMENT;
  expect(samba_open(nullptr, nullptr, nullptr), argument, "samba_open: null argument");
  expect(samba_session_create(nullptr, nullptr), argument, "samba_session_create: null argument");
  expect(samba_session_load(model.get(), nullptr, nullptr), argument, "samba_session_load: null argument");
  samba_model *opened = nullptr;
  samba_options options = {};
  expect(samba_open((folder / "model.so").c_str(), &options, &opened), argument, "samba_open: options.size is not set");
  samba_sampler *none = nullptr;
  expect(samba_sampler_sample(none, logits.data(), vocabSize, &token), argument,
         "samba_sampler_sample: invalid argument");
  samba_segment foreigners[] = {{session.get(), &token, 1}, {foreign.get(), &token, 1}};
  expect(samba_evaluate(model.get(), foreigners, 2, SAMBA_ROWS_NONE, nullptr, 0), argument,
         "segment 1: the session belongs to another model");
  samba_segment twice[] = {{session.get(), &token, 1}, {session.get(), &token, 1}};
  expect(samba_evaluate(model.get(), twice, 2, SAMBA_ROWS_NONE, nullptr, 0), argument,
         "a session occurs twice in one evaluation");
  expect(samba_session_copy(session.get(), foreign.get()), argument, "samba_session_copy: sessions of two models");
  expect(samba_session_restore(session.get(), &token, sizeof(token), 0), argument,
         "samba_session_restore: wrong size of the state");
  std::string state(stateBytes, '\0');
  expect(samba_session_restore(session.get(), state.data(), state.size(), -1), argument,
         "samba_session_restore: negative position");
  expect(samba_evaluate(model.get(), twice, 1, SAMBA_ROWS_LAST, logits.data(), 31), SAMBA_ERROR_LIMIT,
         "the buffer for logits has room for 31 values, expected 1 rows of 32");
  size_t size = 0;
  std::string needed = std::to_string(samba_saved_bytes(model.get()));
  expect(samba_session_serialize(session.get(), state.data(), 128, &size), SAMBA_ERROR_LIMIT,
         "the buffer has room for 128, expected " + needed);
  std::string large(SAMBA_MAX_ATTACHMENT + 1, 'x');
  expect(samba_session_attach(session.get(), large.data(), large.size()), argument,
         "samba_session_attach: expected at most 1048576 bytes, found 1048577");
  samba_scheduler *scheduler = nullptr;
  expect(samba_scheduler_create(model.get(), 513, &scheduler), argument,
         "budget is 513, expected 0 to the chunk of 512");
  samba_sampling sampling = SAMBA_SAMPLING_INIT;
  sampling.top_p = 0;
  expect(samba_sampler_create(&sampling, &none), argument, "sampling: top_p must be above 0 and at most 1");
  for (float &logit : logits)
    logit = std::nanf("");
  check(samba_sampler_create(nullptr, &none));
  expect(samba_sampler_sample(none, logits.data(), logits.size(), &token), SAMBA_ERROR_NUMERIC,
         "sampling: every logit is NaN");
  samba_sampler_free(none);
}

TEST_F(Messages, ModelsThatCannotDoIt) {
  FakeArtefact original = artefact;
  artefact.manifest["model"]["max_context"] = 10;
  artefact.write(folder / "model.so");
  expectRun("--tokens $D/tokens.json",
            "context full: 20 tokens at position 0 exceed the 10 tokens of the model's full-attention layers");
  artefact = original;
  artefact.manifest["model"]["bos_token_id"] = nullptr;
  artefact.write(folder / "model.so");
  expectRun("--score $D/tokens.json", "model 'fake' has no bos_token_id, which --score begins with");
  artefact = original;
  float infinite = std::numeric_limits<float>::infinity();
  for (size_t at = 0; at < artefact.weights.size(); at += sizeof(infinite))
    std::memcpy(&artefact.weights[at], &infinite, sizeof(infinite));
  artefact.write(folder / "model.so");
  expectRun("--score $D/tokens.json", "the logits are not finite near token ");
}

// Not for sanitizers, which need more address space than this leaves.
TEST_F(Messages, ModelsThatNeedTooMuchMemory) {
  FakeArtefact original = artefact;
  artefact.manifest["arena_bytes_per_token"] = int64_t(1) << 36;
  artefact.write(folder / "model.so");
  expectRun("--tokens $D/tokens.json", "out of memory: cannot allocate 2199023255552 bytes", "ulimit -v 16000000;");
  artefact = original;
  artefact.manifest["state"]["bytes"] = int64_t(1) << 46;
  artefact.write(folder / "model.so");
  expectRun("--tokens $D/tokens.json", "out of memory: cannot allocate 70368744177664 bytes for a state",
            "ulimit -v 16000000;");
}

TEST_F(Messages, StatesBatchesAndStreams) {
  Model model(folder / "model.so");
  Session session(model);
  session.save(folder / "s");
  expectRun("--load-state $D/s", "s' has no token to go on with: give a prompt");
  session.attach("something");
  session.save(folder / "s");
  expectRun("--load-state $D/s --tokens $D/tokens.json",
            "s' was saved by another program: what is attached to it is not a saved sampler");
  expectRun("--tokens $D/tokens.json --logit-bias 32=1", "logit bias: expected a token from 0 to 31, found 32");
  auto expectPlain = [&](const std::string &command, const std::string &message) {
    Result result = shell(folder, command);
    EXPECT_EQ(result.status, 1) << command;
    EXPECT_NE(result.err.find(message), std::string::npos) << command << ": " << result.err;
  };
  expectPlain("echo 5 x | $RUN $D/model.so --stream=tokens",
              "standard input: expected a token id from 0 to 31, found 'x'");
  writeBytes(folder / "in.jsonl", "{\"tokens\": [4]}\n");
  writeBytes(folder / "o.partial", "something\n");
  expectPlain("$RUN $D/model.so --batch $D/in.jsonl -o $D/o",
              "o.partial' is not the journal of a batch: remove it to begin anew");
  writeBytes(folder / "o.partial", "");
  expectPlain("flock $D/o.partial $RUN $D/model.so --batch $D/in.jsonl -o $D/o", "o.partial' is in use by another run");
}

TEST_F(Messages, FilesThatEndTooSoon) {
  // Each file ends while it is read, wherever.
  shell(folder, "$RUN $D/model.so --json --tokens $D/tokens.json -n 0 --save-state $D/s");
  for (const char *bytes : {"0", "1", "63", "200", "700"})
    expectRun("--load-state $D/s --tokens $D/tokens.json", ": it got shorter while it was read",
              faulty + " READ_BYTES=" + bytes);
}

TEST_F(Messages, ProgramsWithoutMemoryFiles) {
  artefact.launcher = std::string(4096, 'x');
  artefact.write(folder / "model.so");
  expectRun("--tokens $D/tokens.json", "cannot copy the code of '", faulty + " NO_MEMORY_FILES=1");
  // A fork needs one, too.
  artefact.launcher.clear();
  artefact.write(folder / "model.so");
  Result result =
      shell(folder, "echo 4 | " + faulty + " NO_MEMORY_FILES=1 $RUN $D/model.so --stream=tokens --continue 3");
  EXPECT_EQ(result.status, 1);
  EXPECT_NE(result.err.find("out of memory: cannot allocate 128 bytes for a state"), std::string::npos) << result.err;
}

} // namespace
