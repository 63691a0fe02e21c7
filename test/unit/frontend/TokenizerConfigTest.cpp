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
  EXPECT_TRUE(tokenizer.addBosToken);
  EXPECT_FALSE(tokenizer.addEosToken);
  uint64_t size;
  ASSERT_FALSE(llvm::sys::fs::file_size(source("models/samba-tiny/tokenizer.model"), size));
  EXPECT_EQ(tokenizer.model.size(), size);
  EXPECT_EQ(errorOf(TokenizerConfig::load(source("models/samba-tiny"), 2047)),
            source("models/samba-tiny/tokenizer.model") + ": expected at most 2047 pieces (vocab_size), found 2048");
}

TEST_F(TokenizerDir, FilesAreOptional) {
  TokenizerConfig tokenizer = valueOf(TokenizerConfig::load(dir, 100));
  EXPECT_TRUE(tokenizer.model.empty());
  EXPECT_TRUE(tokenizer.addBosToken);
  EXPECT_FALSE(tokenizer.addEosToken);
  write("tokenizer_config.json", R"({"add_bos_token":false,"add_eos_token":true,"other":[]})");
  tokenizer = valueOf(TokenizerConfig::load(dir, 100));
  EXPECT_FALSE(tokenizer.addBosToken);
  EXPECT_TRUE(tokenizer.addEosToken);
}

TEST_F(TokenizerDir, RefusesBadConfig) {
  std::string file = write("tokenizer_config.json", R"({"add_bos_token":"yes"})");
  EXPECT_EQ(error(), file + ": key 'add_bos_token': expected true or false, found \"yes\"");
  write("tokenizer_config.json", "[]");
  EXPECT_EQ(error(), file + ": expected a JSON object, found []");
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
