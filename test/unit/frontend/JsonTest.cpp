//===- JsonTest.cpp - tests of the strict JSON reader ---------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/Json.h"
#include "TestSupport.h"

using namespace samba;
using namespace samba::test;

namespace {

std::string error(llvm::StringRef text) { return errorOf(parseJson(text, "f")); }

TEST(Json, ReadsEveryKindOfValue) {
  llvm::json::Value value = valueOf(parseJson(" {\"a\": [1, -2.5e1, true, false, null], \"\\u00e9\\n\\ud83d\\ude00\": "
                                              "\"x\\\\\", \"big\": 18446744073709551615} \n",
                                              "f"));
  const llvm::json::Object &object = *value.getAsObject();
  const llvm::json::Array &array = *object.getArray("a");
  EXPECT_EQ(array[0].getAsInteger(), 1);
  EXPECT_EQ(array[1].getAsNumber(), -25.0);
  EXPECT_EQ(array[2].getAsBoolean(), true);
  EXPECT_EQ(array[3].getAsBoolean(), false);
  EXPECT_EQ(array[4].kind(), llvm::json::Value::Null);
  EXPECT_EQ(object.getString("\xc3\xa9\n\xf0\x9f\x98\x80"), llvm::StringRef("x\\"));
  EXPECT_EQ(object.get("big")->getAsUINT64(), UINT64_MAX);
  EXPECT_EQ(object.get("big")->getAsInteger(), std::nullopt);
  EXPECT_EQ(error("{}"), "");
  EXPECT_EQ(error("[]"), "");
  EXPECT_EQ(error("0"), "");
}

TEST(Json, RefusesDuplicateKeys) {
  EXPECT_EQ(error("{\"a\": 1,\n \"\\u0061\": 2}"), "f:2:2: invalid JSON: expected each key once, found 'a' twice");
}

TEST(Json, RefusesDeepNesting) {
  std::string deep(1 << 20, '[');
  EXPECT_EQ(error(deep), "f:1:66: invalid JSON: expected at most 64 levels of nesting");
  std::string fine = std::string(64, '[') + std::string(64, ']');
  EXPECT_EQ(error(fine), "");
}

TEST(Json, RefusesWhatIsNotJson) {
  EXPECT_EQ(error(""), "f:1:1: invalid JSON: expected a value");
  EXPECT_EQ(error("{} x"), "f:1:4: invalid JSON: expected the end of the text");
  EXPECT_EQ(error("NaN"), "f:1:1: invalid JSON: expected a value");
  EXPECT_EQ(error("01"), "f:1:1: invalid JSON: expected a number");
  EXPECT_EQ(error("1."), "f:1:3: invalid JSON: expected digits after the point");
  EXPECT_EQ(error("1e999"), "f:1:1: invalid JSON: expected a number in the range of a double");
  EXPECT_EQ(error(std::string(300, '1')), "f:1:1: invalid JSON: expected a number of at most 256 characters");
  EXPECT_EQ(error("[1,]"), "f:1:4: invalid JSON: expected a value");
  EXPECT_EQ(error("[1 2]"), "f:1:4: invalid JSON: expected ',' or ']'");
  EXPECT_EQ(error("{\"a\":1,}"), "f:1:8: invalid JSON: expected a key in double quotes");
  EXPECT_EQ(error("{\"a\" 1}"), "f:1:6: invalid JSON: expected ':'");
  EXPECT_EQ(error("\"a"), "f:1:1: invalid JSON: expected '\"' at the end of the string");
  EXPECT_EQ(error("\"\n\""), "f:1:2: invalid JSON: expected no control character in a string");
  EXPECT_EQ(error("\"\\x\""), "f:1:2: invalid JSON: expected a known escape sequence");
  EXPECT_EQ(error("\"\\u12\""), "f:1:2: invalid JSON: expected a known escape sequence");
  EXPECT_EQ(error("\"\\ud800\""), "f:1:2: invalid JSON: expected a pair of surrogates");
  EXPECT_EQ(error("\"\xff\""), "f:1:2: invalid JSON: expected UTF-8");
}

class JsonFile : public TempDirTest {};

TEST_F(JsonFile, ReadsOnlyRegularFilesOfObjects) {
  EXPECT_EQ(errorOf(readJsonObject(path("none"))), path("none") + ": No such file or directory");
  EXPECT_EQ(errorOf(readJsonObject(dir)), dir + ": expected a regular file");
  EXPECT_EQ(errorOf(readJsonObject(write("a.json", "[1]"))), path("a.json") + ": expected a JSON object, found [1]");
  EXPECT_EQ(errorOf(readJsonObject(write("b.json", ""))), path("b.json") + ":1:1: invalid JSON: expected a value");
  EXPECT_EQ(errorOf(readJsonObject(write("c.json", std::string(kMaxJsonBytes + 1, ' ')))),
            path("c.json") + ": expected at most 16777216 bytes, found 16777217");
}

} // namespace
