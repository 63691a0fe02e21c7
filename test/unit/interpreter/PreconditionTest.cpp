//===- PreconditionTest.cpp - what operations refuse ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/Operations.h"
#include "test/unit/interpreter/Support.h"
#include <limits>

using namespace samba::reference;
using namespace samba::reference::test;

namespace {

using Rows = Tensor<double>;
using States = StateBatch<double>;

IntTensor vector(std::vector<int64_t> data) {
  Shape shape{int64_t(data.size())};
  return IntTensor(shape, std::move(data));
}

TEST(Precondition, TokenOutsideTheTable) {
  Rows table({3, 2});
  EXPECT_EQ(errorText(embedding(vector({0, 3}), table)),
            "expected tokens between 0 and 2, the rows of table less one; got 3 at 1");
  EXPECT_EQ(errorText(embedding(vector({-1}), table)),
            "expected tokens between 0 and 2, the rows of table less one; got -1 at 0");
  EXPECT_EQ(errorText(embedding(vector({2, 0}), table)), "success");
}

TEST(Precondition, RowOutsideTheMatrix) {
  EXPECT_EQ(errorText(gatherRows(Rows({4, 2}), vector({4}))),
            "expected rows between 0 and 3, the rows of x less one; got 4 at 0");
  EXPECT_EQ(take(gatherRows(Rows({4, 2}), vector({}))).shape, (Shape{0, 2}));
}

TEST(Precondition, Shapes) {
  EXPECT_EQ(errorText(linear(Rows({1, 3}), Rows({4, 2}))), "expected weight of shape [4, 3], got [4, 2]");
  Rows bias({3});
  EXPECT_EQ(errorText(linear(Rows({1, 2}), Rows({4, 2}), &bias)), "expected bias of shape [4], got [3]");
  Rows four({4});
  EXPECT_EQ(errorText(rmsNorm(Rows({1, 3}), &four, 1e-5)), "expected weight of shape [3], got [4]");
  EXPECT_EQ(errorText(layerNorm<double>(Rows({1, 3}), four, nullptr, 1e-5)), "expected weight of shape [3], got [4]");
  EXPECT_EQ(errorText(differentialNorm(Rows({1, 12}), four, four, 0, 1, 1e-5)),
            "expected x to have a multiple of 2 heads of 4 lanes, got a width of 12");
  EXPECT_EQ(errorText(swiglu(Rows({1, 3}), Rows({2, 3}))), "expected up of shape [1, 3], got [2, 3]");
  EXPECT_EQ(errorText(rotary(Rows({2, 6}), Rows({2, 4}))),
            "expected an even head dimension that divides the width of x, 6; got 4");
  EXPECT_EQ(errorText(rotary(Rows({2, 8}), Rows({1, 4}))), "expected table of shape [2, 4], got [1, 4]");
}

std::string segmentsError(std::vector<int64_t> segments) {
  States state{std::vector<Rows>(segments.empty() ? 0 : segments.size() - 1, Rows({1, 2}))};
  return errorText(
      causalConv1d(Rows({5, 2}), Rows({2, 2}), static_cast<Rows *>(nullptr), vector(segments), state, false));
}

TEST(Precondition, Segments) {
  EXPECT_EQ(segmentsError({0, 5}), "success");
  EXPECT_EQ(segmentsError({0, 0, 5, 5}), "success");
  EXPECT_EQ(segmentsError({}), "expected segments of shape [S+1], got [0]");
  EXPECT_EQ(segmentsError({1, 5}), "expected segments to start at 0, got 1");
  EXPECT_EQ(segmentsError({0, 3, 2, 5}), "expected segments in ascending order, got 2 after 3 at 2");
  EXPECT_EQ(segmentsError({0, 7, 5}), "expected segments in ascending order, got 5 after 7 at 2");
  EXPECT_EQ(segmentsError({0, 4}), "expected segments to end at the number of tokens, 5, got 4");
  EXPECT_EQ(segmentsError({0, 6}), "expected segments to end at the number of tokens, 5, got 6");
}

TEST(Precondition, Positions) {
  int64_t largest = std::numeric_limits<int64_t>::max();
  auto error = [](int64_t position) {
    return errorText(rotaryTable<double>(vector({0, 2}), vector({position}), 2, 1e4));
  };
  EXPECT_EQ(error(largest - 2), "success");
  EXPECT_EQ(error(-1), "expected the position of sequence 0 between 0 and 9223372036854775805, got -1");
  EXPECT_EQ(error(largest - 1),
            "expected the position of sequence 0 between 0 and 9223372036854775805, got 9223372036854775806");
  EXPECT_EQ(errorText(rotaryTable<double>(vector({0, 2}), vector({0, 0}), 2, 1e4)),
            "expected positions of shape [1], got [2]");
  EXPECT_EQ(errorText(rotaryTable<double>(vector({0, int64_t(1) << 40}), vector({0}), 2, 1e4)),
            "expected at most 16777216 tokens, got 1099511627776");
}

TEST(Precondition, States) {
  Rows x({2, 3}), weight({3, 4});
  auto error = [&](States state) {
    return errorText(causalConv1d(x, weight, static_cast<Rows *>(nullptr), vector({0, 1, 2}), state, false));
  };
  EXPECT_EQ(error({{Rows({3, 3}), Rows({3, 3})}}), "success");
  EXPECT_EQ(error({{Rows({3, 3})}}), "expected state of 2 sequences, got 1");
  EXPECT_EQ(error({{Rows({3, 3}), Rows({4, 3})}}), "expected state of shape [3, 3], got [4, 3]");
  // The scan's state is [N, E], not [E, N].
  Rows u({1, 3}), A({3, 2}), B({1, 2});
  ScanInputs<double> inputs{u, u, A, B, B, nullptr, nullptr, nullptr, false};
  EXPECT_EQ(errorText(selectiveScan(inputs, vector({0, 1}), {{Rows({3, 2})}})),
            "expected state of shape [2, 3], got [3, 2]");
}

std::string attentionError(int64_t length, int64_t position, bool windowed, Shape ring = {1, 4, 2}) {
  Rows rows({length, 2});
  States states{{Rows(ring)}};
  llvm::Expected<RingShape> sizes = RingShape::of(ring);
  if (!sizes)
    return toString(sizes.takeError());
  return errorText(slidingWindowAttention(rows, rows, rows, vector({0, length}), vector({position}), states, states,
                                          *sizes, windowed));
}

// Two tokens in a sequence that has seen one: positions 1 and 2 of a ring of 3 slots.
TEST(Precondition, RowsOfCrossAttention) {
  auto error = [](std::vector<int64_t> rows, int64_t slots) {
    States states{{Rows({1, slots, 2})}};
    int64_t count = rows.size();
    return errorText(crossAttention(Rows({count, 2}), vector(rows), vector({0, 2}), vector({1}), states, states,
                                    RingShape{1, slots, 2, 1}));
  };
  EXPECT_EQ(error({1, 0}, 3), "success");
  EXPECT_EQ(error({0, 2}, 3), "expected rows between 0 and 1, the tokens of the step less one; got 2 at 1");
  EXPECT_EQ(error({-1}, 3), "expected rows between 0 and 1, the tokens of the step less one; got -1 at 0");
  EXPECT_EQ(error({1}, 2), "expected at most 2 tokens in sequence 0, the capacity of its state; got 3");
  EXPECT_EQ(errorText(RingShape::of({4, 3, 2}, 3)), "expected a number of value heads that divides 4, got 3");
}

TEST(Precondition, CapacityOfFullAttention) {
  EXPECT_EQ(attentionError(4, 0, false), "success");
  EXPECT_EQ(attentionError(1, 3, false), "success");
  EXPECT_EQ(attentionError(5, 0, false), "expected at most 4 tokens in sequence 0, the capacity of its state; got 5");
  EXPECT_EQ(attentionError(1, 4, false), "expected at most 4 tokens in sequence 0, the capacity of its state; got 5");
  EXPECT_EQ(attentionError(1, std::numeric_limits<int64_t>::max() - 1, true), "success");
  EXPECT_EQ(attentionError(9, 1000, true), "success");
}

TEST(Precondition, Heads) {
  EXPECT_EQ(attentionError(1, 0, true, {1, 4, 3}), "expected q of a width that is a multiple of 3, got 2");
  EXPECT_EQ(attentionError(1, 0, true, {4, 2}), "expected the ring of 3 dimensions, got shape [4, 2]");
}

} // namespace
