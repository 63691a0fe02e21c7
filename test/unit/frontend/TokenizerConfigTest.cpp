//===- TokenizerConfigTest.cpp - tests of the tokenizer's files -----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/TokenizerConfig.h"
#include "TestSupport.h"

using namespace samba;
using namespace samba::test;

namespace {

class TokenizerDir : public TempDirTest {
protected:
  std::string error() { return errorOf(TokenizerConfig::load(dir, 100)); }
};

TEST_F(TokenizerDir, ReadsTheTrainedModel) {
  TokenizerConfig tokenizer = valueOf(TokenizerConfig::load(source("models/samba-tiny"), 2048));
  EXPECT_EQ(tokenizer.numPieces, 2048);
  EXPECT_EQ(tokenizer.addBosToken, true);
  EXPECT_EQ(tokenizer.addEosToken, false);
  uint64_t size;
  ASSERT_FALSE(llvm::sys::fs::file_size(source("models/samba-tiny/tokenizer.model"), size));
  EXPECT_EQ(tokenizer.model.size(), size);
  EXPECT_EQ(errorOf(TokenizerConfig::load(source("models/samba-tiny"), 2047)),
            source("models/samba-tiny/tokenizer.model") + ": expected at most 2047 pieces (vocab_size), found 2048");
}

TEST_F(TokenizerDir, FilesAreOptional) {
  TokenizerConfig tokenizer = valueOf(TokenizerConfig::load(dir, 100));
  EXPECT_TRUE(tokenizer.model.empty());
  EXPECT_EQ(tokenizer.addBosToken, std::nullopt);
  EXPECT_EQ(tokenizer.addEosToken, std::nullopt);
  write("tokenizer_config.json", R"({"add_bos_token":false,"add_eos_token":true,"other":[]})");
  tokenizer = valueOf(TokenizerConfig::load(dir, 100));
  EXPECT_EQ(tokenizer.addBosToken, false);
  EXPECT_EQ(tokenizer.addEosToken, true);
}

TEST_F(TokenizerDir, RefusesBadConfig) {
  std::string file = write("tokenizer_config.json", R"({"add_bos_token":"yes"})");
  EXPECT_EQ(error(), file + ": key 'add_bos_token': expected true or false, found \"yes\"");
  write("tokenizer_config.json", "[]");
  EXPECT_EQ(error(), file + ": expected a JSON object, found []");
}

TEST_F(TokenizerDir, SpecialTokensAndTemplates) {
  write("tokenizer_config.json", R"({"bos_token":"<s>","eos_token":{"content":"</s>"},"pad_token":null,
    "added_tokens_decoder":{"1":{"content":"<s>"},"99":{"content":"</s>"}},
    "chat_template":[{"name":"tools","template":"a"},{"name":"default","template":"b"}]})");
  write("generation_config.json", R"({"eos_token_id":[2,99]})");
  TokenizerConfig tokenizer = valueOf(TokenizerConfig::load(dir, 100));
  ASSERT_TRUE(tokenizer.specialToken("bos_token"));
  EXPECT_EQ(*tokenizer.specialToken("bos_token"), "<s>");
  EXPECT_EQ(*tokenizer.specialToken("eos_token"), "</s>");
  EXPECT_FALSE(tokenizer.specialToken("pad_token"));
  EXPECT_EQ(tokenizer.addedTokens.size(), 2u);
  EXPECT_EQ(tokenizer.chatTemplate, "b");
  EXPECT_EQ(tokenizer.endTokens, (std::vector<int64_t>{2, 99}));
  write("chat_template.jinja", "c");
  write("generation_config.json", R"({"eos_token_id":3})");
  tokenizer = valueOf(TokenizerConfig::load(dir, 100));
  EXPECT_EQ(tokenizer.chatTemplate, "c");
  EXPECT_EQ(tokenizer.endTokens, std::vector<int64_t>{3});
}

TEST_F(TokenizerDir, RefusesBadTokens) {
  std::string file = write("generation_config.json", R"({"eos_token_id":[2,100]})");
  EXPECT_EQ(error(), file + ": key 'eos_token_id': expected a token id from 0 to 99, found 100");
  write("generation_config.json", "{}");
  file = write("tokenizer_config.json", R"({"bos_token":7})");
  EXPECT_EQ(error(), file + ": key 'bos_token': expected a token, found 7");
  write("tokenizer_config.json", R"({"added_tokens_decoder":{"100":{"content":"x"}}})");
  EXPECT_EQ(error(), file + ": key 'added_tokens_decoder.100': expected a token id from 0 to 99 as the key, found "
                            "{\"content\":\"x\"}");
  write("tokenizer_config.json", R"({"added_tokens_decoder":{"1":"x"}})");
  EXPECT_EQ(error(), file + ": key 'added_tokens_decoder.1': expected an object with the key 'content', found \"x\"");
  write("tokenizer_config.json", R"({"added_tokens_decoder":[]})");
  EXPECT_EQ(error(), file + ": key 'added_tokens_decoder': expected an object, found []");
  write("tokenizer_config.json", R"({"chat_template":[{"name":"tools","template":"a"}]})");
  EXPECT_EQ(error(), file + ": key 'chat_template': expected a template, or a list with one named default, "
                            "found [{\"name\":\"tools\",\"template\":\"a\"}]");
  write("tokenizer_config.json", "{}");
  file = write("chat_template.jinja", "\xff");
  EXPECT_EQ(error(), file + ": expected UTF-8");
}

TEST_F(TokenizerDir, ChoosesAFile) {
  std::string model = write("tokenizer.model", std::string("\x0a\x03\x0a\x01\x61"));
  EXPECT_EQ(errorOf(TokenizerConfig::load(dir, 100, "tokenizer.json")), dir + "/tokenizer.json: there is no such file");
  EXPECT_EQ(errorOf(TokenizerConfig::load(dir, 100, "vocab.txt")),
            "the tokenizer is 'vocab.txt', expected tokenizer.json or tokenizer.model");
  std::string json = write("tokenizer.json", "{}");
  TokenizerConfig tokenizer = valueOf(TokenizerConfig::load(dir, 100));
  EXPECT_EQ(tokenizer.json, "{}");
  EXPECT_TRUE(tokenizer.model.empty());
  tokenizer = valueOf(TokenizerConfig::load(dir, 100, "tokenizer.model"));
  EXPECT_TRUE(tokenizer.json.empty());
  EXPECT_EQ(tokenizer.numPieces, 1);
  write("tokenizer.json", "");
  EXPECT_EQ(error(), json + ": expected a JSON object, found an empty file");
}

TEST_F(TokenizerDir, RefusesWhatIsNoSentencePieceModel) {
  using namespace std::string_literals;
  // One piece; then: empty, no piece, a truncated field, an endless number, a group, field number zero.
  std::string file = write("tokenizer.model", "\x0a\x03\x0a\x01\x61"s);
  EXPECT_EQ(error(), "");
  for (const std::string &bytes :
       {""s, "\x12\x00"s, "\x0a\x03\x0a"s, "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"s, "\x0b"s, "\x02\x00"s,
        "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s, "\x09\x01"s, "\x0d\x01"s}) {
    write("tokenizer.model", bytes);
    EXPECT_EQ(error(), file + ": expected a SentencePiece model, found something else");
  }
}

} // namespace
