//===- RunStateTest.cpp - states, caches and endings of samba-run --------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "samba/samba.hpp"
#include "test/unit/runtime/RunFixture.h"
#include "tools/samba-run/PromptCache.h"
#include "tools/samba-run/StopStrings.h"

#include <cmath>
#include <unistd.h>

using namespace samba;
using namespace samba::run;
using namespace samba::test;
using nlohmann::json;

namespace {

class RunState : public Run {
protected:
  json run(const std::string &arguments) {
    Result result = shell(folder, "$RUN $D/model.so --json --ignore-eos " + arguments);
    EXPECT_EQ(result.status, 0) << arguments << ": " << result.err;
    EXPECT_EQ(result.err, "") << arguments;
    return result.status == 0 ? json::parse(result.out) : json();
  }
  void expectRefusal(const std::string &arguments, int status, const std::string &message) {
    Result result = shell(folder, "$RUN $D/model.so --json " + arguments);
    EXPECT_EQ(result.status, status) << arguments;
    EXPECT_NE(result.err.find(message), std::string::npos) << arguments << ": " << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
};

TEST_F(RunState, GoesOnWhereItEnded) {
  json expected = predictGreedy(artefact, prompt, 12);
  for (int first : {0, 1, 5}) {
    std::string n = std::to_string(first), rest = std::to_string(12 - first);
    json begun = run("--tokens $D/tokens.json --save-state $D/s -n " + n);
    json continued = run("--load-state $D/s -n " + rest);
    json all = begun["tokens"];
    for (const json &token : continued["tokens"])
      all.push_back(token);
    EXPECT_EQ(all, expected) << first;
    EXPECT_EQ(continued["prompt_tokens"].size(), 1u); // the last token of the first run
  }
  // With more of the prompt, in three runs.
  writeBytes(folder / "a.json", json(std::vector<int32_t>(prompt.begin(), prompt.begin() + 7)).dump());
  writeBytes(folder / "b.json", json(std::vector<int32_t>(prompt.begin() + 7, prompt.begin() + 8)).dump());
  writeBytes(folder / "c.json", json(std::vector<int32_t>(prompt.begin() + 8, prompt.end())).dump());
  run("--tokens $D/a.json -n 0 --save-state $D/s");
  run("--tokens $D/b.json -n 0 --load-state $D/s --save-state $D/s");
  EXPECT_EQ(run("--tokens $D/c.json -n 12 --load-state $D/s")["tokens"], expected);
  EXPECT_EQ(filesIn(folder, "partial"), 0u);
}

TEST_F(RunState, TextGoesOnWhereItEnded) {
  useText();
  std::string whole = shell(folder, "$RUN $D/model.so --prompt Hello -n 30 --ignore-eos").out;
  std::string first = shell(folder, "$RUN $D/model.so --prompt Hello -n 11 --ignore-eos --save-state $D/s").out;
  std::string second = shell(folder, "$RUN $D/model.so -n 19 --ignore-eos --load-state $D/s").out;
  EXPECT_EQ(first + second, whole);
}

// Random numbers and penalties, too, go on as if there had been no break.
TEST_F(RunState, SamplingGoesOnWhereItEnded) {
  for (const char *sampling :
       {" --temp 3 --seed 5", " --temp 3 --top-p 0.9 --repeat-penalty 1.7 --frequency-penalty 0.5 --seed 6",
        " --presence-penalty 3 --frequency-penalty 2", " --temp 2 --presence-penalty 4 --speculate=lookup"}) {
    json expected = run(std::string("--tokens $D/tokens.json -n 40") + sampling)["tokens"];
    for (int first : {0, 1, 17}) {
      std::string n = std::to_string(first), rest = std::to_string(40 - first);
      std::string again = sampling; // without the seed, which would begin anew
      again = again.substr(0, again.find(" --seed"));
      json all = run("--tokens $D/tokens.json --save-state $D/s -n " + n + sampling)["tokens"];
      json more = run("--load-state $D/s -n " + rest + again)["tokens"];
      for (const json &token : more)
        all.push_back(token);
      EXPECT_EQ(all, expected) << sampling << " " << first;
    }
  }
  std::string go = "--load-state $D/s -n 30 --temp 3";
  EXPECT_EQ(run(go)["tokens"], run(go)["tokens"]);
  EXPECT_EQ(run(go + " --seed 9")["tokens"], run(go + " --seed 9")["tokens"]);
  EXPECT_NE(run(go + " --seed 9")["tokens"], run(go)["tokens"]);

  // What another program has attached.
  Model model(folder / "model.so");
  Session session = Session::load(model, folder / "s");
  session.attach("something");
  session.save(folder / "other");
  expectRefusal("--load-state $D/other", 1, "other' was saved by another program: what is attached");
}

TEST_F(RunState, StateRefusals) {
  run("--tokens $D/tokens.json -n 0 --save-state $D/s");
  std::string state = readBytes(folder / "s");
  std::string damaged = state;
  damaged[200] = static_cast<char>(damaged[200] ^ 4);
  writeBytes(folder / "damaged", damaged);
  writeBytes(folder / "short", state.substr(0, 30));
  expectRefusal("--load-state $D/damaged", 1, "damaged' is damaged: wrong checksum");
  expectRefusal("--load-state $D/short", 1, "short' is not a saved state: it has only 30 bytes");
  expectRefusal("--load-state $D/missing", 1, "cannot open");
  expectRefusal("--load-state $D/model.so", 1, "is not a saved state");
  expectRefusal("--load-state $D/s --score $D/tokens.json", 2, "cannot be combined");
  expectRefusal("--load-state $D/s --prompt-cache $D", 2, "cannot be combined");
  expectRefusal("--tokens $D/tokens.json -n 1 --save-state $D/no/such/folder", 1, "No such file");
  expectRefusal("--tokens $D/tokens.json -n 1 --save-state /dev/full", 1, "No space left");
  artefact.manifest["model"]["rope_theta"] = 3;
  artefact.write(folder / "model.so");
  expectRefusal("--load-state $D/s", 1, "s' is the state of another model than 'fake'");
}

TEST_F(RunState, PromptCache) {
  std::vector<int32_t> first = someTokens(900);
  std::vector<int32_t> second(first.begin(), first.begin() + 700); // the beginning in common
  std::vector<int32_t> end = someTokens(50, 5);
  second.insert(second.end(), end.begin(), end.end());
  writeBytes(folder / "first.json", json(first).dump());
  writeBytes(folder / "second.json", json(second).dump());
  json expected = predictGreedy(artefact, first, 4), expectedSecond = predictGreedy(artefact, second, 4);
  std::string options = " -n 4 --prompt-cache $D/cache --tokens $D/";
  json result = run(options + "first.json");
  EXPECT_EQ(result["cached_tokens"], 0);
  EXPECT_EQ(result["tokens"], expected);
  result = run(options + "first.json");
  EXPECT_EQ(result["cached_tokens"], 899);
  EXPECT_EQ(result["tokens"], expected);
  result = run(options + "second.json --chunk 100");
  EXPECT_EQ(result["cached_tokens"], 512);
  EXPECT_EQ(result["tokens"], expectedSecond);
  EXPECT_EQ(run(options + "second.json")["cached_tokens"], 749);

  // Damaged entries go, and are made again.
  for (const auto &entry : std::filesystem::directory_iterator(folder / "cache")) {
    std::string bytes = readBytes(entry.path());
    bytes[150] = static_cast<char>(bytes[150] ^ 1);
    writeBytes(entry.path(), bytes);
  }
  result = run(options + "first.json");
  EXPECT_EQ(result["cached_tokens"], 0);
  EXPECT_EQ(result["tokens"], expected);
  EXPECT_EQ(run(options + "first.json")["cached_tokens"], 899);

  // Another model does not see them.
  artefact.manifest["model"]["rope_theta"] = 3;
  artefact.write(folder / "model.so");
  EXPECT_EQ(run(options + "first.json")["cached_tokens"], 0);
  expectRefusal(" --tokens $D/first.json --prompt-cache $D/model.so", 1, "cannot make the prompt cache");
}

TEST_F(RunState, PromptCacheStaysWithinItsLimit) {
  artefact.write(folder / "model.so");
  Model model(folder / "model.so");
  uint64_t entry = samba_saved_bytes(model.get());
  PromptCache cache(model, folder / "cache", 3 * entry);
  writeBytes(folder / "cache/mine.state", "not an entry");
  std::vector<int32_t> tokens = someTokens(20);
  auto store = [&](int64_t count) {
    Session session(model);
    std::vector<float> none;
    model.evaluate({{session.get(), tokens.data(), static_cast<size_t>(count)}}, SAMBA_ROWS_NONE, none);
    EXPECT_EQ(cache.store(session, tokens), "");
    usleep(20000); // times of use must differ
  };
  auto knows = [&](size_t count) {
    std::optional<Session> found = cache.find({tokens.begin(), tokens.begin() + static_cast<ptrdiff_t>(count) + 1});
    usleep(20000);
    return found && found->position() == static_cast<int64_t>(count);
  };
  store(3);
  store(5);
  store(7);
  EXPECT_TRUE(knows(3)); // used: now 5 is the oldest
  store(9);
  EXPECT_FALSE(knows(5));
  EXPECT_TRUE(knows(9));
  EXPECT_TRUE(knows(7));
  EXPECT_TRUE(knows(3));
  EXPECT_EQ(filesIn(folder, "cache"), 1u);
  EXPECT_EQ(readBytes(folder / "cache/mine.state"), "not an entry");
  EXPECT_FALSE(PromptCache(model, folder / "cache", entry - 1).store(Session(model), tokens).size());
}

TEST(PromptCacheLengths, AtMostEightAndTheEnd) {
  EXPECT_EQ(PromptCache::lengths(1), std::vector<int64_t>());
  EXPECT_EQ(PromptCache::lengths(2), std::vector<int64_t>{1});
  EXPECT_EQ(PromptCache::lengths(257), std::vector<int64_t>{256});
  EXPECT_EQ(PromptCache::lengths(258), (std::vector<int64_t>{256, 257}));
  for (int64_t tokens : {2000, 2049, 5000, 1000000})
    EXPECT_LE(PromptCache::lengths(tokens).size(), 9u) << tokens;
}

TEST(StopStringsTest, AcrossPieces) {
  // Every way to cut the text into pieces gives the same.
  const std::string text = "one aab aaab two";
  struct {
    std::vector<std::string> stops;
    std::string expected;
  } cases[] = {{{"aaab"}, "one aab "}, {{"b"}, "one aa"}, {{"two", "ab a"}, "one a"}, {{"x"}, text},
               {{"two!"}, text},       {{"one"}, ""},     {{"aab", "aaab"}, "one "}};
  for (const auto &[stops, expected] : cases)
    for (uint32_t cuts = 0; cuts < 1u << (text.size() - 1); cuts += 7) {
      StopStrings filter(stops);
      std::string out, piece;
      for (size_t i = 0; i < text.size(); ++i) {
        piece += text[i];
        if (i + 1 == text.size() || cuts >> i & 1) {
          out += filter.push(piece);
          piece.clear();
          ASSERT_EQ(expected.compare(0, out.size(), out), 0) << out;
        }
      }
      out += filter.finish();
      ASSERT_EQ(out, expected) << cuts;
      ASSERT_EQ(filter.found(), expected != text);
    }
}

TEST_F(RunState, StopStrings) {
  useText();
  std::string options = "--prompt Hello -n 40 --temp 1 --seed 3 ";
  std::string text = run(options)["text"];
  ASSERT_GT(text.size(), 30u);
  std::string stop = text.substr(text.size() / 2, 4);
  writeBytes(folder / "stop", stop);
  json stopped = run(options + " --stop 'not in the text' --stop \"$(cat $D/stop)\"");
  EXPECT_EQ(stopped["text"], text.substr(0, text.find(stop)));
  EXPECT_EQ(stopped["stop"], "stop");
  EXPECT_LT(stopped["tokens"].size(), 40u);
  Result plain = shell(folder, "$RUN $D/model.so --ignore-eos " + options + " --stop \"$(cat $D/stop)\"");
  EXPECT_EQ(plain.out, stopped["text"].get<std::string>());
}

TEST_F(RunState, StopStringsNeedATokenizer) {
  expectRefusal("--tokens $D/tokens.json --stop x", 1, "has no tokenizer, which stop strings need");
  expectRefusal("--tokens $D/tokens.json --stop ''", 2, "expected a text");
}

TEST_F(RunState, Logprobs) {
  json result = run("--tokens $D/tokens.json -n 5 --logprobs 3");
  std::vector<int32_t> sequence = prompt;
  ASSERT_EQ(result["logprobs"].size(), 5u);
  for (size_t i = 0; i < 5; ++i) {
    std::vector<float> logits = predictLogits(artefact, sequence);
    std::vector<double> row(logits.end() - vocabSize, logits.end());
    double sum = 0;
    for (double logit : row)
      sum += std::exp(logit);
    const json &entry = result["logprobs"][i];
    int32_t token = result["tokens"][i];
    EXPECT_EQ(entry["token"], token);
    EXPECT_EQ(entry["top"][0]["token"], token); // greedy
    EXPECT_EQ(entry["top"].size(), 3u);
    for (const json &top : entry["top"])
      EXPECT_NEAR(top["logprob"], row[top["token"]] - std::log(sum), 1e-9);
    EXPECT_GE(entry["top"][1]["logprob"].get<double>(), entry["top"][2]["logprob"].get<double>());
    sequence.push_back(token);
  }
  EXPECT_EQ(run("--tokens $D/tokens.json -n 1 --logprobs 100")["logprobs"][0]["top"].size(), 32u);
  EXPECT_EQ(shell(folder, "$RUN $D/model.so --tokens $D/tokens.json --logprobs 1").status, 2);
}

TEST_F(RunState, Bias) {
  EXPECT_EQ(run("--tokens $D/tokens.json -n 2 --logit-bias 5=1000")["tokens"], json({5, 5}));
  json expected = predictGreedy(artefact, prompt, 1);
  std::string best = std::to_string(expected[0].get<int>());
  EXPECT_NE(run("--tokens $D/tokens.json -n 1 --logit-bias " + best + "=-inf")["tokens"], expected);
  EXPECT_EQ(run("--tokens $D/tokens.json -n 1 --logit-bias=" + best + "=-inf," + best + "=0")["tokens"], expected);
  EXPECT_NE(run("--tokens $D/tokens.json -n 9 --presence-penalty 100")["tokens"],
            json(predictGreedy(artefact, prompt, 9)));
  expectRefusal("--tokens $D/tokens.json --logit-bias 5", 2, "expected ID=NUMBER, found '5'");
  expectRefusal("--tokens $D/tokens.json --logit-bias 5=x", 2, "expected a number");
  expectRefusal("--tokens $D/tokens.json --logit-bias 32=1", 1, "expected a token from 0 to 31, found 32");
}

TEST_F(RunState, Limits) {
  json expected = predictGreedy(artefact, prompt, 5);
  json result = run("--tokens $D/tokens.json -n 50 --max-tokens 25");
  EXPECT_EQ(result["tokens"], expected);
  EXPECT_EQ(result["stop"], "max-tokens");
  result = run("--tokens $D/tokens.json -n 50 --max-tokens 7 --chunk 3");
  EXPECT_EQ(result["tokens"], json::array());
  EXPECT_EQ(result["stop"], "max-tokens");
  // Millions of tokens would take far longer.
  result = run("--tokens $D/tokens.json -n 2000000000 --deadline 0.3");
  EXPECT_EQ(result["stop"], "deadline");
  EXPECT_GT(result["tokens"].size(), 0u);
  EXPECT_EQ(run("--tokens $D/tokens.json -n 1000000 --logprobs 5 --max-memory 5")["stop"], "max-memory");
  EXPECT_EQ(run("--tokens $D/tokens.json -n 5 --max-memory 100000")["tokens"], expected);
  writeBytes(folder / "ids.json", json(someTokens(2000000)).dump());
  json scored = json::parse(shell(folder, "$RUN $D/model.so --score $D/ids.json --chunk 8 --deadline 0.4").out);
  EXPECT_EQ(scored["stop"], "deadline");
  EXPECT_LT(scored["tokens"], 2000000);
  expectRefusal("--tokens $D/tokens.json --deadline 0", 2, "a number of seconds above 0");
}

} // namespace
