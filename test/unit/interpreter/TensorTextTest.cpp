//===- TensorTextTest.cpp - values as text --------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/TensorText.h"
#include "test/unit/interpreter/Support.h"

using namespace samba::reference;

namespace {

std::string text(const Value<double> &value, bool all = false) {
  std::string result;
  llvm::raw_string_ostream os(result);
  printValue(os, "y", value, all);
  return result;
}

TEST(TensorText, Shapes) {
  EXPECT_EQ(text(Tensor<double>({2, 2}, {1, 0.1, -1e-7, NAN})), "y: [2, 2]\n  [1, 0.1]\n  [-1e-07, nan]\n");
  EXPECT_EQ(text(Tensor<double>({}, {3})), "y: []\n  [3]\n");
  EXPECT_EQ(text(Tensor<double>({0, 2})), "y: [0, 2]\n");
  EXPECT_EQ(text(Tensor<double>({2, 0})), "y: [2, 0]\n");
  EXPECT_EQ(text(IntTensor({2}, {7, -8})), "y: [2]\n  [7, -8]\n");
  EXPECT_EQ(text(StateBatch<double>{{Tensor<double>({1, 1}), Tensor<double>({1, 1}, {2})}}),
            "y: 2 states\nsequence 0: [1, 1]\n  [0]\nsequence 1: [1, 1]\n  [2]\n");
}

TEST(TensorText, TheMiddleIsLeftOut) {
  IntTensor nine({9}, {0, 1, 2, 3, 4, 5, 6, 7, 8}), eight({8}, {0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_EQ(text(nine), "y: [9]\n  [0, 1, 2, 3, ..., 5, 6, 7, 8]\n");
  EXPECT_EQ(text(nine, /*all=*/true), "y: [9]\n  [0, 1, 2, 3, 4, 5, 6, 7, 8]\n");
  EXPECT_EQ(text(eight), "y: [8]\n  [0, 1, 2, 3, 4, 5, 6, 7]\n");
  nine.shape = {9, 1};
  EXPECT_EQ(text(nine), "y: [9, 1]\n  [0]\n  [1]\n  [2]\n  [3]\n  ...\n  [5]\n  [6]\n  [7]\n  [8]\n");
}

} // namespace
