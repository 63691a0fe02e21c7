//===- PipelineTest.cpp - tokenizers of tokenizer.json -------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The expected ids are those of the reference libraries: test/goldens/tokenizers/make_goldens.py.
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/Pipeline.h"
#include "runtime/Error.h"
#include "runtime/tokenizer/SentencePiece.h"
#include "runtime/tokenizer/Unicode.h"
#include "test/unit/runtime/FakeArtefact.h"

#include <chrono>
#include <ctime>
#include <gtest/gtest.h>
#include <random>
#include <sstream>

using namespace samba::runtime;
using namespace samba::test;
using nlohmann::json;

namespace {

const std::string folder = SAMBA_SOURCE_DIR "/test/goldens/tokenizers/";
constexpr auto plain = Tokenizer::Special::None, framed = Tokenizer::Special::Add;
const char *const names[] = {"gpt2", "neox", "llama3", "phi4", "o200k", "digits", "llama2", "mistral", "unigram"};

samba_tokenizer_source sourceOf(const std::string &text, int32_t vocabulary = 2048) {
  samba_tokenizer_source source = {};
  source.size = sizeof(source);
  source.name = "tokenizer.json";
  source.json = text.data();
  source.bytes = text.size();
  source.vocab_size = vocabulary;
  source.add_bos = source.add_eos = -1;
  return source;
}

/// Through the stored form, as an artefact has it.
std::unique_ptr<Tokenizer> load(const samba_tokenizer_source &source) {
  std::string bytes = TokenizerSpec::fromJson(source).toBytes();
  return Tokenizer::create(Tokenizer::Kind::Pipeline, "model.so", bytes, {source.vocab_size, {}, {}, {}});
}

std::unique_ptr<Tokenizer> load(const std::string &name) {
  if (name == "samba-tiny")
    return Tokenizer::create(Tokenizer::Kind::SentencePiece, "model.so",
                             readBytes(SAMBA_SOURCE_DIR "/models/samba-tiny/tokenizer.model"), {2048, {}, {}, {}});
  std::string text = readBytes(folder + name + ".json");
  return load(sourceOf(text));
}

std::vector<std::string> testStrings() {
  std::vector<std::string> strings;
  for (const json &entry : json::parse(readBytes(folder + "strings.json"))) {
    std::string text;
    if (entry.is_string())
      text = entry;
    else
      for (int i = 0; i < entry[1].get<int>(); ++i)
        text += entry[0].get<std::string>();
    strings.push_back(text);
  }
  return strings;
}

uint64_t fnv(const void *data, size_t size, uint64_t value = 0xcbf29ce484222325u) {
  for (size_t i = 0; i < size; ++i)
    value = (value ^ static_cast<const uint8_t *>(data)[i]) * 0x100000001b3u;
  return value;
}

/// As a line of a .ids file.
std::string lineOf(const std::vector<int32_t> &ids) {
  std::ostringstream line;
  if (ids.size() > 400) {
    line << '#' << ids.size() << ' ' << std::hex << fnv(ids.data(), ids.size() * 4);
    return line.str();
  }
  int32_t previous = 0;
  std::string result;
  for (int32_t id : ids) {
    int32_t difference = id - previous;
    previous = id;
    std::string digits;
    for (int32_t rest = std::abs(difference); rest > 0 || digits.empty(); rest /= 36)
      digits.insert(digits.begin(), "0123456789abcdefghijklmnopqrstuvwxyz"[rest % 36]);
    result += (result.empty() ? "" : " ") + std::string(difference < 0 ? "-" : "") + digits;
  }
  return result;
}

std::string streamed(const Tokenizer &tokenizer, const std::vector<int32_t> &ids) {
  std::unique_ptr<Detokenizer> detokenizer = tokenizer.detokenizer();
  std::string text;
  for (int32_t id : ids) {
    std::string piece = detokenizer->push(id);
    EXPECT_TRUE(isUtf8(piece));
    text += piece;
  }
  std::string rest = detokenizer->finish();
  EXPECT_TRUE(isUtf8(rest));
  return text + rest;
}

class Goldens : public testing::TestWithParam<const char *> {};

TEST_P(Goldens, Ids) {
  std::unique_ptr<Tokenizer> tokenizer = load(std::string(GetParam()));
  std::vector<std::string> strings = testStrings();
  ASSERT_GE(strings.size(), 1000u);
  std::istringstream goldens(readBytes(folder + GetParam() + ".ids"));
  std::string line;
  uint64_t decoded = fnv("", 0);
  size_t wrong = 0;
  for (const std::string &text : strings) {
    ASSERT_TRUE(std::getline(goldens, line));
    std::vector<int32_t> ids = tokenizer->encode(text, plain);
    EXPECT_EQ(lineOf(ids), line) << json(text.substr(0, 200)).dump(-1, ' ', true);
    if (lineOf(ids) != line && ++wrong > 10)
      FAIL() << "and more";
    std::string back = tokenizer->decode(ids);
    EXPECT_EQ(streamed(*tokenizer, ids), back);
    decoded = fnv(back.c_str(), back.size() + 1, decoded);
  }
  ASSERT_TRUE(std::getline(goldens, line));
  std::ostringstream last;
  last << "decoded " << std::hex << decoded;
  EXPECT_EQ(last.str(), line);
}

INSTANTIATE_TEST_SUITE_P(Pipeline, Goldens, testing::ValuesIn(names),
                         [](auto &info) { return std::string(info.param); });
INSTANTIATE_TEST_SUITE_P(SentencePiece, Goldens, testing::Values("samba-tiny"), [](auto &) { return "tiny"; });

TEST(Pipeline, SpecialTokensFrameTheText) {
  std::unique_ptr<Tokenizer> llama = load(std::string("llama2"));
  std::vector<int32_t> ids = llama->encode("Hello", plain), all = llama->encode("Hello", framed);
  ids.insert(ids.begin(), 1);
  EXPECT_EQ(all, ids);
  EXPECT_EQ(llama->decode(all), "Hello");
  EXPECT_EQ(llama->encode("<s>Hello", Tokenizer::Special::Parse), all);

  std::string text = readBytes(folder + "llama2.json");
  samba_tokenizer_source source = sourceOf(text);
  source.add_bos = 0;
  source.add_eos = 1;
  source.eos_token = "</s>";
  ids.erase(ids.begin());
  ids.push_back(2);
  EXPECT_EQ(load(source)->encode("Hello", framed), ids);
}

TEST(Pipeline, AddedTokensOfTheConfiguration) {
  std::string text = readBytes(folder + "gpt2.json");
  samba_tokenizer_source source = sourceOf(text);
  source.added_tokens =
      R"({"1500":{"content":"<|new|>","special":true},"0":{"content":"<|endoftext|>","special":true}})";
  std::unique_ptr<Tokenizer> tokenizer = load(source);
  EXPECT_EQ(tokenizer->encode("<|new|><|endoftext|>", plain), (std::vector<int32_t>{1500, 0}));
  EXPECT_EQ(tokenizer->decode({1500, 0}), "");
}

TEST(Pipeline, InvalidUtf8IsReplaced) {
  for (const char *name : names) {
    std::unique_ptr<Tokenizer> tokenizer = load(std::string(name));
    // A lone lead byte, one cut short, an overlong form, a surrogate, beyond the last character.
    EXPECT_EQ(tokenizer->encode("a\xc3z\xf0\x9f\x98 \xc0\x80\xed\xa0\x80\xf4\x90\x80\x80", plain),
              tokenizer->encode("a\ufffdz\ufffd \ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd", plain))
        << name;
  }
}

TEST(Pipeline, RoundTrips) {
  for (const char *name : {"gpt2", "llama3", "phi4", "o200k"}) {
    std::unique_ptr<Tokenizer> tokenizer = load(std::string(name));
    for (std::string text : testStrings())
      if (text.find('<') == std::string::npos) // special tokens give no text
        EXPECT_EQ(streamed(*tokenizer, tokenizer->encode(text, plain)), text) << name;
  }
}

TEST(Pipeline, StreamsAnyIds) {
  std::mt19937 random(7);
  for (const char *name : names) {
    std::unique_ptr<Tokenizer> tokenizer = load(std::string(name));
    for (int round = 0; round < 300; ++round) {
      std::vector<int32_t> ids(random() % 12);
      for (int32_t &id : ids)
        id = static_cast<int32_t>(random() % 2048);
      std::string text = tokenizer->decode(ids);
      EXPECT_EQ(streamed(*tokenizer, ids), text);
      EXPECT_TRUE(isUtf8(text));
    }
    EXPECT_THROW(tokenizer->decode({2048}), Error);
    EXPECT_THROW(tokenizer->detokenizer()->push(-1), Error);
  }
}

/// Nothing is quadratic: ten times the text takes about ten times as long. A bound that only a wrong order of growth
/// breaks, on any machine.
TEST(Pipeline, LongWordsTakeLinearTime) {
  auto seconds = [](const Tokenizer &tokenizer, const std::string &text) {
    auto start = std::chrono::steady_clock::now();
    tokenizer.encode(text, plain);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  for (const char *name : names) {
    std::unique_ptr<Tokenizer> tokenizer = load(std::string(name));
    for (std::string unit : {"a", "xyz", "A", " ", "\n", "\u0301\u0323", "7", "<", "\u6570", "!", "'", "_a"}) {
      std::string text;
      while (text.size() < 100000)
        text += unit;
      double all = seconds(*tokenizer, text), tenth = seconds(*tokenizer, text.substr(0, text.size() / 60 * 6));
      EXPECT_LT(all, 40 * tenth + 0.5) << name << " " << unit;
    }
  }
}

/// Megabytes per second, for `--gtest_also_run_disabled_tests`: the machine decides.
TEST(Pipeline, DISABLED_Speed) {
  std::string text, part = readBytes(SAMBA_SOURCE_DIR "/models/samba-tiny/validation.txt");
  while (text.size() < 8000000)
    text += part;
  for (const char *name :
       {"gpt2", "neox", "llama3", "phi4", "o200k", "digits", "llama2", "mistral", "unigram", "samba-tiny"}) {
    std::unique_ptr<Tokenizer> tokenizer = load(std::string(name));
    std::clock_t start = std::clock();
    size_t ids = tokenizer->encode(text, plain).size();
    double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    std::printf("%-10s %6.1f MB/s, %zu ids\n", name, static_cast<double>(text.size()) / 1e6 / seconds, ids);
  }
}

std::string errorOf(const std::string &text) {
  try {
    load(sourceOf(text));
    return "";
  } catch (const Error &error) {
    EXPECT_EQ(error.status(), SAMBA_ERROR_FORMAT);
    return error.what();
  }
}

/// A small tokenizer with one value replaced.
std::string errorWith(const std::string &pointer, const json &value) {
  json document = json::parse(R"({"added_tokens":[{"id":3,"content":"<s>","special":true}],"normalizer":null,
    "pre_tokenizer":null,"post_processor":null,"decoder":null,
    "model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]]}})");
  document[json::json_pointer(pointer)] = value;
  return errorOf(document.dump());
}

TEST(Pipeline, SmallestFile) {
  EXPECT_EQ(errorWith("/version", "1.0"), "");
  std::string text = R"({"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}})";
  std::unique_ptr<Tokenizer> tokenizer = load(sourceOf(text));
  EXPECT_EQ(tokenizer->encode("aab?b", plain), (std::vector<int32_t>{0, 2, 1})); // there is no unknown piece
  EXPECT_EQ(tokenizer->decode({0, 2, 1}), "a ab b");
  EXPECT_TRUE(tokenizer->encode("", framed).empty());
}

TEST(Pipeline, RefusesByName) {
  const std::pair<std::pair<const char *, json>, std::string> cases[] = {
      {{"/model/type", "WordPiece"}, "'model.type': expected one of BPE, Unigram, found \"WordPiece\""},
      {{"/model/vocab/a", -1}, "'model.vocab.a': expected an integer from 0 to 2047, found -1"},
      {{"/model/vocab/a", 2048}, "'model.vocab.a': expected an integer from 0 to 2047, found 2048"},
      {{"/model/vocab/a", 1}, "'model.vocab.b': expected an id of its own, found 1"},
      {{"/model/vocab", 7}, "'model.vocab': expected an object, found 7"},
      {{"/model/merges/0", "ab"}, "'model.merges[0]': expected two pieces with a space between them, found \"ab\""},
      {{"/model/merges/0", json::array({"b", "a"})},
       "'model.merges[0]': expected two pieces of the vocabulary that make a third one, found [\"b\",\"a\"]"},
      {{"/model/merges/0", 1}, "'model.merges[0]': expected an array, found 1"},
      {{"/model/unk_token", "?"}, "'model.unk_token': expected a piece of the vocabulary, found \"?\""},
      {{"/model/dropout", 0.1}, "'model.dropout': expected null: random merges are not supported, found 0.1"},
      {{"/model/end_of_word_suffix", "</w>"},
       "'model.end_of_word_suffix': expected null or an empty string: nothing else is supported, found \"</w>\""},
      {{"/added_tokens/0/id", 1}, "'added_tokens[0].id': expected an id that is not of another piece, found 1"},
      {{"/added_tokens/0/content", "ab"}, "'added_tokens[0].id': expected the id 2 of the piece, found 3"},
      {{"/added_tokens/0/content", std::string(5000, 'x')}, "'added_tokens[0].content': expected at most 4096 bytes"},
      {{"/normalizer", {{"type", "Precompiled"}}},
       "'normalizer.type': expected one of NFC, NFD, NFKC, NFKD, Lowercase, Strip, StripAccents, Prepend, Replace, "
       "found "
       "\"Precompiled\""},
      {{"/normalizer", {{"type", "Sequence"}, {"normalizers", {{{"type", "Nmt"}}}}}},
       "'normalizer.normalizers[0].type'"},
      {{"/pre_tokenizer", {{"type", "UnicodeScripts"}}}, "'pre_tokenizer.type': expected one of ByteLevel, Split"},
      {{"/pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {{{"type", "ByteLevel"}}, {{"type", "Digits"}}}}}},
       "'pre_tokenizer': expected ByteLevel as the last step"},
      {{"/pre_tokenizer", {{"type", "Split"}, {"pattern", {{"Regex", "("}}}, {"behavior", "Isolated"}}},
       "pattern of the pre-tokenizer: the regular expression cannot be used: "},
      {{"/pre_tokenizer", {{"type", "Split"}, {"pattern", {{"String", "x"}}}, {"behavior", "Never"}}},
       "'pre_tokenizer.behavior': expected one of Removed, Isolated"},
      {{"/pre_tokenizer", {{"type", "Metaspace"}, {"replacement", "__"}}},
       "'pre_tokenizer.replacement': expected one character, found \"__\""},
      {{"/decoder", {{"type", "CTC"}}}, "'decoder.type': expected one of ByteLevel, ByteFallback, Fuse"},
      {{"/decoder", {{"type", "Sequence"}, {"decoders", {{{"type", "Fuse"}}, {{"type", "ByteFallback"}}}}}},
       "'decoder': expected steps on tokens, then ByteLevel or ByteFallback, then Fuse, then Strip at the start"},
      {{"/post_processor", {{"type", "Other"}}}, "'post_processor.type': expected one of TemplateProcessing"},
      {{"/post_processor", {{"type", "TemplateProcessing"}, {"single", json::array()}}},
       "'post_processor.single': expected the text A once, found []"},
      {{"/post_processor",
        {{"type", "TemplateProcessing"},
         {"single", {{{"SpecialToken", {{"id", "x"}}}}}},
         {"special_tokens", json::object()}}},
       "'post_processor.special_tokens.x': expected an object, found nothing"},
  };
  for (const auto &[change, expected] : cases) {
    std::string message = errorWith(change.first, change.second);
    EXPECT_NE(message.find(expected), std::string::npos) << message << "\n" << expected;
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
  EXPECT_EQ(errorOf("["), "'tokenizer.json': the tokenizer is not JSON: error at byte 2");
  EXPECT_EQ(errorOf("[]"), "'tokenizer.json': the tokenizer is not a JSON object");
  EXPECT_EQ(errorOf("{\"a\":-3.4E85849}"), "'tokenizer.json': the tokenizer has a number that is too large");
  EXPECT_EQ(errorOf(std::string(100000, '[')), "'tokenizer.json': the tokenizer is nested deeper than 64");
  std::string text = R"({"model":{"type":"BPE","vocab":{},"merges":[]}})";
  samba_tokenizer_source source = sourceOf(text);
  source.add_bos = 1;
  EXPECT_THROW(load(source), Error);
}

/// What load() says of a source.
std::string messageOf(const samba_tokenizer_source &source) {
  try {
    load(source);
    return "";
  } catch (const Error &error) {
    return error.what();
  }
}

TEST(Pipeline, OtherMessages) {
  std::string text = R"({"model":{"type":"Unigram","unk_id":0,"vocab":[["a",0],["b",-1]]}})";
  EXPECT_EQ(messageOf(sourceOf(text, 1)), "'tokenizer.json': expected at most 1 pieces (vocab_size), found 2");
  samba_tokenizer_source source = sourceOf(text);
  source.add_bos = 1;
  source.bos_token = "<s>";
  EXPECT_EQ(messageOf(source), "'tokenizer.json': add_bos_token is true, but there is no token '<s>'");
  std::string bytes = TokenizerSpec::fromJson(sourceOf(text)).toBytes();
  auto create = [](const std::string &stored, int32_t vocabulary) -> std::string {
    try {
      Tokenizer::create(Tokenizer::Kind::Pipeline, "model.so", stored, {vocabulary, {}, {}, {}});
      return "";
    } catch (const Error &error) {
      return error.what();
    }
  };
  EXPECT_EQ(create("other", 2), "'model.so': the tokenizer is not one of this kind");
  EXPECT_EQ(create(bytes.substr(0, 30), 2), "'model.so': the tokenizer is damaged: it is cut off");
  EXPECT_EQ(create(bytes, 1), "'model.so': the tokenizer has the id 1, expected ids below the 1 of the model");
  EXPECT_EQ(create(bytes, 2), "");
}

/// A pattern that would take for ever.
TEST(Pipeline, PatternsHaveALimit) {
  json document = json::parse(R"({"model":{"type":"BPE","vocab":{"a":0},"merges":[]}})");
  document["pre_tokenizer"] = {{"type", "Split"}, {"pattern", {{"Regex", "(a+)+$"}}}, {"behavior", "Isolated"}};
  std::string text = document.dump();
  std::unique_ptr<Tokenizer> tokenizer = load(sourceOf(text));
  try {
    tokenizer->encode(std::string(40, 'a') + "b", plain);
    FAIL();
  } catch (const Error &error) {
    EXPECT_EQ(error.status(), SAMBA_ERROR_TOKENIZER);
    EXPECT_NE(std::string(error.what())
                  .find("cannot tokenize the text: 'model.so': pattern of the pre-tokenizer takes too many steps"),
              std::string::npos)
        << error.what();
  }
}

/// The stored form: damage is found or harmless.
TEST(Pipeline, DamagedBytes) {
  std::string text = R"({"added_tokens":[{"id":3,"content":"<s>"}],"normalizer":{"type":"NFC"},
    "pre_tokenizer":{"type":"ByteLevel"},"decoder":{"type":"ByteLevel"},
    "model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]]}})";
  std::string bytes = TokenizerSpec::fromJson(sourceOf(text)).toBytes();
  auto attempt = [&](const std::string &damaged) {
    try {
      auto tokenizer = Tokenizer::create(Tokenizer::Kind::Pipeline, "model.so", damaged, {16, {}, {}, {}});
      tokenizer->decode(tokenizer->encode("abba <s>", framed));
      return true;
    } catch (const Error &error) {
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      return false;
    }
  };
  ASSERT_TRUE(attempt(bytes));
  for (size_t size = 0; size < bytes.size(); ++size)
    EXPECT_FALSE(attempt(bytes.substr(0, size)));
  EXPECT_FALSE(attempt(bytes + '\0'));
  for (size_t i = 0; i < bytes.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ 1 << bit);
      attempt(damaged);
    }
  std::string newer = bytes;
  newer[8] = 2;
  try {
    TokenizerSpec::fromBytes("model.so", newer);
    FAIL();
  } catch (const Error &error) {
    EXPECT_STREQ(error.what(), "'model.so': the tokenizer has version 2, this runtime reads version 1");
    EXPECT_EQ(error.status(), SAMBA_ERROR_ABI);
  }
}

} // namespace
