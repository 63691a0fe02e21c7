//===- StreamTest.cpp - reading without end ------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "test/unit/runtime/RunFixture.h"
#include "tools/samba-run/Score.h"
#include "tools/samba-run/StreamInput.h"

#include <cstring>
#include <sstream>

using namespace samba;
using namespace samba::run;
using namespace samba::test;
using nlohmann::json;

namespace {

std::vector<std::string> cut(TextCutter cutter, const std::string &text, size_t step) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= text.size(); at += step) {
    size_t count = std::min(step, text.size() - at);
    cutter.add(text.data() + at, count);
    while (std::optional<std::string> part = cutter.next(at + step > text.size()))
      parts.push_back(*part);
  }
  return parts;
}

TEST(StreamInput, Words) {
  using Parts = std::vector<std::string>;
  for (size_t step : {1, 2, 3, 100}) {
    EXPECT_EQ(cut(TextCutter(false), "one two  three\n four\tfive six ", step),
              (Parts{"one", "two  three\n four\tfive", "six "}));
    EXPECT_EQ(cut(TextCutter(false), " a", step), (Parts{" a"}));
    EXPECT_EQ(cut(TextCutter(true), "one two\n\nthree", step), (Parts{"one two\n", "\n", "three"}));
    EXPECT_EQ(cut(TextCutter(true), "", step), Parts());
  }
  std::string longWord;
  while (longWord.size() < 200000)
    longWord += "\xe2\x82\xac";
  std::string together;
  for (const std::string &part : cut(TextCutter(false), longWord, 5000)) {
    EXPECT_LE(part.size(), 65536u);
    EXPECT_EQ(part.size() % 3, 0u) << "cut within a character";
    together += part;
  }
  EXPECT_EQ(together, longWord);
}

TEST(StreamInput, Integers) {
  const std::string text = "[1, 2]\n3 40,\n\n\t5";
  for (size_t step : {1, 2, 3, 100}) {
    IntegerCutter cutter;
    std::vector<int32_t> ids;
    for (size_t at = 0; at <= text.size(); at += step) {
      cutter.add(text.data() + at, std::min(step, text.size() - at));
      bool end = at + step > text.size();
      while (auto more = cutter.next(end, false, 100)) {
        ids.insert(ids.end(), more->begin(), more->end());
        if (end)
          break;
        if (more->empty())
          break;
      }
    }
    EXPECT_EQ(ids, (std::vector<int32_t>{1, 2, 3, 40, 5})) << step;
  }
  IntegerCutter lines;
  lines.add(text.data(), text.size());
  EXPECT_EQ(lines.next(false, true, 100), (std::vector<int32_t>{1, 2}));
  EXPECT_EQ(lines.next(false, true, 100), (std::vector<int32_t>{3, 40}));
  EXPECT_EQ(lines.next(false, true, 100), (std::vector<int32_t>{}));
  EXPECT_EQ(lines.next(false, true, 100), std::nullopt);
  EXPECT_EQ(lines.next(true, true, 100), (std::vector<int32_t>{5}));
  EXPECT_EQ(lines.next(true, true, 100), std::nullopt);
  for (const char *wrong : {"100 ", "-1 ", "1x ", "99999999999999999999 ", "\xff ", "1.5 "}) {
    IntegerCutter cutter;
    cutter.add(wrong, std::strlen(wrong));
    EXPECT_THROW(cutter.next(false, false, 100), std::runtime_error) << wrong;
  }
}

class StreamRun : public Run {
protected:
  std::vector<json> run(const std::string &input, const std::string &arguments) {
    writeBytes(folder / "in", input);
    // Through a pipe, in pieces.
    Result result = shell(folder, "cat $D/in | $RUN $D/model.so " + arguments);
    EXPECT_EQ(result.status, 0) << result.err;
    EXPECT_EQ(result.err, "");
    std::vector<json> lines;
    std::istringstream stream(result.out);
    for (std::string line; std::getline(stream, line);)
      lines.push_back(json::parse(line));
    return lines;
  }
};

TEST_F(StreamRun, Scores) {
  std::vector<int32_t> tokens = someTokens(300);
  std::vector<float> logits = predictLogits(artefact, tokens);
  for (const char *options : {"", " --chunk 7", " --chunk 1"}) {
    std::vector<json> lines = run(json(tokens).dump(), std::string("--stream=tokens") + options);
    ASSERT_EQ(lines.size(), tokens.size());
    EXPECT_EQ(lines[0], json({{"position", 0}, {"token", tokens[0]}, {"logprob", nullptr}}));
    for (size_t i = 1; i < lines.size(); ++i) {
      EXPECT_EQ(lines[i]["position"], i);
      EXPECT_EQ(lines[i]["token"], tokens[i]);
      ASSERT_NEAR(lines[i]["logprob"], -negativeLogLikelihood(&logits[(i - 1) * vocabSize], vocabSize, tokens[i]),
                  1e-9);
    }
  }
}

TEST_F(StreamRun, TextIsTokenizedAsAWhole) {
  useText();
  std::string text = "Call me Ishmael. Some years ago--never mind how long  precisely--\n\nhaving little or no money "
                     "in my purse,\tand \xe2\x82\xac nothing";
  samba::Model model(folder / "model.so");
  std::vector<json> lines = run(text, "--stream");
  std::vector<int32_t> ids;
  for (const json &line : lines)
    ids.push_back(line["token"]);
  EXPECT_EQ(ids, model.tokenize(text));
}

TEST_F(StreamRun, Continuations) {
  std::vector<int32_t> sequence;
  std::string input;
  std::vector<std::vector<int32_t>> expected;
  for (uint32_t i = 0; i < 5; ++i) {
    std::vector<int32_t> line = someTokens(3 + i, i);
    input += json(line).dump() + "\n";
    sequence.insert(sequence.end(), line.begin(), line.end());
    expected.push_back(predictGreedy(artefact, sequence, 4));
  }
  std::vector<json> lines = run(input, "--stream=tokens --continue 4 --ignore-eos");
  ASSERT_EQ(lines.size(), 5u);
  for (size_t i = 0; i < 5; ++i)
    EXPECT_EQ(lines[i]["tokens"], json(expected[i])) << i;
}

TEST_F(StreamRun, StatesAndLimits) {
  std::vector<int32_t> tokens = someTokens(60);
  auto text = [&](size_t from, size_t to) {
    return json(std::vector<int32_t>(tokens.begin() + static_cast<ptrdiff_t>(from),
                                     tokens.begin() + static_cast<ptrdiff_t>(to)))
        .dump();
  };
  std::vector<json> whole = run(text(0, 60), "--stream=tokens");
  std::vector<json> first = run(text(0, 60), "--stream=tokens --max-tokens 20 --save-state $D/s");
  EXPECT_EQ(first, std::vector<json>(whole.begin(), whole.begin() + 20));
  std::vector<json> second = run(text(20, 60), "--stream=tokens --load-state $D/s");
  ASSERT_EQ(second.size(), 40u);
  EXPECT_EQ(std::vector<json>(second.begin() + 1, second.end()), std::vector<json>(whole.begin() + 21, whole.end()));
  // An input that stays open ends by a limit, or by Ctrl-C.
  Result result = shell(folder, "mkfifo $D/fifo; exec 3<>$D/fifo; echo 3 4 >&3;"
                                " timeout 10 $RUN $D/model.so --stream=tokens --deadline 0.3 <&3");
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(std::count(result.out.begin(), result.out.end(), '\n'), 2) << result.err;
  for (const char *bad : {"32", "x", "1 2 -3"}) {
    writeBytes(folder / "in", bad);
    EXPECT_EQ(shell(folder, "$RUN $D/model.so --stream=tokens < $D/in").status, 1) << bad;
  }
  EXPECT_EQ(shell(folder, "$RUN $D/model.so --stream=words").status, 2);
  EXPECT_EQ(shell(folder, "$RUN $D/model.so --tokens x --continue 3").status, 2);
}

TEST_F(StreamRun, MemoryIsFlat) {
  // 400,000 tokens with less memory than their ids alone, beside what the program takes for 1,000.
  Result result = shell(folder, "memory() { awk -v n=$1 'BEGIN { for (i = 0; i < n; ++i) print 3 + i % 29 }' |"
                                " $RUN $D/model.so --stream=tokens --threads 1 > $D/scores &"
                                " pid=$!; last=0; while kill -0 $pid 2>/dev/null; do"
                                " now=$(awk '/VmHWM/ { print $2 }' /proc/$pid/status 2>/dev/null);"
                                " [ -n \"$now\" ] && last=$now; done; wait $pid; wc -l < $D/scores; echo $last; };"
                                " memory 4000; memory 400000");
  std::istringstream numbers(result.out);
  int64_t lines[2] = {}, kilobytes[2] = {};
  for (int i : {0, 1})
    numbers >> lines[i] >> kilobytes[i];
  EXPECT_EQ(lines[1], 400000) << result.err;
  EXPECT_GT(kilobytes[0], 0);
  EXPECT_LT(kilobytes[1], kilobytes[0] + 1500);
}

} // namespace
