//===- FlatYamlTest.cpp - tests of the reader of flat YAML ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "frontend/FlatYaml.h"
#include "TestSupport.h"
#include "llvm/Support/FormatVariadic.h"

using namespace samba;
using namespace samba::test;

namespace {

std::string read(llvm::StringRef text) {
  return llvm::formatv("{0}", llvm::json::Value(valueOf(parseFlatYaml(text, "f"))));
}
std::string failure(llvm::StringRef text) { return errorOf(parseFlatYaml(text, "f")); }

TEST(FlatYaml, ReadsScalars) {
  EXPECT_EQ(read("---\na: 1\nb: -2.5e-3\nc: true\nd: False\ne:\nf: null\ng: a text\nh: 'it: # is'\ni: \"x\" # y\n"
                 "j: 7 # eight\r\n\n# nothing\nk: 1_000\nl: .inf\nm: 0x10\n"),
            R"({"a":1,"b":-0.0025000000000000001,"c":true,"d":false,"e":null,"f":null,"g":"a text","h":"it: # is",)"
            R"("i":"x","j":7,"k":"1_000","l":".inf","m":"0x10"})");
  EXPECT_EQ(read(""), "{}");
}

TEST(FlatYaml, SkipsWhatIsNested) {
  EXPECT_EQ(read("a:\n  b: 1\n  - 2\nc:\n- 1\n- 2\nd: 4"), R"({"a":null,"c":null,"d":4})");
}

TEST(FlatYaml, RefusesTheRest) {
  EXPECT_EQ(failure("a: 1\nb\n"), "f:2: expected a line 'key: value', found 'b'");
  EXPECT_EQ(failure("{a: 1}"), "f:1: expected a line 'key: value', found '{a: 1}'");
  EXPECT_EQ(failure("&x a: 1"), "f:1: expected a line 'key: value', found '&x a: 1'");
  EXPECT_EQ(failure(": 1"), "f:1: expected a line 'key: value', found ': 1'");
  EXPECT_EQ(failure("a:1"), "f:1: expected a blank after the colon, found 'a:1'");
  EXPECT_EQ(failure("a: 'b"), "f:1: expected one quoted text, found ''b'");
  EXPECT_EQ(failure("a: 'b' c"), "f:1: expected one quoted text, found ''b' c'");
  EXPECT_EQ(failure("a: 1\na: 2"), "f:2: expected each key once, found 'a'");
}

} // namespace
