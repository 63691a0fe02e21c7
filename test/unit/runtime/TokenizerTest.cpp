//===- TokenizerTest.cpp - tokenizer goldens and streamed text -----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/tokenizer/SentencePiece.h"
#include "samba/samba.hpp"
#include "test/unit/runtime/FakeArtefact.h"

#include <gtest/gtest.h>

using namespace samba;
using namespace samba::test;

namespace {

constexpr int32_t pieces = 2048;
const char *const modelPath = SAMBA_SOURCE_DIR "/models/samba-tiny/tokenizer.model";

runtime::SentencePiece tinyTokenizer(std::optional<int32_t> bos = 1, int32_t vocabulary = pieces) {
  return {"tokenizer.model", readBytes(modelPath), {vocabulary, bos, std::nullopt, {}}};
}

constexpr auto plain = runtime::Tokenizer::Special::None, framed = runtime::Tokenizer::Special::Add;

bool validUtf8(const std::string &text) {
  // The JSON writer refuses anything else.
  try {
    return !nlohmann::json(text).dump().empty();
  } catch (const nlohmann::json::type_error &) {
    return false;
  }
}

std::string streamed(const runtime::Tokenizer &tokenizer, const std::vector<int32_t> &ids) {
  std::unique_ptr<runtime::Detokenizer> detokenizer = tokenizer.detokenizer();
  std::string text;
  auto add = [&](const std::string &piece) {
    EXPECT_TRUE(validUtf8(piece));
    text += piece;
  };
  for (int32_t id : ids)
    add(detokenizer->push(id));
  add(detokenizer->finish());
  return text;
}

TEST(Tokenizer, Goldens) {
  runtime::SentencePiece tokenizer = tinyTokenizer();
  nlohmann::json goldens =
      nlohmann::json::parse(readBytes(SAMBA_SOURCE_DIR "/models/samba-tiny/tokenizer_golden.json"));
  ASSERT_GT(goldens.size(), 10u);
  for (const auto &golden : goldens) {
    std::string text = golden["text"];
    std::vector<int32_t> ids = golden["ids"];
    EXPECT_EQ(tokenizer.encode(text, plain), ids) << text;
    EXPECT_EQ(tokenizer.decode(ids), golden["decoded"]) << text;
    EXPECT_EQ(streamed(tokenizer, ids), golden["decoded"]) << text;
    ids.insert(ids.begin(), 1);
    EXPECT_EQ(tokenizer.encode(text, framed), ids) << text;
    EXPECT_EQ(tinyTokenizer(std::nullopt).encode(text, framed), golden["ids"]) << text;
  }
}

TEST(Detokenizer, HoldsBackCharacters) {
  runtime::SentencePiece tokenizer = tinyTokenizer();
  std::vector<int32_t> ids = tokenizer.encode("e\xf0\x9f\x98\x80", plain); // U+1F600 as four byte pieces
  ASSERT_GE(ids.size(), 5u);
  std::unique_ptr<runtime::Detokenizer> detokenizer = tokenizer.detokenizer();
  size_t bytes = 4, before = ids.size() - bytes;
  std::string text;
  for (size_t i = 0; i < before; ++i)
    text += detokenizer->push(ids[i]);
  EXPECT_EQ(text, "e");
  for (size_t i = before; i + 1 < ids.size(); ++i)
    EXPECT_EQ(detokenizer->push(ids[i]), "");
  EXPECT_EQ(detokenizer->push(ids.back()), "\xf0\x9f\x98\x80");
  EXPECT_EQ(detokenizer->finish(), "");
}

TEST(Detokenizer, StartsAfreshAfterFinish) {
  runtime::SentencePiece tokenizer = tinyTokenizer();
  std::unique_ptr<runtime::Detokenizer> detokenizer = tokenizer.detokenizer();
  std::vector<int32_t> ids = tokenizer.encode("the", plain);
  for (int i = 0; i < 2; ++i) {
    std::string text;
    for (int32_t id : ids)
      text += detokenizer->push(id);
    EXPECT_EQ(text + detokenizer->finish(), "the");
  }
}

/// Any ids: control pieces, unknown, spaces, bytes that are characters, parts of them and never in any.
TEST(Detokenizer, EqualsDecodeOfAnyIds) {
  runtime::SentencePiece tokenizer = tinyTokenizer();
  uint32_t value = 1;
  auto random = [&](uint32_t below) {
    value = value * 1664525u + 1013904223u;
    return (value >> 8) % below;
  };
  for (int round = 0; round < 3000; ++round) {
    std::vector<int32_t> ids;
    for (uint32_t i = 0, count = random(12); i < count; ++i) {
      uint32_t kind = random(10);
      if (kind < 6) // bytes, mostly of multi-byte characters
        ids.push_back(static_cast<int32_t>(3 + (random(4) ? 0x80 + random(0x80) : random(0x100))));
      else if (kind == 6)
        ids.push_back(static_cast<int32_t>(random(3)));
      else if (kind == 7)
        ids.push_back(1975); // a space
      else
        ids.push_back(static_cast<int32_t>(random(pieces)));
    }
    ASSERT_EQ(streamed(tokenizer, ids), tokenizer.decode(ids)) << nlohmann::json(ids).dump();
  }
}

/// All pairs and triples of bytes at the edges of well-formed UTF-8.
TEST(Detokenizer, EqualsDecodeOfByteEdges) {
  runtime::SentencePiece tokenizer = tinyTokenizer();
  const int edges[] = {0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf,
                       0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf4, 0xf5, 0xff};
  for (int first : edges)
    for (int second : edges)
      for (int third : edges) {
        std::vector<int32_t> ids = {261, 3 + first, 3 + second, 3 + third, 3 + 0x80, 262};
        ASSERT_EQ(streamed(tokenizer, ids), tokenizer.decode(ids)) << nlohmann::json(ids).dump();
      }
}

TEST(Tokenizer, IdsWithoutPieces) {
  runtime::SentencePiece tokenizer = tinyTokenizer(1, pieces + 64);
  std::vector<int32_t> ids = tokenizer.encode("Hello world", plain);
  ids.insert(ids.begin() + 2, pieces + 5);
  EXPECT_EQ(tokenizer.decode(ids), "Hello world");
  EXPECT_EQ(streamed(tokenizer, ids), "Hello world");
  std::unique_ptr<runtime::Detokenizer> detokenizer = tokenizer.detokenizer();
  EXPECT_THROW(tokenizer.decode({pieces + 64}), std::runtime_error);
  EXPECT_THROW(detokenizer->push(-1), std::runtime_error);
}

TEST(Tokenizer, ThroughTheInterface) {
  Folder folder;
  FakeArtefact artefact;
  artefact.useTokenizer();
  artefact.manifest["model"]["vocab_size"] = pieces;
  artefact.write(folder / "model.so");
  Model model(folder / "model.so");
  ASSERT_TRUE(model.hasTokenizer());
  std::vector<int32_t> expected = {1, 557, 282, 1979, 1033};
  EXPECT_EQ(model.tokenize("Hello world"), expected);
  EXPECT_EQ(model.detokenize(expected), "Hello world");
  std::string lengthy;
  for (int i = 0; i < 1000; ++i)
    lengthy += "caf\xc3\xa9 ";
  EXPECT_EQ(model.detokenize(model.tokenize(lengthy)), lengthy);
  size_t count = 0;
  EXPECT_EQ(samba_tokenize(model.get(), "Hello world", 11, 1, nullptr, 0, &count), SAMBA_ERROR_LIMIT);
  EXPECT_EQ(count, 5u);
  EXPECT_EQ(samba_detokenize(model.get(), expected.data(), expected.size(), nullptr, 0, &count), SAMBA_ERROR_LIMIT);
  EXPECT_EQ(count, 11u);
  Detokenizer detokenizer(model);
  std::string text;
  for (int32_t id : expected)
    text += detokenizer.push(id);
  EXPECT_EQ(text + detokenizer.finish(), "Hello world");
}

TEST(Tokenizer, Absent) {
  Folder folder;
  FakeArtefact().write(folder / "model.so");
  Model model(folder / "model.so");
  size_t count = 0;
  EXPECT_EQ(samba_tokenize(model.get(), "x", 1, 1, nullptr, 0, &count), SAMBA_ERROR_TOKENIZER);
  EXPECT_STREQ(samba_last_error(), "model 'fake' has no tokenizer");
  samba_detokenizer *detokenizer = nullptr;
  EXPECT_EQ(samba_detokenizer_create(model.get(), &detokenizer), SAMBA_ERROR_TOKENIZER);
}

} // namespace
