//===- SentencePieceTest.cpp - the engine against the library ------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Models are trained here, or made by chance; every id must be the one that the SentencePiece library gives.
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/SentencePiece.h"
#include "runtime/Error.h"
#include "runtime/tokenizer/SentencePieceEngine.h"
#include "test/unit/runtime/FakeArtefact.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>
#include <random>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>
#include <sstream>
#include <thread>

using namespace samba::runtime;
using namespace samba::test;
using nlohmann::json;

namespace {

using Settings = std::unordered_map<std::string, std::string>;

std::string validationText() { return readBytes(SAMBA_SOURCE_DIR "/models/samba-tiny/validation.txt"); }

/// Over 1100: languages, emoji, combining marks, control characters, long words, spaces of all kinds.
std::vector<std::string> goldenStrings() {
  std::vector<std::string> strings;
  for (const json &entry : json::parse(readBytes(SAMBA_SOURCE_DIR "/test/goldens/tokenizers/strings.json"))) {
    std::string text;
    for (int i = entry.is_string() ? 1 : entry[1].get<int>(); i > 0; --i)
      text += entry.is_string() ? entry.get<std::string>() : entry[0].get<std::string>();
    strings.push_back(text);
  }
  return strings;
}

/// Adds what JSON cannot hold, and what is in no golden: bytes that are not UTF-8, names of pieces, user-defined
/// symbols.
std::vector<std::string> testStrings() {
  std::vector<std::string> strings = goldenStrings();
  std::vector<std::string> parts = {"\xff",
                                    "\xc3",
                                    "\xed\xa0\x80",
                                    "\xf4\x90\x80\x80",
                                    "\xc0\x80",
                                    std::string(1, '\0'),
                                    "<s>",
                                    "</s>",
                                    "<unk>",
                                    "<0x41>",
                                    "<user>",
                                    "<us",
                                    "two words",
                                    "two",
                                    " words",
                                    "\xe2\x96\x81",
                                    "\xe2\x96",
                                    " ",
                                    "  ",
                                    "\t",
                                    "\n",
                                    "\r\n",
                                    "\xc2\xa0",
                                    "\xe3\x80\x80",
                                    "a\xcc\x80",
                                    "\xef\xac\x81",
                                    "\xef\xbc\xa1",
                                    "\xe2\x84\xab",
                                    "e",
                                    "the",
                                    "Z",
                                    "0",
                                    "2024",
                                    "\xf0\x9f\x98\x80",
                                    "\xe4\xb8\xad\xe6\x96\x87",
                                    "\xc3\xa9",
                                    "\xe2\x80\x8b",
                                    "\x01",
                                    "\x7f"};
  std::mt19937 random(7);
  for (int i = 0; i < 1500; ++i) {
    std::string text;
    for (size_t count = random() % 12 + 1; count > 0; --count)
      text += parts[random() % parts.size()];
    strings.push_back(text);
  }
  std::string word;
  for (int i = 0; i < 20000; ++i)
    word += static_cast<char>('a' + random() % 26);
  strings.push_back(word);
  strings.push_back(std::string(5000, ' '));
  strings.push_back(std::string(3000, '\xff'));
  strings.push_back(validationText());
  return strings;
}

class Lines : public sentencepiece::SentenceIterator {
public:
  explicit Lines(std::vector<std::string> lines) : lines(std::move(lines)) {}
  bool done() const override { return at == lines.size(); }
  void Next() override { ++at; }
  const std::string &value() const override { return lines[at]; }
  sentencepiece::util::Status status() const override { return {}; }

private:
  std::vector<std::string> lines;
  size_t at = 0;
};

std::string train(Settings settings) {
  std::vector<std::string> lines;
  std::istringstream text(validationText());
  for (std::string line; std::getline(text, line);)
    lines.push_back(line);
  for (const std::string &string : goldenStrings())
    if (string.size() < 200 && string.find_first_of(std::string("\n\r\0", 3)) == std::string::npos)
      lines.push_back(string);
  settings.emplace("vocab_size", "900");
  settings.emplace("character_coverage", "0.98");
  settings.emplace("num_threads", "1");
  settings.emplace("hard_vocab_limit", "false");
  settings.emplace("minloglevel", "2");
  Lines iterator(std::move(lines));
  std::string model;
  auto status = sentencepiece::SentencePieceTrainer::Train(settings, &iterator, &model);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return model;
}

std::vector<int32_t> fromLibrary(const sentencepiece::SentencePieceProcessor &library, const std::string &text) {
  std::vector<int> ids;
  EXPECT_TRUE(library.Encode(text, &ids).ok());
  return {ids.begin(), ids.end()};
}

/// False if the engine leaves the model to the library.
bool expectSameIds(const std::string &model, const std::vector<std::string> &texts) {
  sentencepiece::SentencePieceProcessor library;
  auto status = library.LoadFromSerializedProto(model);
  EXPECT_TRUE(status.ok()) << status.ToString();
  std::optional<SentencePieceProto> proto = SentencePieceProto::read(model);
  EXPECT_TRUE(proto);
  if (!status.ok() || !proto)
    return false;
  std::string why;
  std::unique_ptr<SentencePieceEngine> engine = SentencePieceEngine::create(*proto, &why);
  EXPECT_EQ(engine == nullptr, !why.empty());
  if (!engine)
    return false;
  size_t wrong = 0;
  for (const std::string &text : texts) {
    std::vector<int32_t> ids, expected = fromLibrary(library, text);
    engine->encode(text, ids);
    EXPECT_EQ(ids, expected) << json(text.substr(0, 200)).dump(-1, ' ', true, json::error_handler_t::replace);
    if (ids != expected && ++wrong > 3)
      break;
  }
  return true;
}

struct Trained {
  const char *name;
  Settings settings;
};

void PrintTo(const Trained &trained, std::ostream *out) { *out << trained.name; }

class TrainedModel : public testing::TestWithParam<Trained> {};

TEST_P(TrainedModel, IdsAreThoseOfTheLibrary) {
  static const std::vector<std::string> texts = testStrings();
  ASSERT_GE(texts.size(), 2500u);
  std::string model = train(GetParam().settings);
  EXPECT_TRUE(expectSameIds(model, texts));
  EXPECT_GT(SentencePieceProto::read(model)->pieces.size(), 800u);
}

INSTANTIATE_TEST_SUITE_P(
    SentencePiece, TrainedModel,
    testing::Values(Trained{"bpe_llama",
                            {{"model_type", "bpe"},
                             {"normalization_rule_name", "identity"},
                             {"byte_fallback", "true"},
                             {"split_digits", "true"},
                             {"remove_extra_whitespaces", "false"},
                             {"allow_whitespace_only_pieces", "true"}}},
                    Trained{"bpe_symbols", {{"model_type", "bpe"}, {"user_defined_symbols", "<user>,two words,the,e"}}},
                    Trained{"bpe_across_words",
                            {{"model_type", "bpe"},
                             {"split_by_whitespace", "false"},
                             {"add_dummy_prefix", "false"},
                             {"normalization_rule_name", "nfkc_cf"}}},
                    Trained{"bpe_suffix",
                            {{"model_type", "bpe"}, {"treat_whitespace_as_suffix", "true"}, {"byte_fallback", "true"}}},
                    Trained{"unigram", {{"model_type", "unigram"}}},
                    Trained{"unigram_bytes",
                            {{"model_type", "unigram"},
                             {"normalization_rule_name", "identity"},
                             {"byte_fallback", "true"},
                             {"remove_extra_whitespaces", "false"},
                             {"user_defined_symbols", "<user>,two words,the,e,\xe2\x96\x81words"}}},
                    Trained{"unigram_across_words",
                            {{"model_type", "unigram"},
                             {"split_by_whitespace", "false"},
                             {"add_dummy_prefix", "false"},
                             {"normalization_rule_name", "nmt_nfkc_cf"}}},
                    Trained{"unigram_suffix", {{"model_type", "unigram"}, {"treat_whitespace_as_suffix", "true"}}}),
    [](auto &info) { return std::string(info.param.name); });

std::string field(int number, const std::string &bytes) {
  EXPECT_LT(bytes.size(), 128u);
  return std::string() + static_cast<char>(number << 3 | 2) + static_cast<char>(bytes.size()) + bytes;
}

/// Of a field whose number may have two bytes.
std::string field(int number, int value) {
  std::string bytes;
  if (number < 16)
    bytes += static_cast<char>(number << 3);
  else
    bytes += {static_cast<char>((number << 3 & 0x7f) | 0x80), static_cast<char>(number >> 4)};
  return bytes + static_cast<char>(value);
}

std::string piece(const std::string &text, float score, int type) {
  std::string number(4, '\0');
  std::memcpy(number.data(), &score, 4);
  return field(1, field(1, text) + '\x15' + number + field(3, type));
}

/// Few characters and few scores, so that merges compete and scores are equal.
std::string randomModel(std::mt19937 &random) {
  static const std::vector<std::string> alphabet = {"a", "b", "c", "\xe2\x96\x81", "\xc3\xa9", "\xe4\xb8\xad"};
  bool bytes = random() % 3 == 0;
  std::string model = piece("<unk>", 0, 2) + piece("<s>", 0, 3);
  if (bytes)
    for (int byte = 0; byte < 256; ++byte) {
      char text[8];
      std::snprintf(text, sizeof(text), "<0x%02X>", byte);
      model += piece(text, 0, 6);
    }
  std::vector<std::string> texts;
  for (int count = 5 + random() % 40; count > 0; --count) {
    std::string text;
    for (int length = random() % 5 + 1; length > 0; --length)
      text += alphabet[random() % alphabet.size()];
    if (std::find(texts.begin(), texts.end(), text) != texts.end())
      continue;
    texts.push_back(text);
    model += piece(text, -static_cast<float>(random() % 8) * 0.3f, random() % 12 == 0 ? 4 : 1);
  }
  model += field(2, field(3, 1 + random() % 2) + field(24, random() % 4 == 0) + field(35, bytes));
  return model + field(3, field(3, random() % 2) + field(4, random() % 2) + field(5, random() % 8 != 0));
}

TEST(SentencePieceEngine, ModelsMadeByChance) {
  std::mt19937 random(11);
  const std::vector<std::string> alphabet = {"a", "b",    "c",   " ", "  ", "\xe2\x96\x81", "\xc3\xa9", "\xe4\xb8\xad",
                                             "x", "\xff", "<s>", "yz"};
  int compared = 0;
  for (int i = 0; i < 400 && !HasFailure(); ++i) {
    std::vector<std::string> texts;
    for (int j = 0; j < 40; ++j) {
      std::string text;
      for (size_t length = random() % 24; length > 0; --length)
        text += alphabet[random() % alphabet.size()];
      texts.push_back(text);
    }
    compared += expectSameIds(randomModel(random), texts);
  }
  EXPECT_GE(compared, 390);
}

TEST(SentencePieceEngine, LeavesToTheLibrary) {
  auto why = [](const std::string &more, int model = 2) {
    std::string bytes = piece("<unk>", 0, 2) + piece("a", 0, 1) + more + field(2, field(3, model));
    std::optional<SentencePieceProto> proto = SentencePieceProto::read(bytes);
    std::string reason;
    EXPECT_EQ(SentencePieceEngine::create(*proto, &reason) != nullptr, reason.empty());
    return reason;
  };
  EXPECT_EQ(why(""), "");
  EXPECT_EQ(why("", 3), "models of words or of single characters");
  EXPECT_EQ(why(piece("ab", 0, 5)), "unused pieces");
  EXPECT_EQ(why(piece("\xff", 0, 1)), "pieces that are no text");
  EXPECT_EQ(why(piece("ab", NAN, 1)), "scores that are no number");
  EXPECT_EQ(why(piece("a", 0, 3)), "two pieces with the same text");
  EXPECT_EQ(why(piece("b", 0, 3)), "control pieces of one character");

  // And the library encodes.
  std::string bytes = piece("<unk>", 0, 2) + piece("a", 0, 1) + piece("b", 0, 5) + field(2, field(3, 2));
  SentencePiece tokenizer("tokenizer.model", bytes, {4, {}, {}, {}});
  EXPECT_EQ(tokenizer.encode("a", Tokenizer::Special::None), (std::vector<int32_t>{0, 1}));
}

/// Threads that reach the limit together prepare the engine once.
TEST(SentencePieceEngine, TakesOver) {
  std::string bytes = readBytes(SAMBA_SOURCE_DIR "/models/samba-tiny/tokenizer.model"), text = validationText();
  sentencepiece::SentencePieceProcessor library;
  ASSERT_TRUE(library.LoadFromSerializedProto(bytes).ok());
  SentencePiece tokenizer("tokenizer.model", bytes, {2048, {}, {}, {}});
  std::vector<std::string> parts;
  for (size_t at = 0; at < text.size(); at += 1000)
    parts.push_back(text.substr(at, 1000));
  ASSERT_GT(text.size(), SentencePiece::bytesForEngine);
  std::vector<std::vector<int32_t>> expected;
  for (const std::string &part : parts)
    expected.push_back(fromLibrary(library, part));
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (size_t part = 0; part < parts.size(); ++part)
        wrong += tokenizer.encode(parts[part], Tokenizer::Special::None) != expected[part];
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(SentencePieceEngine, DamagedRulesAreRefused) {
  std::string model = train({{"model_type", "bpe"}});
  std::optional<SentencePieceProto> proto = SentencePieceProto::read(model);
  ASSERT_TRUE(proto);
  ASSERT_GT(proto->rules.size(), 100000u);
  std::string rules(proto->rules);
  EXPECT_TRUE(SentencePieceRules::read(rules));
  std::mt19937 random(3);
  int refused = 0;
  for (int i = 0; i < 300; ++i) {
    std::string damaged = rules;
    for (int j = 0; j < 20; ++j)
      damaged[4 + random() % (damaged.size() - 4)] = static_cast<char>(random());
    std::optional<SentencePieceRules> read = SentencePieceRules::read(damaged);
    refused += !read;
    if (read)
      for (int j = 0; j < 200; ++j)
        EXPECT_LE(read->longest(std::string{static_cast<char>(random()), static_cast<char>(random()), 'a'}).bytes, 3u);
  }
  EXPECT_GT(refused, 100);
  EXPECT_FALSE(SentencePieceRules::read("abc"));
  EXPECT_FALSE(SentencePieceRules::read(rules.substr(0, 1000)));
  std::string whole = model;
  whole[model.find(rules) + 7] = '\x7f'; // where the root's children are
  try {
    SentencePiece("model.so", whole, {1000, {}, {}, {}});
    FAIL();
  } catch (const Error &error) {
    EXPECT_STREQ(error.what(), "'model.so': the rules of the SentencePiece normalizer are damaged");
  }
}

TEST(SentencePieceEngine, WhatTheLibraryCannotLoadIsRefused) {
  auto piece = [](const std::string &text, char type) {
    std::string fields = "\x0a" + std::string(1, static_cast<char>(text.size())) + text + "\x18" + type;
    return "\x0a" + std::string(1, static_cast<char>(fields.size())) + fields;
  };
  auto load = [](const std::string &bytes) -> std::string {
    try {
      SentencePiece("model.so", bytes, {1000, {}, {}, {}});
    } catch (const Error &error) {
      return error.what();
    }
    return "";
  };
  const std::string unknown = piece("<unk>", 2), a = piece("a", 1), zeros("\0\0b", 3), bpe = "\x12\x02\x18\x02";
  EXPECT_EQ(load(unknown + a), "");
  const std::string found =
      "'model.so': expected pieces of text, found piece 2 of the SentencePiece model, which begins "
      "with a zero byte";
  for (char type : {1, 4, 5})
    EXPECT_EQ(load(unknown + a + piece(zeros, type)), found) << int(type);
  EXPECT_EQ(load(unknown + a + piece(zeros, 4) + bpe), found);
  // The library has no trie of these.
  EXPECT_EQ(load(unknown + a + piece(zeros, 3)), "");
  EXPECT_EQ(load(unknown + a + piece(zeros, 1) + bpe), "");
  // A group, which the library skips, and we do not read.
  EXPECT_EQ(load(unknown + a + "\xa3\x06\xa4\x06"), "'model.so': the tokenizer is not a SentencePiece model");
}

} // namespace
