//===- DeviceAttentionTest.cpp - a ring that blocks share -----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Generation with a window of 300, whose ring three blocks share, 100 slots each: positions with no older key, with
// keys for one block only, at the edges of parts and of the window, and far behind it. One sequence alone, and all of
// them together with one that gets no token. The virtual device, with its checks, against the interpreter.
//
//===----------------------------------------------------------------------===//

#include "dialect/Samba.h"
#include "dialect/interpreter/Seeded.h"
#include "test/unit/goldens/Engine.h"
#include "test/unit/interpreter/Support.h"

using namespace samba::reference;
using namespace samba::reference::test;

namespace {

constexpr int64_t kWindow = 300, kKeyHeads = 2, kHeadDim = 16;

constexpr char kModule[] = R"(
  samba.weight @table from "table" : tensor<50x128xf32>
  func.func @samba_step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>,
                        %rows: tensor<?xi64>, %keys: !samba.state<2x300x16xf32>, %values: !samba.state<2x300x16xf32>)
      -> (tensor<?x64xf32>, !samba.state<2x300x16xf32>, !samba.state<2x300x16xf32>) {
    %table = samba.load_weight @table : tensor<50x128xf32>
    %e = samba.embedding %tokens, %table : tensor<?xi32>, tensor<50x128xf32> -> tensor<?x128xf32>
    %c0 = arith.constant 0 : index
    %t = tensor.dim %e, %c0 : tensor<?x128xf32>
    %q = tensor.extract_slice %e[0, 0] [%t, 64] [1, 1] : tensor<?x128xf32> to tensor<?x64xf32>
    %k = tensor.extract_slice %e[0, 64] [%t, 32] [1, 1] : tensor<?x128xf32> to tensor<?x32xf32>
    %v = tensor.extract_slice %e[0, 96] [%t, 32] [1, 1] : tensor<?x128xf32> to tensor<?x32xf32>
    %y, %newKeys, %newValues = samba.sliding_window_attention %q, %k, %v segments %segments positions %positions
      state %keys, %values {window = 300 : i64}
      : tensor<?x64xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, <2x300x16xf32>
    %r = samba.gather_rows %y, %rows : tensor<?x64xf32>, tensor<?xi64> -> tensor<?x64xf32>
    return %r, %newKeys, %newValues : tensor<?x64xf32>, !samba.state<2x300x16xf32>, !samba.state<2x300x16xf32>
  })";

StateBatch<double> randomStates(Random &random, int64_t sequences) {
  StateBatch<double> states;
  for (int64_t s = 0; s < sequences; ++s) {
    Tensor<double> ring({kKeyHeads, kWindow, kHeadDim});
    for (double &value : ring.data)
      value = float(random.normal());
    states.sequences.push_back(std::move(ring));
  }
  return states;
}

void expectNear(const Tensor<double> &actual, const Tensor<double> &expected) {
  ASSERT_EQ(actual.shape, expected.shape);
  for (size_t i = 0; i < expected.data.size(); ++i)
    ASSERT_NEAR(actual.data[i], expected.data[i], 1e-5) << "at " << i;
}

/// One token for each sequence but those at a negative position, which have none.
Engine::Values stepAt(llvm::ArrayRef<int64_t> positions, Random &random) {
  IntTensor tokens({0}, {}), segments({1}), at({int64_t(positions.size())}), rows({0}, {});
  for (auto [s, position] : llvm::enumerate(positions)) {
    if (position >= 0) {
      rows.data.push_back(tokens.data.size());
      tokens.data.push_back(random.below(50));
    }
    segments.data.push_back(tokens.data.size());
    at.data[s] = std::abs(position);
  }
  tokens.shape = rows.shape = {int64_t(tokens.data.size())};
  segments.shape = {int64_t(segments.data.size())};
  int64_t count = positions.size();
  return {tokens, segments, at, rows, randomStates(random, count), randomStates(random, count)};
}

TEST(DeviceAttention, BlocksShareARing) {
  Module module(kModule);
  SeededWeights weights(*module, 1);
  auto interpreter = exact.create(*module, &weights), compiled = device.create(*module, &weights);
  Random random(7);
  std::vector<std::vector<int64_t>> steps;
  const std::vector<int64_t> positions = {0, 1, 99, 100, 101, 200, 201, 298, 299, 300, 399, 1000};
  for (int64_t position : positions)
    steps.push_back({position});
  steps.push_back(positions);
  steps.back()[4] = -57;
  for (const std::vector<int64_t> &step : steps) {
    SCOPED_TRACE(testing::Message() << step.size() << " sequences, the first at " << step[0]);
    Engine::Values arguments = stepAt(step, random);
    Engine::Values expected = take(interpreter->run("samba_step", arguments));
    Engine::Values actual = take(compiled->run("samba_step", arguments));
    expectNear(std::get<Tensor<double>>(actual[0]), std::get<Tensor<double>>(expected[0]));
    for (size_t i = 1; i < 3; ++i)
      for (size_t s = 0; s < step.size(); ++s)
        expectNear(std::get<StateBatch<double>>(actual[i]).sequences[s],
                   std::get<StateBatch<double>>(expected[i]).sequences[s]);
  }
}

} // namespace
