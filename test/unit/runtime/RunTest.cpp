//===- RunTest.cpp - the program samba-run -------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/unit/runtime/RunFixture.h"
#include "tools/samba-run/Dump.h"
#include "tools/samba-run/Input.h"
#include "tools/samba-run/Options.h"
#include "tools/samba-run/Safetensors.h"
#include "tools/samba-run/Score.h"

#include <cmath>
#include <cstring>

using namespace samba;
using namespace samba::run;
using namespace samba::test;
using nlohmann::json;

namespace {

struct Tensor {
  std::vector<int64_t> shape;
  std::vector<float> values;
};

std::map<std::string, Tensor> readTensors(const std::string &path) {
  std::string file = readBytes(path);
  uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  json header = json::parse(file.substr(8, length));
  std::map<std::string, Tensor> tensors;
  size_t end = 0;
  for (const auto &[name, info] : header.items()) {
    EXPECT_EQ(info["dtype"], "F32");
    size_t from = info["data_offsets"][0], to = info["data_offsets"][1];
    Tensor tensor{info["shape"], std::vector<float>((to - from) / 4)};
    if (to > from)
      std::memcpy(tensor.values.data(), file.data() + 8 + length + from, to - from);
    tensors[name] = tensor;
    end = std::max(end, to);
  }
  EXPECT_EQ(file.size(), 8 + length + end);
  return tensors;
}

TEST_F(Run, TokensToJson) {
  std::vector<int32_t> expected = predictGreedy(artefact, prompt, 12);
  for (const char *options : {"", "--threads 1", "--threads 3 --chunk 7", "--chunk=1"}) {
    Result result =
        shell(folder, std::string("$RUN $D/model.so --tokens $D/tokens.json -n 12 --ignore-eos --json ") + options);
    ASSERT_EQ(result.status, 0) << result.err;
    json object = json::parse(result.out);
    EXPECT_EQ(object["prompt_tokens"], json(prompt));
    EXPECT_EQ(object["tokens"], json(expected)) << options;
    EXPECT_EQ(object["text"], nullptr);
    EXPECT_EQ(object["stop"], "length");
    EXPECT_GT(object["timings"]["prompt_tokens_per_s"], 0.0);
    EXPECT_GT(object["timings"]["generation_tokens_per_s"], 0.0);
    EXPECT_EQ(result.err, "");
  }
}

TEST_F(Run, DoesNotStopAtEosWithoutText) {
  std::vector<int32_t> expected = predictGreedy(artefact, prompt, 12);
  artefact.manifest["model"]["eos_token_id"] = expected[2];
  artefact.write(folder / "model.so");
  json object = json::parse(shell(folder, "$RUN $D/model.so --tokens $D/tokens.json -n 12 --json").out);
  EXPECT_EQ(object["tokens"], json(expected));
  EXPECT_EQ(object["stop"], "length");
}

TEST_F(Run, SamplingBySeed) {
  auto tokens = [&](const std::string &options) {
    Result result = shell(folder, "$RUN $D/model.so --tokens $D/tokens.json -n 30 --ignore-eos --json " + options);
    EXPECT_EQ(result.status, 0) << result.err;
    return json::parse(result.out)["tokens"];
  };
  json first = tokens("--temp 5 --seed 1 --threads 1");
  EXPECT_EQ(tokens("--temp 5 --seed 1 --threads 4 --chunk 3"), first);
  EXPECT_NE(tokens("--temp 5 --seed 2"), first);
  EXPECT_EQ(tokens("--temp 5 --top-k 1"), json(predictGreedy(artefact, prompt, 30)));
  EXPECT_NE(tokens("--repeat-penalty 1.5"), json(predictGreedy(artefact, prompt, 30)));
}

TEST_F(Run, Dumps) {
  std::vector<float> logits = predictLogits(artefact, prompt);
  for (const char *chunk : {"512", "6", "1"}) {
    Result result = shell(folder, std::string("$RUN $D/model.so --tokens $D/tokens.json -n 0 --json --chunk ") + chunk +
                                      " --dump-logits $D/l.safetensors --dump-hidden $D/h.safetensors"
                                      " --dump-state $D/s.safetensors");
    ASSERT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(json::parse(result.out)["tokens"], json::array());
    auto dumped = readTensors(folder / "l.safetensors");
    ASSERT_EQ(dumped.size(), 1u);
    EXPECT_EQ(dumped["logits"].shape, (std::vector<int64_t>{20, vocabSize}));
    EXPECT_EQ(dumped["logits"].values, logits);

    auto hidden = readTensors(folder / "h.safetensors");
    ASSERT_EQ(hidden.size(), 3u);
    for (const char *name : {"hidden/embeddings", "hidden/layer0", "hidden/norm_f"})
      EXPECT_EQ(hidden[name].shape, (std::vector<int64_t>{20, width})) << name;
    for (size_t i = 0; i < 20 * static_cast<size_t>(width); ++i)
      ASSERT_EQ(hidden["hidden/norm_f"].values[i], hidden["hidden/layer0"].values[i] * 0.0625f);

    auto state = readTensors(folder / "s.safetensors");
    ASSERT_EQ(state.size(), 3u);
    EXPECT_EQ(state["state/layer0/conv"].shape, (std::vector<int64_t>{3, 4}));
    for (size_t i = 0; i < 12; ++i)
      EXPECT_EQ(state["state/layer0/conv"].values[i],
                static_cast<float>(prompt[17 + i / 4]) + static_cast<float>(i % 4));
    float decaying[8] = {};
    for (int32_t token : prompt)
      for (int i = 0; i < 8; ++i)
        decaying[i] = 0.5f * decaying[i] + static_cast<float>(token) * 0.25f + static_cast<float>(i);
    EXPECT_EQ(state["state/layer0/ssm"].shape, (std::vector<int64_t>{4, 2})); // transposed
    for (size_t i = 0; i < 8; ++i)
      EXPECT_EQ(state["state/layer0/ssm"].values[i], decaying[i % 2 * 4 + i / 2]);
    EXPECT_EQ(state["state/layer1/key"].shape, (std::vector<int64_t>{1, 2, 2}));
    EXPECT_EQ(state["state/layer1/key"].values[0], 19.0f);
    EXPECT_EQ(state["state/layer1/key"].values[2], 20.0f);
  }
  // Generation after the dumps goes on from the last prompt token.
  Result result = shell(folder, "$RUN $D/model.so --tokens $D/tokens.json -n 5 --ignore-eos --json --chunk 6"
                                " --dump-logits $D/l.safetensors");
  EXPECT_EQ(json::parse(result.out)["tokens"], json(predictGreedy(artefact, prompt, 5)));
  EXPECT_EQ(filesIn(folder, "partial"), 0u);
}

TEST_F(Run, Score) {
  std::vector<int32_t> ids = someTokens(50);
  writeBytes(folder / "ids.json", json(ids).dump());
  auto expected = [&](size_t piece, size_t count) {
    double total = 0;
    for (size_t begin = 0; begin < count; begin += piece) {
      std::vector<int32_t> fed = {1};
      size_t end = std::min(count, begin + piece);
      fed.insert(fed.end(), ids.begin() + static_cast<ptrdiff_t>(begin), ids.begin() + static_cast<ptrdiff_t>(end) - 1);
      std::vector<float> logits = predictLogits(artefact, fed);
      for (size_t i = begin; i < end; ++i) {
        const float *row = &logits[(i - begin) * vocabSize];
        double sum = 0;
        for (int v = 0; v < vocabSize; ++v)
          sum += std::exp(static_cast<double>(row[v]));
        total += std::log(sum) - static_cast<double>(row[ids[i]]);
      }
    }
    return total;
  };
  struct {
    const char *options;
    size_t piece, count;
  } cases[] = {{"", 50, 50},
               {"--chunk 7", 50, 50},
               {"--context 16", 16, 50},
               {"--context 16 --chunk 5", 16, 50},
               {"--context 1", 1, 50},
               {"--context 100 --max-tokens 33", 100, 33}};
  for (const auto &[options, piece, count] : cases) {
    Result result = shell(folder, std::string("$RUN $D/model.so --score $D/ids.json ") + options);
    ASSERT_EQ(result.status, 0) << result.err;
    json object = json::parse(result.out);
    double nll = expected(piece, count);
    EXPECT_EQ(object["tokens"], count) << options;
    EXPECT_NEAR(object["nll"], nll, 1e-9 * nll) << options;
    EXPECT_NEAR(object["nll_per_token"], nll / static_cast<double>(count), 1e-9) << options;
    EXPECT_NEAR(object["perplexity"], std::exp(nll / static_cast<double>(count)), 1e-7) << options;
  }
}

TEST(Score, NegativeLogLikelihood) {
  std::vector<float> logits = {1000, 1000, -1000};
  EXPECT_NEAR(negativeLogLikelihood(logits.data(), 3, 0), std::log(2.0), 1e-12);
  EXPECT_NEAR(negativeLogLikelihood(logits.data(), 3, 2), 2000 + std::log(2.0), 1e-9);
}

TEST_F(Run, TextPrompt) {
  useText();
  writeBytes(folder / "prompt.txt", "Hello world");
  Result json1 = shell(folder, "$RUN $D/model.so --prompt 'Hello world' -n 40 --ignore-eos --json --temp 1");
  ASSERT_EQ(json1.status, 0) << json1.err;
  json object = json::parse(json1.out);
  EXPECT_EQ(object["prompt_tokens"], json({1, 557, 282, 1979, 1033}));
  ASSERT_EQ(object["tokens"].size(), 40u);
  // Plain output is the same text, byte for byte, from a file as well.
  for (const char *prompt : {"--prompt 'Hello world'", "--prompt-file $D/prompt.txt"}) {
    Result plain = shell(folder, std::string("$RUN $D/model.so -n 40 --ignore-eos --temp 1 ") + prompt);
    EXPECT_EQ(plain.status, 0) << plain.err;
    EXPECT_EQ(json(plain.out), object["text"]);
  }
  // Prompt and text together are what all ids decode to.
  std::vector<int32_t> ids = object["prompt_tokens"];
  for (int32_t id : object["tokens"])
    ids.push_back(id);
  samba::Model model(folder / "model.so");
  EXPECT_EQ("Hello world" + object["text"].get<std::string>(), model.detokenize(ids));
}

TEST_F(Run, InfoVersionHelp) {
  EXPECT_EQ(json::parse(shell(folder, "$RUN $D/model.so --info").out), artefact.manifest);
  EXPECT_EQ(shell(folder, "$RUN --version").out, "samba-run 0.1.0 (artefact version 2)\n");
  Result help = shell(folder, "$RUN --help");
  EXPECT_EQ(help.status, 0);
  for (const char *option : {"--prompt ",
                             "--prompt-file",
                             "--tokens",
                             "--score",
                             "-n N",
                             "--temp",
                             "--top-k",
                             "--top-p",
                             "--min-p",
                             "--repeat-penalty",
                             "--seed",
                             "--threads",
                             "--json",
                             "--dump-logits",
                             "--dump-hidden",
                             "--dump-state",
                             "--context",
                             "--max-tokens",
                             "--info",
                             "--chunk",
                             "--help",
                             "--version",
                             "--ignore-eos",
                             "--verify",
                             "--save-state",
                             "--load-state",
                             "--prompt-cache ",
                             "--prompt-cache-size",
                             "--batch",
                             "-o FILE",
                             "--concurrency",
                             "--budget",
                             "--stream",
                             "--continue",
                             "--speculate",
                             "--stop",
                             "--logit-bias",
                             "--presence-penalty",
                             "--frequency-penalty",
                             "--logprobs",
                             "--deadline",
                             "--max-memory"})
    EXPECT_NE(help.out.find(option), std::string::npos) << option;
}

TEST_F(Run, SelfContained) {
  artefact.launcher = readBytes(SAMBA_RUN);
  artefact.write(folder / "program");
  std::filesystem::permissions(folder / "program", std::filesystem::perms::owner_all);
  Result result = shell(folder, "$D/program --tokens $D/tokens.json -n 4 --ignore-eos --json");
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(json::parse(result.out)["tokens"], json(predictGreedy(artefact, prompt, 4)));
  EXPECT_NE(shell(folder, "$D/program --help").out.find("usage: program --prompt"), std::string::npos);
  result = shell(folder, "$D/program $D/model.so --info");
  EXPECT_EQ(result.status, 2);
  EXPECT_NE(result.err.find("unexpected argument"), std::string::npos);
}

TEST_F(Run, UsageErrors) {
  for (const char *arguments : {"",
                                "$D/model.so",
                                "--prompt x",
                                "$D/model.so $D/model.so --info",
                                "$D/model.so --prompt",
                                "$D/model.so --nope",
                                "$D/model.so -x 3",
                                "$D/model.so --prompt x -n -1",
                                "$D/model.so --prompt x -n 3x",
                                "$D/model.so --prompt x -n ''",
                                "$D/model.so --prompt x -n 99999999999999999999",
                                "$D/model.so --prompt x --temp -1",
                                "$D/model.so --prompt x --temp nan",
                                "$D/model.so --prompt x --temp 0x1p3q",
                                "$D/model.so --prompt x --top-p 0 --temp 1",
                                "$D/model.so --prompt x --top-k 5",
                                "$D/model.so --prompt x --repeat-penalty inf",
                                "$D/model.so --prompt x --seed -1",
                                "$D/model.so --prompt x --threads 0",
                                "$D/model.so --prompt x --chunk 0",
                                "$D/model.so --prompt x --tokens y",
                                "$D/model.so --prompt x --context 3",
                                "$D/model.so --json=1 --info",
                                "$D/model.so --score x --dump-logits y"}) {
    Result result = shell(folder, std::string("$RUN ") + arguments);
    EXPECT_EQ(result.status, 2) << arguments;
    EXPECT_EQ(result.out, "") << arguments;
    EXPECT_EQ(result.err.rfind("samba-run: error: ", 0), 0u) << arguments << ": " << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << arguments << ": " << result.err;
  }
}

TEST_F(Run, Failures) {
  writeBytes(folder / "object.json", "{}");
  writeBytes(folder / "broken.json", "[1, 2");
  writeBytes(folder / "empty.json", "[]");
  writeBytes(folder / "large.json", "[3, 4, 32]");
  writeBytes(folder / "negative.json", "[-3]");
  writeBytes(folder / "huge.json", "[18446744073709551615]");
  writeBytes(folder / "real.json", "[1.5]");
  struct {
    const char *arguments, *message;
  } cases[] = {
      {"$D/missing.so --info", "cannot open"},
      {"$D/tokens.json --info", "is not a compiled model"},
      {"$D/model.so --tokens $D/missing --json", "cannot read"},
      {"$D/model.so --tokens $D --json", "cannot read"},
      {"$D/model.so --tokens $D/object.json --json", "is not a JSON array"},
      {"$D/model.so --tokens $D/broken.json --json", "is not a JSON array"},
      {"$D/model.so --tokens $D/empty.json --json", "the prompt has no tokens"},
      {"$D/model.so --tokens $D/large.json --json", "element 2: expected an integer from 0 to 31, found 32"},
      {"$D/model.so --tokens $D/negative.json --json", "element 0"},
      {"$D/model.so --tokens $D/huge.json --json", "element 0"},
      {"$D/model.so --tokens $D/real.json --json", "found 1.5"},
      {"$D/model.so --tokens $D/tokens.json", "has no tokenizer: --json"},
      {"$D/model.so --prompt x --json", "has no tokenizer"},
      {"$D/model.so --score $D/empty.json", "has no tokens"},
      {"$D/model.so --tokens $D/tokens.json --json -n 0 --dump-logits $D/no/such/folder", "No such file"},
      {"$D/model.so --tokens $D/tokens.json --json -n 0 --dump-logits /dev/full", "No space left"},
      {"$D/model.so --tokens $D/tokens.json --json -n 0 --dump-hidden /dev/full", "No space left"},
      {"$D/model.so --tokens $D/tokens.json --json -n 0 --dump-state /dev/full", "No space left"},
      {"$D/model.so --info > /dev/full", "cannot write to standard output: No space left"},
  };
  for (const auto &[arguments, message] : cases) {
    Result result = shell(folder, std::string("$RUN ") + arguments);
    EXPECT_EQ(result.status, 1) << arguments;
    EXPECT_EQ(result.out, "") << arguments;
    EXPECT_EQ(result.err.rfind("samba-run: error: ", 0), 0u) << arguments << ": " << result.err;
    EXPECT_NE(result.err.find(message), std::string::npos) << arguments << ": " << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << arguments << ": " << result.err;
  }
  EXPECT_EQ(filesIn(folder, "partial"), 0u);
}

TEST_F(Run, ContextFull) {
  artefact.manifest["model"]["max_context"] = 22;
  artefact.write(folder / "model.so");
  Result result = shell(folder, "$RUN $D/model.so --tokens $D/tokens.json -n 10 --ignore-eos --json");
  EXPECT_EQ(result.status, 1);
  EXPECT_NE(result.err.find("context full"), std::string::npos) << result.err;
  // Two tokens fit, and the logits of the last one give a third.
  EXPECT_EQ(json::parse(result.out)["tokens"], json(predictGreedy(artefact, prompt, 3)));
  EXPECT_EQ(json::parse(result.out)["stop"], "context");
}

TEST_F(Run, ClosedPipeIsQuiet) {
  useText();
  Result result = shell(folder, "{ $RUN $D/model.so --prompt x -n 100000 --ignore-eos; echo $? >&2; } | head -c 3");
  EXPECT_EQ(result.err, "0\n");
  EXPECT_EQ(result.out.size(), 3u);
}

TEST_F(Run, InterruptedGenerationIsWhole) {
  // The signal comes once the run has begun; a million tokens would take far longer.
  Result result = shell(folder, "$RUN $D/model.so --tokens $D/tokens.json -n 100000000 --ignore-eos --json"
                                " --dump-state $D/begun & pid=$!; while ! test -e $D/begun; do sleep 0.02; done;"
                                " kill -INT $pid; wait $pid");
  EXPECT_EQ(result.status, 130);
  EXPECT_EQ(result.err, "");
  json object = json::parse(result.out);
  EXPECT_EQ(object["stop"], "interrupted");
  size_t count = std::min<size_t>(object["tokens"].size(), 10);
  std::vector<int32_t> tokens = object["tokens"];
  tokens.resize(count);
  EXPECT_EQ(tokens, predictGreedy(artefact, prompt, count));
}

TEST(Safetensors, AnyOrderAndOnlyWhole) {
  Folder folder;
  std::vector<float> values = {1, 2, 3, 4, 5, 6};
  std::vector<TensorInfo> tensors = {{"a", "F32", {2, 3}}, {"b/\"\xc3\xa9\"", "F32", {}}, {"none", "F32", {0, 5}}};
  writeBytes(folder / "t", "the old one");
  {
    SafetensorsWriter writer(folder / "t", tensors);
    writer.write(1, 0, &values[5], 4);
  }
  EXPECT_EQ(readBytes(folder / "t"), "the old one");
  EXPECT_EQ(filesIn(folder, "partial"), 0u);
  SafetensorsWriter writer(folder / "t", tensors);
  writer.write(1, 0, &values[5], 4);
  writer.write(0, 12, &values[3], 12);
  writer.write(0, 0, &values[0], 12);
  EXPECT_THROW(writer.write(0, 12, &values[0], 13), std::runtime_error);
  EXPECT_THROW(writer.write(2, 0, &values[0], 4), std::runtime_error);
  EXPECT_THROW(writer.write(0, ~uint64_t(0), &values[0], 4), std::runtime_error);
  EXPECT_EQ(readBytes(folder / "t"), "the old one");
  writer.commit();
  auto read = readTensors(folder / "t");
  ASSERT_EQ(read.size(), 3u);
  EXPECT_EQ(read["a"].values, values);
  EXPECT_EQ(read["b/\"\xc3\xa9\""].values, std::vector<float>{6});
  EXPECT_EQ(read["none"].shape, (std::vector<int64_t>{0, 5}));
}

TEST(Dump, Names) {
  EXPECT_EQ(dumpName("embeddings"), "embeddings");
  EXPECT_EQ(dumpName("layers.12"), "layer12");
  EXPECT_EQ(dumpName("layers.3.conv"), "layer3/conv");
  EXPECT_EQ(dumpName("norm_f"), "norm_f");
}

} // namespace
