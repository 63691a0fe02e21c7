//===- PackSourcesTest.cpp - weights of several sources -------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/Evaluate.h"
#include "lowering/emit/WeightPacker.h"
#include "passes/MemoryLayout.h"
#include "test/unit/emit/TestModule.h"
#include "llvm/ADT/Twine.h"
#include "gtest/gtest.h"
#include <cstring>

using namespace mlir;
using namespace samba;
using namespace samba::test;

namespace {

/// `count` numbers from `first` on, small enough to be exact in bf16.
std::vector<float> numbers(int64_t first, int64_t count) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back(float(first + i));
  return values;
}

OwningOpRef<ModuleOp> declare(TestContext &context, llvm::StringRef type, llvm::StringRef sources) {
  return context.parse(("module attributes {samba.weight_bytes = 4096 : i64} { samba.weight @w from " + sources +
                        " {offset = 0 : i64} : " + type + " }")
                           .str());
}

std::string packError(TestContext &context, const WeightSource &source, llvm::StringRef sources) {
  OwningOpRef<ModuleOp> module = declare(context, "tensor<7x3xf32>", sources);
  llvm::Expected<WeightPacker> packer = WeightPacker::create(*module, source);
  return packer ? "" : llvm::toString(packer.takeError());
}

class PackSources : public testing::Test {
protected:
  PackSources() {
    source.addFloats("a", {2, 3}, numbers(0, 6));
    source.addFloats("b", {1, 3}, numbers(6, 3));
    source.addFloats("c", {4, 1, 3}, numbers(9, 12)); // a unit size more
    source.addFloats("all", {7, 3}, numbers(0, 21));
  }

  std::vector<uint8_t> pack(llvm::StringRef type, llvm::StringRef sources, unsigned threads) {
    OwningOpRef<ModuleOp> module = declare(context, type, sources);
    llvm::Expected<WeightPacker> packer = WeightPacker::create(*module, source);
    EXPECT_TRUE(bool(packer)) << llvm::toString(packer.takeError());
    std::vector<uint8_t> section(4096);
    if (packer) {
      llvm::Expected<uint64_t> checksum = packer->packToMemory(section, {threads, {}});
      EXPECT_TRUE(bool(checksum)) << llvm::toString(checksum.takeError());
    }
    return section;
  }

  TestContext context;
  MemorySource source;
};

// Wherever the border between two sources falls: inside a panel, at its edge, in the last one.
TEST_F(PackSources, AreThoseOfOneTensor) {
  for (llvm::StringRef type :
       {"tensor<7x3xf32>", "tensor<7x3xbf16>", "tensor<7x3xf32, #samba.layout<panel, 2>>",
        "tensor<7x3xf32, #samba.layout<panel, 4>>", "tensor<7x3xf32, #samba.layout<panel, 16>>",
        "tensor<7x3xbf16, #samba.layout<panel_pairs, 4>>", "tensor<7x3xf32, #samba.layout<transposed>>"})
    for (unsigned threads : {1u, 3u}) {
      std::vector<uint8_t> expected = pack(type, "\"all\"", threads);
      EXPECT_EQ(pack(type, "[\"a\" : 2, \"b\" : 1, \"c\" : 4]", threads), expected) << type.str();
      EXPECT_EQ(pack(type, "[\"all\" : 7]", threads), expected) << type.str();
    }
}

TEST_F(PackSources, AreReleasedOnce) {
  source.released = 0;
  pack("tensor<7x3xf32, #samba.layout<panel, 4>>", "[\"a\" : 2, \"b\" : 1, \"c\" : 4]", 1);
  EXPECT_EQ(source.released, 7u * 3 * 4);
}

TEST_F(PackSources, AreWhatTheInterpreterSees) {
  OwningOpRef<ModuleOp> module = declare(context, "tensor<7x3xf32>", "[\"a\" : 2, \"b\" : 1, \"c\" : 4]");
  auto values = reference::evaluateWeight<double>(*module->getOps<WeightOp>().begin(), source);
  ASSERT_TRUE(bool(values)) << llvm::toString(values.takeError());
  for (int64_t i = 0; i < 21; ++i)
    EXPECT_EQ(values->data[i], double(i));
}

TEST_F(PackSources, Errors) {
  EXPECT_EQ(packError(context, source, "[\"a\" : 2, \"b\" : 1, \"c\" : 4]"), "");
  EXPECT_EQ(packError(context, source, "[\"a\" : 3, \"c\" : 4]"),
            "weight 'w': tensor 'a' has shape [2, 3], expected [3, 3]");
  EXPECT_NE(packError(context, source, "[\"a\" : 2, \"b\" : 1, \"missing\" : 4]").find("missing"), std::string::npos);
}

} // namespace
