//===- SeededTest.cpp - inputs and weights made from a seed ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/Seeded.h"
#include "test/unit/interpreter/Support.h"
#include <set>

using namespace samba;
using namespace samba::reference;
using namespace samba::reference::test;

namespace {

TEST(Random, Splitmix64) {
  Random random(0);
  EXPECT_EQ(random.next(), 0xe220a8397b1dcdafu);
  EXPECT_EQ(random.next(), 0x6e789e6aa1b965f4u);
}

TEST(Random, Normal) {
  Random random(1);
  double sum = 0, squares = 0;
  const int count = 100000;
  for (int i = 0; i < count; ++i) {
    double value = random.normal();
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / count, 0, 0.02);
  EXPECT_NEAR(squares / count, 1, 0.02);
}

constexpr const char *kModel = R"(
  samba.weight @table from "table" : tensor<7x4xf32>
  samba.weight @norm from "norm" : tensor<4xf32>
  samba.weight @A from "A_log" transform neg_exp : tensor<4x2xf32>
  func.func private @attention(%x: tensor<?x4xf32>, %s: tensor<?xi64>, %p: tensor<?xi64>, %k: !samba.state<1x20x4xf32>,
      %v: !samba.state<1x20x4xf32>) -> (tensor<?x4xf32>, !samba.state<1x20x4xf32>, !samba.state<1x20x4xf32>) {
    %y, %nk, %nv = samba.sliding_window_attention %x, %x, %x segments %s positions %p state %k, %v
      : tensor<?x4xf32>, tensor<?x4xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<1x20x4xf32>
    return %y, %nk, %nv : tensor<?x4xf32>, !samba.state<1x20x4xf32>, !samba.state<1x20x4xf32>
  }
  func.func private @norm_rows(%x: tensor<?x4xf32>, %w: tensor<4xf32>) -> tensor<?x4xf32> {
    %y = samba.rms_norm %x, %w {eps = 1.0e-5 : f32} : tensor<?x4xf32>, tensor<4xf32>
    return %y : tensor<?x4xf32>
  }
  func.func @f(%tokens: tensor<?xi32>, %s: tensor<?xi64>, %p: tensor<?xi64>, %rows: tensor<?xi64>,
      %k: !samba.state<1x20x4xf32>, %v: !samba.state<1x20x4xf32>, %h: !samba.state<2x4xf32>, %B: tensor<?x2xf32>)
      -> (tensor<?x4xf32>, !samba.state<1x20x4xf32>, !samba.state<1x20x4xf32>, !samba.state<2x4xf32>) {
    %table = samba.load_weight @table : tensor<7x4xf32>
    %w = samba.load_weight @norm : tensor<4xf32>
    %A = samba.load_weight @A : tensor<4x2xf32>
    %x = samba.kernel "embed" ins(%a = %tokens : tensor<?xi32>, %b = %table : tensor<7x4xf32>) -> tensor<?x4xf32> {
      %c = samba.embedding %a, %b : tensor<?xi32>, tensor<7x4xf32> -> tensor<?x4xf32>
      samba.yield %c : tensor<?x4xf32>
    }
    %n = call @norm_rows(%x, %w) : (tensor<?x4xf32>, tensor<4xf32>) -> tensor<?x4xf32>
    %y, %nk, %nv = call @attention(%n, %s, %p, %k, %v) : (tensor<?x4xf32>, tensor<?xi64>, tensor<?xi64>,
      !samba.state<1x20x4xf32>, !samba.state<1x20x4xf32>)
      -> (tensor<?x4xf32>, !samba.state<1x20x4xf32>, !samba.state<1x20x4xf32>)
    %u, %nh = samba.selective_scan %y, %y, %A, %B, %B segments %s state %h {delta_softplus}
      : tensor<?x4xf32>, tensor<4x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?xi64>, !samba.state<2x4xf32>
    %g = samba.gather_rows %u, %rows : tensor<?x4xf32>, tensor<?xi64> -> tensor<?x4xf32>
    return %g, %nk, %nv, %nh
      : tensor<?x4xf32>, !samba.state<1x20x4xf32>, !samba.state<1x20x4xf32>, !samba.state<2x4xf32>
  })";

TEST(Seeded, InputsFollowFromUses) {
  Module module(kModel);
  auto inputs = take(seededInputs<double>(module.function(), {3, 0, 15}, 1));
  const IntTensor &tokens = as<IntTensor>(inputs[0]), &positions = as<IntTensor>(inputs[2]);
  EXPECT_EQ(tokens.shape, Shape{18});
  for (int64_t token : tokens.data)
    EXPECT_TRUE(token >= 0 && token < 7) << token;
  EXPECT_EQ(as<IntTensor>(inputs[1]).data, (std::vector<int64_t>{0, 3, 3, 18}));
  ASSERT_EQ(positions.shape, Shape{3});
  for (auto [position, length] : llvm::zip(positions.data, std::vector<int64_t>{3, 0, 15}))
    EXPECT_TRUE(position >= 0 && position + length <= 20) << position;
  EXPECT_EQ(as<IntTensor>(inputs[3]).data, (std::vector<int64_t>{2, 17}));
  EXPECT_EQ(as<StateBatch<double>>(inputs[4]).sequences.size(), 3u);
  EXPECT_EQ(as<StateBatch<double>>(inputs[6]).sequences[2].shape, (Shape{2, 4}));
  EXPECT_EQ(as<Tensor<double>>(inputs[7]).shape, (Shape{18, 2}));

  EXPECT_EQ(as<IntTensor>(take(seededInputs<double>(module.function(), {3, 0, 15}, 1))[0]).data, tokens.data);
  EXPECT_NE(as<IntTensor>(take(seededInputs<double>(module.function(), {3, 0, 15}, 2))[0]).data, tokens.data);
  EXPECT_EQ(errorText(seededInputs<double>(module.function(), {3, -1}, 1)),
            "expected segments of 0 to 1073741821 tokens, got -1");
}

TEST(Seeded, SelectedRows) {
  Module module(kModel);
  auto rows = [&](llvm::ArrayRef<int64_t> lengths, uint64_t seed, SelectedRows selected) {
    auto inputs = take(seededInputs<double>(module.function(), lengths, seed, selected));
    return as<IntTensor>(inputs[3]).data;
  };
  EXPECT_EQ(rows({3, 0, 2}, 1, SelectedRows::All), (std::vector<int64_t>{0, 1, 2, 3, 4}));
  EXPECT_TRUE(rows({0, 0}, 1, SelectedRows::Any).empty());
  bool none = false, sorted = true, repeated = false;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    std::vector<int64_t> some = rows({3, 0, 2}, seed, SelectedRows::Any);
    EXPECT_LE(some.size(), 5u);
    EXPECT_TRUE(llvm::all_of(some, [](int64_t row) { return row >= 0 && row < 5; }));
    none |= some.empty();
    sorted &= std::is_sorted(some.begin(), some.end());
    repeated |= std::set<int64_t>(some.begin(), some.end()).size() < some.size();
  }
  EXPECT_TRUE(none && !sorted && repeated);
}

TEST(Seeded, WeightsFollowFromUses) {
  Module module(kModel);
  SeededWeights weights(*module, 5);
  auto values = [&](llvm::StringRef name) {
    TensorView view = take(weights.lookup(name));
    std::vector<float> all;
    for (int64_t i = 0; i < view.numElements(); ++i)
      all.push_back(loadElement(view.bytes.data(), view.dtype, i));
    return all;
  };
  for (float weight : values("norm"))
    EXPECT_NEAR(weight, 1, 0.61);
  EXPECT_EQ(values("table").size(), 28u);
  EXPECT_EQ(take(weights.lookup("A_log")).shape, (llvm::SmallVector<int64_t, 4>{4, 2}));
  EXPECT_EQ(errorText(weights.lookup("other")), "expected a samba.weight whose source is 'other', found none");
  SeededWeights again(*module, 5), different(*module, 6);
  EXPECT_EQ(take(again.lookup("table")).bytes, take(weights.lookup("table")).bytes);
  EXPECT_NE(take(different.lookup("table")).bytes, take(weights.lookup("table")).bytes);
}

/// Both scalars see the same numbers, so their results agree.
TEST(Seeded, RunsInBothScalars) {
  Module module(kModel);
  SeededWeights weights(*module, 7);
  auto exact = take(module.run<double>(take(seededInputs<double>(module.function(), {2, 5}, 7)), &weights));
  auto single = take(module.run<float>(take(seededInputs<float>(module.function(), {2, 5}, 7)), &weights));
  const Tensor<double> &y = as<Tensor<double>>(exact[0]);
  const Tensor<float> &z = as<Tensor<float>>(single[0]);
  ASSERT_EQ(y.shape, (Shape{2, 4}));
  for (size_t i = 0; i < y.data.size(); ++i)
    EXPECT_NEAR(y.data[i], z.data[i], 2e-5);
}

} // namespace
