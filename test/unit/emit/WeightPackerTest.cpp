//===- WeightPackerTest.cpp - layouts, types and errors of packing ------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/emit/WeightPacker.h"
#include "TestModule.h"
#include "dialect/Quantisation.h"
#include "lowering/emit/Checksum.h"
#include "llvm/Support/FormatVariadic.h"
#include <cmath>
#include <cstring>
#include <gtest/gtest.h>

using namespace samba;
using namespace samba::test;

namespace {

uint32_t bitsOf(float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, 4);
  return bits;
}

float floatOf(uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

// The nearest bfloat16, by trying both neighbours. Beyond the largest finite one, infinity stands for 2^128.
uint16_t nearestBf16(float value) {
  auto magnitudeOf = [](uint32_t half) { return half == 0x7f80 ? std::ldexp(1.0, 128) : double(floatOf(half << 16)); };
  uint32_t sign = bitsOf(value) >> 31 << 15, low = (bitsOf(value) & 0x7fffffff) >> 16;
  if (std::isinf(value))
    return sign | 0x7f80;
  double magnitude = std::fabs(double(value)), below = magnitude - magnitudeOf(low),
         above = magnitudeOf(low + 1) - magnitude;
  uint32_t chosen = below < above ? low : above < below ? low + 1 : low + (low & 1);
  return sign | chosen;
}

enum class Layout { RowMajor, Panel16, Panel32, Pairs32, Transposed };

struct Case {
  DType source, packed;
  Layout layout;
  int64_t rows, columns;
  bool negExp = false;
};

std::string layoutText(Layout layout) {
  switch (layout) {
  case Layout::RowMajor:
    return "";
  case Layout::Panel16:
    return ", #samba.layout<panel, 16>";
  case Layout::Panel32:
    return ", #samba.layout<panel, 32>";
  case Layout::Pairs32:
    return ", #samba.layout<panel_pairs, 32>";
  case Layout::Transposed:
    return ", #samba.layout<transposed>";
  }
  return "";
}

int64_t widthOf(const Case &test) {
  switch (test.layout) {
  case Layout::Panel16:
    return 16;
  case Layout::Panel32:
  case Layout::Pairs32:
    return 32;
  default:
    return 0;
  }
}

// Columns of a panel, padding included.
int64_t panelColumnsOf(const Case &test) {
  return test.layout == Layout::Pairs32 ? (test.columns + 1) / 2 * 2 : test.columns;
}

int64_t packedElementsOf(const Case &test) {
  int64_t width = widthOf(test);
  return width ? (test.rows + width - 1) / width * width * panelColumnsOf(test) : test.rows * test.columns;
}

// Index of (row, column) in the packed weight, from the definition of the layout.
int64_t packedIndex(const Case &test, int64_t row, int64_t column) {
  if (test.layout == Layout::RowMajor)
    return row * test.columns + column;
  if (test.layout == Layout::Transposed)
    return column * test.rows + row;
  int64_t width = widthOf(test), panel = row / width * panelColumnsOf(test) * width;
  if (test.layout == Layout::Pairs32)
    return panel + (column / 2 * width + row % width) * 2 + column % 2;
  return panel + column * width + row % width;
}

std::string moduleText(const Case &test, llvm::StringRef source) {
  int64_t bytes = packedElementsOf(test) * dtypeSize(test.packed);
  return llvm::formatv("module attributes {{samba.weight_bytes = {0} : i64} {{ samba.weight @w from \"{1}\" {2} "
                       "{{offset = 0 : i64} : tensor<{3}x{4}x{5}{6}> }",
                       bytes, source, test.negExp ? "transform neg_exp" : "", test.rows, test.columns,
                       test.packed == DType::F32 ? "f32" : "bf16", layoutText(test.layout))
      .str();
}

void checkCase(const Case &test) {
  SCOPED_TRACE(llvm::formatv("{0} -> {1}{2}, {3}x{4}", dtypeName(test.source), dtypeName(test.packed),
                             layoutText(test.layout), test.rows, test.columns)
                   .str());
  TestContext context;
  MemorySource source;
  source.addRandom("t", test.source, {test.rows, test.columns}, unsigned(test.rows * 1000 + test.columns));
  auto module = context.parse(moduleText(test, "t"));
  auto packer = WeightPacker::create(*module, source);
  ASSERT_TRUE(bool(packer)) << llvm::toString(packer.takeError());
  std::vector<uint8_t> packed(packer->sizeInBytes());
  WeightPacker::Options options;
  options.threads = 3;
  auto sum = packer->packToMemory(packed, options);
  ASSERT_TRUE(bool(sum));
  EXPECT_EQ(*sum, checksum(packed));
  EXPECT_EQ(source.released, source.tensor("t").bytes.size());

  std::vector<bool> touched(packedElementsOf(test));
  int64_t wrong = 0;
  for (int64_t row = 0; row < test.rows; ++row)
    for (int64_t column = 0; column < test.columns; ++column) {
      float value = loadElement(source.tensor("t").bytes.data(), test.source, row * test.columns + column);
      if (test.negExp)
        value = float(-std::exp(double(value)));
      int64_t index = packedIndex(test, row, column);
      touched[index] = true;
      if (test.packed == DType::F32) {
        float got = loadElement(packed.data(), DType::F32, index);
        wrong += std::isnan(value) ? !std::isnan(got) : bitsOf(got) != bitsOf(value);
      } else {
        uint16_t got;
        std::memcpy(&got, packed.data() + 2 * index, 2);
        wrong += std::isnan(value) ? !std::isnan(floatOf(uint32_t(got) << 16)) : got != nearestBf16(value);
      }
    }
  EXPECT_EQ(wrong, 0);
  for (size_t i = 0; i < touched.size(); ++i)
    if (!touched[i]) {
      EXPECT_EQ(bitsOf(loadElement(packed.data(), test.packed, i)), 0u) << "padding at " << i;
    }
}

class WeightPackerCase : public testing::TestWithParam<std::tuple<DType, DType, Layout>> {};

TEST_P(WeightPackerCase, MatchesTheDefinition) {
  auto [source, packed, layout] = GetParam();
  const std::pair<int64_t, int64_t> sizes[] = {{1, 1}, {7, 5}, {16, 128}, {33, 129}, {100, 3}, {257, 130}, {5, 1000}};
  for (auto [rows, columns] : sizes)
    checkCase({source, packed, layout, rows, columns});
}

INSTANTIATE_TEST_SUITE_P(All, WeightPackerCase,
                         testing::Combine(testing::Values(DType::F32, DType::BF16, DType::F16),
                                          testing::Values(DType::F32, DType::BF16),
                                          testing::Values(Layout::RowMajor, Layout::Panel16, Layout::Panel32,
                                                          Layout::Pairs32, Layout::Transposed)));

TEST(WeightPacker, SplitsLargeWeights) {
  checkCase({DType::BF16, DType::F32, Layout::Panel32, 1500, 1100});  // several panels a piece
  checkCase({DType::F32, DType::F32, Layout::Panel32, 40, 70000});    // several pieces a panel
  checkCase({DType::F32, DType::BF16, Layout::RowMajor, 3, 1500001}); // pieces that end within a row
  checkCase({DType::BF16, DType::BF16, Layout::Pairs32, 40, 140001}); // and with half a pair at the end
  checkCase({DType::F32, DType::F32, Layout::Transposed, 70000, 20});
}

TEST(WeightPacker, NegExp) {
  checkCase({DType::F32, DType::F32, Layout::Transposed, 384, 16, true});
  checkCase({DType::BF16, DType::F32, Layout::RowMajor, 5, 7, true});
}

TEST(WeightPacker, SeveralSources) {
  TestContext context;
  MemorySource source;
  source.addFloats("a", {1, 3}, {1, 2, 3});
  source.addFloats("b", {2, 3}, {4, 5, 6, 7, 8, 9});
  for (llvm::StringRef layout : {"", ", #samba.layout<transposed>"}) {
    auto module = context.parse(("module attributes {samba.weight_bytes = 64 : i64} { samba.weight @w from "
                                 "[\"a\" : 1, \"b\" : 2] {offset = 0 : i64} : tensor<3x3xf32" +
                                 layout + "> }")
                                    .str());
    auto packer = WeightPacker::create(*module, source);
    ASSERT_TRUE(bool(packer)) << llvm::toString(packer.takeError());
    std::vector<uint8_t> packed(64);
    source.released = 0;
    ASSERT_TRUE(bool(packer->packToMemory(packed, {})));
    EXPECT_EQ(source.released, 36u);
    const float rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, columns[] = {1, 4, 7, 2, 5, 8, 3, 6, 9};
    EXPECT_EQ(std::memcmp(packed.data(), layout.empty() ? rows : columns, 36), 0);
  }
}

TEST(WeightPacker, PlacesWeightsAndLeavesZerosBetween) {
  TestContext context;
  MemorySource source;
  source.addFloats("a", {3}, {1, 2, 3});
  source.addFloats("b", {2, 1, 2}, {4, 5, 6, 7}); // unit sizes do not matter
  auto module = context.parse(R"(module attributes {samba.weight_bytes = 192 : i64} {
    samba.weight @b from "b" {offset = 128 : i64} : tensor<2x2xf32, #samba.layout<transposed>>
    samba.weight @a from "a" {offset = 0 : i64} : tensor<3xf32>
  })");
  auto packer = WeightPacker::create(*module, source);
  ASSERT_TRUE(bool(packer)) << llvm::toString(packer.takeError());
  std::vector<float> expected(48);
  expected[0] = 1, expected[1] = 2, expected[2] = 3;
  expected[32] = 4, expected[33] = 6, expected[34] = 5, expected[35] = 7;
  std::vector<uint8_t> packed(192);
  uint64_t last = 0;
  WeightPacker::Options options;
  options.progress = [&](uint64_t done, uint64_t total) {
    EXPECT_GT(done, last);
    EXPECT_EQ(total, 192u);
    last = done;
  };
  auto sum = packer->packToMemory(packed, options);
  ASSERT_TRUE(bool(sum));
  EXPECT_EQ(std::memcmp(packed.data(), expected.data(), 192), 0);
  EXPECT_EQ(*sum, checksum(packed));
  EXPECT_EQ(last, 144u);
}

TEST(WeightPacker, NoWeights) {
  TestContext context;
  MemorySource source;
  auto module = context.parse("module attributes {samba.weight_bytes = 0 : i64} {}");
  auto packer = WeightPacker::create(*module, source);
  ASSERT_TRUE(bool(packer));
  auto sum = packer->packToMemory({}, {});
  ASSERT_TRUE(bool(sum));
  EXPECT_EQ(*sum, checksum(llvm::StringRef()));
}

std::string errorOf(llvm::StringRef text) {
  TestContext context;
  MemorySource source;
  source.addFloats("t", {2, 3}, {1, 2, 3, 4, 5, 6});
  auto module = context.parse(text);
  auto packer = WeightPacker::create(*module, source);
  return packer ? "" : llvm::toString(packer.takeError());
}

TEST(WeightPacker, RefusesWhatDoesNotFit) {
  EXPECT_EQ(errorOf("module { samba.weight @w from \"t\" : tensor<2x3xf32> }"),
            "the weights have no place yet (samba-plan-memory has not run)");
  auto one = [](llvm::StringRef weight) {
    return errorOf(("module attributes {samba.weight_bytes = 64 : i64} { " + weight + " }").str());
  };
  EXPECT_EQ(one("samba.weight @w from \"t\" : tensor<2x3xf32>"),
            "weight 'w': has no valid place in the weights (samba-plan-memory has not run)");
  EXPECT_EQ(one("samba.weight @w from \"t\" {offset = 4 : i64} : tensor<2x3xf32>"),
            "weight 'w': has no valid place in the weights (samba-plan-memory has not run)");
  EXPECT_EQ(one("samba.weight @w from \"t\" {offset = 64 : i64} : tensor<2x3xf32>"),
            "weight 'w': has no valid place in the weights (samba-plan-memory has not run)");
  EXPECT_EQ(one("samba.weight @w from \"t\" {offset = 0 : i64} : tensor<3x2xf32>"),
            "weight 'w': tensor 't' has shape [2, 3], expected [3, 2]");
  EXPECT_EQ(one("samba.weight @w from \"u\" {offset = 0 : i64} : tensor<2x3xf32>"), "tensor 'u' is missing");
  EXPECT_EQ(one("samba.weight @w from \"t\" {offset = 0 : i64} : tensor<2x3xf16>"),
            "weight 'w': only f32 and bf16 can be packed");
  EXPECT_EQ(one("samba.weight @w from \"t\" {offset = 0 : i64} : tensor<2x3xf32> "
                "samba.weight @v from \"t\" {offset = 0 : i64} : tensor<2x3xf32>")
                .find("overlaps"),
            std::string("weight 'w': ").size());
}

TEST(WeightPacker, StopsAtTheFirstErrorOfTheSink) {
  TestContext context;
  MemorySource source;
  source.addRandom("t", DType::F32, {3000, 3000}, 1);
  auto module = context.parse(moduleText({DType::F32, DType::F32, Layout::Panel32, 3000, 3000}, "t"));
  auto packer = WeightPacker::create(*module, source);
  ASSERT_TRUE(bool(packer));
  std::atomic<int> calls{0};
  auto sink = [&](uint64_t offset, llvm::ArrayRef<uint8_t>) -> llvm::Error {
    ++calls;
    return offset == 0 ? llvm::Error::success() : llvm::createStringError("full");
  };
  WeightPacker::Options options;
  options.threads = 2;
  auto sum = packer->pack(sink, options);
  ASSERT_FALSE(bool(sum));
  EXPECT_EQ(llvm::toString(sum.takeError()), "full");
  EXPECT_LE(calls, 4);
}

// Quantised panels: what is read back by the definition of the layout is what quantiseWeights makes of each group.
class QuantPackerCase : public testing::TestWithParam<std::tuple<int64_t, int64_t, int64_t>> {}; // bits, group, width

TEST_P(QuantPackerCase, MatchesTheDefinition) {
  auto [bits, group, width] = GetParam();
  for (auto [rows, columns] : {std::pair<int64_t, int64_t>{1, 1}, {33, 129}, {64, 64}, {50, 200}}) {
    SCOPED_TRACE(llvm::formatv("{0}x{1}", rows, columns).str());
    TestContext context;
    MemorySource source;
    source.addRandom("t", DType::F32, {rows, columns}, unsigned(rows));
    int64_t panels = (rows + width - 1) / width, groups = (columns + group - 1) / group;
    int64_t blockBytes = width * (4 + group * bits / 8);
    auto module =
        context.parse(llvm::formatv("module attributes {{samba.weight_bytes = {0} : i64} {{ samba.weight @w from "
                                    "\"t\" {{offset = 0 : i64} : tensor<{1}x{2}xf32, #samba.quant<{3}, {4}, {5}>> }",
                                    panels * groups * blockBytes, rows, columns, bits, group, width)
                          .str());
    auto packer = WeightPacker::create(*module, source);
    ASSERT_TRUE(bool(packer)) << llvm::toString(packer.takeError());
    std::vector<uint8_t> packed(packer->sizeInBytes());
    ASSERT_EQ(int64_t(packed.size()), panels * groups * blockBytes);
    auto sum = packer->packToMemory(packed, {});
    ASSERT_TRUE(bool(sum));

    int64_t wrong = 0, halves = 8 / bits, perHalf = group / halves;
    for (int64_t row = 0; row < panels * width; ++row)
      for (int64_t g = 0; g < groups; ++g) {
        std::vector<float> values;
        for (int64_t k = g * group; row < rows && k < std::min(columns, (g + 1) * group); ++k)
          values.push_back(loadElement(source.tensor("t").bytes.data(), DType::F32, row * columns + k));
        std::vector<int8_t> codes(group);
        float scale = quantiseWeights(values, bits, codes.data());
        const uint8_t *block = packed.data() + (row / width * groups + g) * blockBytes;
        int64_t lane = row % width;
        wrong += bitsOf(loadElement(block, DType::F32, lane)) != bitsOf(scale);
        for (int64_t k = 0; k < group; ++k) {
          int64_t within = k % perHalf;
          uint8_t byte = block[4 * width + (within / 4 * width + lane) * 4 + within % 4];
          int code = (byte >> (k / perHalf * bits)) & ((1 << bits) - 1);
          wrong += code - (1 << (bits - 1)) != codes[k];
        }
      }
    EXPECT_EQ(wrong, 0);
  }
}

INSTANTIATE_TEST_SUITE_P(All, QuantPackerCase,
                         testing::Values(std::tuple(8, 64, 32), std::tuple(8, 32, 16), std::tuple(4, 64, 32),
                                         std::tuple(4, 32, 8)));

TEST(Quantisation, ScalesAndCodes) {
  int8_t codes[4];
  EXPECT_FLOAT_EQ(quantiseWeights({-2.0f, 1.0f, 0.0f, 0.5f}, 8, codes), 2.0f / 127);
  EXPECT_EQ(codes[0], -127);
  EXPECT_EQ(codes[1], 64); // 63.5, to even
  EXPECT_EQ(codes[2], 0);
  EXPECT_EQ(codes[3], 32);
  // The extreme value takes the end of the range that has one step more.
  EXPECT_FLOAT_EQ(quantiseWeights({0.8f, -0.7f, 0.1f, 0.0f}, 4, codes), -0.1f);
  EXPECT_EQ(codes[0], -8);
  EXPECT_EQ(codes[1], 7);
  EXPECT_EQ(codes[2], -1);
  EXPECT_EQ(quantiseWeights({0.0f, 0.0f}, 4, codes), 0.0f);
  EXPECT_EQ(codes[0], 0);
  EXPECT_TRUE(std::isinf(quantiseWeights({1.0f, INFINITY}, 8, codes)));
  EXPECT_EQ(codes[0], 0);
}

} // namespace
