//===- RunBatchTest.cpp - samba-run --batch ------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/unit/runtime/RunFixture.h"
#include "tools/samba-run/BatchOutput.h"

#include <fstream>
#include <sstream>

using namespace samba::run;
using namespace samba::test;
using nlohmann::json;

namespace {

std::vector<json> parseLines(const std::string &text) {
  std::istringstream stream(text);
  std::vector<json> lines;
  for (std::string line; std::getline(stream, line);)
    lines.push_back(json::parse(line));
  return lines;
}

class RunBatch : public Run {
protected:
  /// Greedy lines with prompts and lengths of many sizes.
  void writeInput(size_t count, size_t most) {
    std::ofstream file(folder / "in.jsonl");
    for (size_t i = 0; i < count; ++i) {
      std::vector<int32_t> tokens = someTokens(1 + i * 7 % 50, static_cast<uint32_t>(i));
      size_t n = i * 5 % most;
      file << json{{"tokens", tokens}, {"n", n}, {"ignore_eos", true}}.dump() << "\n";
      expected.push_back(predictGreedy(artefact, tokens, n));
    }
  }
  void expectResults(const std::string &text) {
    std::vector<json> results = parseLines(text);
    ASSERT_EQ(results.size(), expected.size());
    for (size_t i = 0; i < results.size(); ++i) {
      EXPECT_EQ(results[i]["line"], i + 1);
      EXPECT_EQ(results[i]["tokens"], json(expected[i])) << i;
    }
  }

  std::vector<std::vector<int32_t>> expected;
};

TEST_F(RunBatch, LikeOneByOne) {
  writeInput(40, 12);
  for (const char *options :
       {"", "--concurrency 1", "--concurrency 3 --budget 5", "--concurrency 64 --budget 1", "--chunk 16 --threads 3"}) {
    Result result = shell(folder, std::string("$RUN $D/model.so --batch $D/in.jsonl ") + options);
    ASSERT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(result.err, "");
    expectResults(result.out);
  }
  Result result = shell(folder, "$RUN $D/model.so --batch $D/in.jsonl -o $D/out.jsonl");
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, "");
  expectResults(readBytes(folder / "out.jsonl"));
  EXPECT_EQ(filesIn(folder, "partial"), 0u);
}

TEST_F(RunBatch, OptionsOfALine) {
  useText();
  auto alone = [&](const std::string &options) {
    return json::parse(shell(folder, "$RUN $D/model.so --json --prompt Hello " + options).out);
  };
  writeBytes(folder / "in.jsonl", R"({"prompt": "Hello", "n": 7, "temp": 1, "seed": 5, "id": {"x": 1}}

{"prompt": "Hello", "temp": 1, "top_k": 9, "top_p": 0.9, "min_p": 0.01, "seed": 6, "ignore_eos": true}
{"prompt": "Hello", "repeat_penalty": 1.5, "presence_penalty": 1, "frequency_penalty": 0.5, "logprobs": 2}
{"prompt": "Hello", "logit_bias": {"300": 1000}, "n": 2}
)");
  std::vector<json> results = parseLines(shell(folder, "$RUN $D/model.so --batch $D/in.jsonl -n 9").out);
  ASSERT_EQ(results.size(), 4u);
  EXPECT_EQ(results[0]["id"], json({{"x", 1}}));
  EXPECT_EQ(results[1]["line"], 3);
  EXPECT_EQ(results[0]["text"], alone("-n 7 --temp 1 --seed 5")["text"]);
  EXPECT_EQ(results[1]["tokens"],
            alone("-n 9 --temp 1 --top-k 9 --top-p 0.9 --min-p 0.01 --seed 6 --ignore-eos")["tokens"]);
  json penalised = alone("-n 9 --repeat-penalty 1.5 --presence-penalty 1 --frequency-penalty 0.5 --logprobs 2 --json");
  EXPECT_EQ(results[2]["tokens"], penalised["tokens"]);
  EXPECT_EQ(results[2]["logprobs"].size(), penalised["logprobs"].size());
  EXPECT_EQ(results[3]["tokens"], json({300, 300}));
}

TEST_F(RunBatch, WrongLinesDoNotStopOthers) {
  artefact.manifest["model"]["max_context"] = 30;
  artefact.write(folder / "model.so");
  const std::string deep = std::string(1000000, '[') + std::string(1000000, ']'); // the stack does not hold that
  struct {
    std::string line, error;
  } cases[] = {{"[1]", "expected a JSON object"},
               {"{", "expected a JSON object"},
               {R"({"n": 1})", "expected either 'prompt' or 'tokens'"},
               {R"({"tokens": [3], "prompt": "x"})", "expected either"},
               {R"({"tokens": []})", "no tokens"},
               {R"({"tokens": [32]})", "element 0: expected an integer from 0 to 31, found 32"},
               {R"({"tokens": 3})", "is not a JSON array"},
               {R"({"prompt": "x"})", "has no tokenizer"},
               {R"({"tokens": [3], "temp": -1})", "temperature must be"},
               {R"({"tokens": [3], "temp": "hot"})", "key 'temp': expected a number"},
               {R"({"tokens": [3], "seed": 1.5})", "key 'seed'"},
               {R"({"tokens": [3], "stop": ""})", "key 'stop'"},
               {R"({"tokens": [3], "stop": ["x"]})", "has no tokenizer"},
               {R"({"tokens": [3], "logit_bias": {"x": 1}})", "key 'logit_bias'"},
               {R"({"tokens": [3], "logit_bias": {"99": 1}})", "logit bias"},
               {R"({"tokens": [3], "ignore_eos": 1})", "expected true or false"},
               {R"({"tokens": [3], "prompts": 1})", "key 'prompts': expected a key that is known"},
               {R"({"tokens": [3], "id": )" + deep + "}", "the JSON is nested deeper than 64"},
               {R"({"tokens": [3], "temp": )" + deep + "}", "the JSON is nested deeper than 64"},
               {json{{"tokens", {3}}, {"logit_bias", {{deep, 1}}}}.dump(), "is nested deeper than 64"},
               {json{{"tokens", someTokens(31)}}.dump(), "context full"}};
  std::string input;
  for (const auto &[line, error] : cases)
    input += line + "\n" + json{{"tokens", prompt}, {"n", 3}, {"ignore_eos", true}}.dump() + "\n";
  input += json{{"tokens", prompt}, {"n", 50}, {"ignore_eos", true}}.dump(); // without a newline
  writeBytes(folder / "in.jsonl", input);
  Result result = shell(folder, "$RUN $D/model.so --batch $D/in.jsonl --concurrency 4");
  EXPECT_EQ(result.status, 0) << result.err;
  std::vector<json> results = parseLines(result.out);
  ASSERT_EQ(results.size(), 2 * std::size(cases) + 1);
  for (size_t i = 0; i < std::size(cases); ++i) {
    EXPECT_NE(results[2 * i].value("error", "").find(cases[i].error), std::string::npos) << results[2 * i];
    EXPECT_EQ(results[2 * i + 1]["tokens"], json(predictGreedy(artefact, prompt, 3)));
  }
  EXPECT_EQ(results.back()["stop"], "context");
  EXPECT_EQ(results.back()["tokens"], json(predictGreedy(artefact, prompt, 11)));
}

TEST_F(RunBatch, GoesOnAfterBeingKilled) {
  writeInput(400, 60);
  Result whole = shell(folder, "$RUN $D/model.so --batch $D/in.jsonl");
  std::string command = "$RUN $D/model.so --batch $D/in.jsonl -o $D/out.jsonl --concurrency 5 --threads 1";
  // Killed three times, each time a bit later; what is done then is not done again.
  uint64_t before = 0;
  for (uint64_t bytes : {3000, 12000, 40000}) {
    shell(folder, command + " & pid=$!; while [ \"$(stat -c %s $D/out.jsonl.partial 2>/dev/null || echo 0)\" -lt " +
                      std::to_string(bytes) + " ] && kill -0 $pid; do :; done; kill -KILL $pid; wait $pid");
    if (!std::filesystem::exists(folder / "out.jsonl.partial"))
      break; // it was faster
    uint64_t size = std::filesystem::file_size(folder / "out.jsonl.partial");
    EXPECT_GE(size, before);
    before = size;
  }
  Result result = shell(folder, command);
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(readBytes(folder / "out.jsonl"), whole.out);
  expectResults(readBytes(folder / "out.jsonl"));
  EXPECT_EQ(filesIn(folder, "partial"), 0u);
}

TEST_F(RunBatch, JournalOfOtherSettings) {
  writeInput(10, 6);
  std::string command = "$RUN $D/model.so --batch $D/in.jsonl -o $D/out.jsonl ";
  Result result = shell(folder, command + "--max-tokens 200 --concurrency 1 --seed 1");
  EXPECT_EQ(result.status, 0);
  EXPECT_NE(result.err.find("ended by max-tokens after "), std::string::npos) << result.err;
  std::string journal = readBytes(folder / "out.jsonl.partial");
  EXPECT_FALSE(std::filesystem::exists(folder / "out.jsonl"));
  writeBytes(folder / "out.jsonl.partial", journal + "0123456789abcdef 9 {\"cut of");
  EXPECT_EQ(shell(folder, command).status, 0); // another seed: all of it again
  expectResults(readBytes(folder / "out.jsonl"));
  for (const char *other : {"something\n", "some thing {else}\n", "k  {}\n", "k 99999999999999999999 {}\n", "k 1 []\n",
                            "k 1 \n", "a text with spaces\n and no newline"}) {
    writeBytes(folder / "out.jsonl.partial", other);
    result = shell(folder, command);
    EXPECT_EQ(result.status, 1) << other;
    EXPECT_NE(result.err.find("is not the journal of a batch"), std::string::npos) << result.err;
    EXPECT_EQ(readBytes(folder / "out.jsonl.partial"), other) << "nothing of it is lost";
  }
}

TEST_F(RunBatch, ABadJournalIsClosed) {
  writeBytes(folder / "o.partial", "something\n");
  auto descriptors = [] {
    std::filesystem::directory_iterator entries("/proc/self/fd");
    return std::distance(begin(entries), end(entries));
  };
  auto before = descriptors();
  for (int i = 0; i < 3; ++i)
    EXPECT_THROW(samba::run::BatchOutput(folder / "o"), std::runtime_error);
  EXPECT_EQ(descriptors(), before);
}

TEST_F(RunBatch, Failures) {
  writeInput(3, 4);
  for (const char *arguments : {"--batch $D/missing", "--batch $D", "--batch $D/in.jsonl -o $D/no/such/folder",
                                "--batch $D/in.jsonl > /dev/full"}) {
    Result result = shell(folder, std::string("$RUN $D/model.so ") + arguments);
    EXPECT_EQ(result.status, 1) << arguments;
    EXPECT_NE(result.err.find("samba-run: error: cannot "), std::string::npos) << arguments << ": " << result.err;
  }
  for (const char *arguments : {"--batch $D/in.jsonl --prompt x", "--batch $D/in.jsonl --json", "--prompt x -o y",
                                "--prompt x --concurrency 2", "--batch $D/in.jsonl --budget 513"})
    EXPECT_EQ(shell(folder, std::string("$RUN $D/model.so ") + arguments).status, 2) << arguments;
  BatchOutput first(folder / "locked");
  EXPECT_THROW(BatchOutput(folder / "locked"), std::runtime_error);
}

} // namespace
