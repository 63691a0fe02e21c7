//===- OpGoldenTest.cpp - every operation against its golden results ------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each case runs twice: through the function of the operation, and as IR in the interpreter. The B sequences of a
// golden file become the B segments of a step.
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/Operations.h"
#include "test/unit/interpreter/Support.h"

using namespace samba::reference;
using namespace samba::reference::test;

namespace {

/// One case of a golden file.
struct Case {
  const TensorFile &file;
  std::string name;
  llvm::json::Object arguments;

  bool has(llvm::StringRef tensor) const { return file.contains(name + "/" + tensor.str()); }
  template <class F> Tensor<F> tensor(llvm::StringRef tensor) const {
    return take(file.floats<F>(name + "/" + tensor.str()));
  }
  /// [B, T, ...] as rows [B T, width].
  template <class F> Tensor<F> rows(llvm::StringRef name) const {
    Tensor<F> all = tensor<F>(name);
    int64_t tokens = all.shape[0] * all.shape[1];
    return Tensor<F>({tokens, int64_t(all.data.size()) / tokens}, all.data);
  }
  /// [B, ...] as one tensor for each sequence.
  template <class F> StateBatch<F> states(llvm::StringRef name) const {
    Tensor<F> all = tensor<F>(name);
    Shape shape(llvm::drop_begin(all.shape));
    StateBatch<F> states;
    for (auto from = all.data.begin(); from != all.data.end(); from += numElements(shape))
      states.sequences.emplace_back(shape, std::vector<F>(from, from + numElements(shape)));
    return states;
  }
};

template <class Run> void forEachCase(llvm::StringRef op, size_t expected, Run run) {
  TensorFile file = take(TensorFile::open((SAMBA_GOLDENS "/ops/" + op + ".safetensors").str()));
  size_t cases = 0;
  for (const auto &[name, text] : file.metadata()) {
    if (name == "op")
      continue;
    SCOPED_TRACE(name);
    run(Case{file, name, *take(llvm::json::parse(text)).getAsObject()});
    cases += 1;
  }
  EXPECT_EQ(cases, expected);
}

/// `sequences` segments of `length` tokens each.
IntTensor evenSegments(int64_t sequences, int64_t length) {
  IntTensor segments({sequences + 1});
  for (int64_t s = 0; s <= sequences; ++s)
    segments.data[s] = s * length;
  return segments;
}

std::string rowsType(int64_t width) { return llvm::formatv("tensor<?x{0}xf32>", width); }

/// The states [D, N] as [N, D].
template <class F> StateBatch<F> transposed(const StateBatch<F> &states) {
  StateBatch<F> result;
  for (const Tensor<F> &state : states.sequences) {
    Tensor<F> &flipped = result.sequences.emplace_back(Shape{state.shape[1], state.shape[0]});
    for (int64_t i = 0; i < state.shape[0]; ++i)
      for (int64_t j = 0; j < state.shape[1]; ++j)
        flipped(j, i) = state(i, j);
  }
  return result;
}

template <class F> StateBatch<F> zeroStates(int64_t sequences, Shape shape) {
  return {std::vector<Tensor<F>>(sequences, Tensor<F>(shape))};
}

template <class F> class OpGolden : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(OpGolden, Scalars);

TYPED_TEST(OpGolden, RmsNorm) {
  using F = TypeParam;
  forEachCase("rms_norm", 5, [](const Case &c) {
    auto x = c.tensor<F>("x"), weight = c.tensor<F>("weight"), golden = c.tensor<F>("y");
    double eps = *c.arguments.getNumber("eps");
    expectClose(take(rmsNorm(x, weight, F(eps))), golden, kTolerance<F>);
    Module module(llvm::formatv(R"(func.func @f(%x: tensor<?x{0}xf32>, %w: tensor<{0}xf32>) -> tensor<?x{0}xf32> {{
      %y = samba.rms_norm %x, %w {{eps = {1:E} : f32} : tensor<?x{0}xf32>, tensor<{0}xf32>
      return %y : tensor<?x{0}xf32>
    })",
                                x.shape[1], eps)
                      .str());
    expectClose(as<Tensor<F>>(take(module.run<F>({x, weight}))[0]), golden, kTolerance<F>);
  });
}

TYPED_TEST(OpGolden, Swiglu) {
  using F = TypeParam;
  forEachCase("swiglu", 3, [](const Case &c) {
    auto gate = c.tensor<F>("gate"), up = c.tensor<F>("up"), golden = c.tensor<F>("y");
    expectClose(take(swiglu(gate, up)), golden, kTolerance<F>);
    Module module(llvm::formatv(R"(func.func @f(%gate: {0}, %up: {0}) -> {0} {{
      %y = samba.swiglu %gate, %up : {0}
      return %y : {0}
    })",
                                rowsType(gate.shape[1]))
                      .str());
    expectClose(as<Tensor<F>>(take(module.run<F>({gate, up}))[0]), golden, kTolerance<F>);
  });
}

TYPED_TEST(OpGolden, Rotary) {
  using F = TypeParam;
  forEachCase("rope", 4, [](const Case &c) {
    Shape shape = c.tensor<F>("x").shape; // [B, T, H, P]
    auto x = c.rows<F>("x"), golden = c.rows<F>("y");
    double theta = *c.arguments.getNumber("theta");
    IntTensor segments = evenSegments(shape[0], shape[1]);
    IntTensor positions({shape[0]}, std::vector<int64_t>(shape[0], *c.arguments.getInteger("start")));
    auto table = take(rotaryTable<F>(segments, positions, shape[3], theta));
    expectClose(take(rotary(x, table)), golden, kTolerance<F>);
    Module module(llvm::formatv(R"(func.func @f(%x: {0}, %segments: tensor<?xi64>, %positions: tensor<?xi64>) -> {0} {{
      %t = samba.rotary_table %segments, %positions {{theta = {2:F1} : f64} : tensor<?xi64>, tensor<?xi64> -> {1}
      %y = samba.rotary %x, %t : {0}, {1}
      return %y : {0}
    })",
                                rowsType(x.shape[1]), rowsType(shape[3]), theta)
                      .str());
    expectClose(as<Tensor<F>>(take(module.run<F>({x, segments, positions}))[0]), golden, kTolerance<F>);
  });
}

TYPED_TEST(OpGolden, CausalConv1d) {
  using F = TypeParam;
  forEachCase("causal_conv1d", 10, [](const Case &c) {
    Shape shape = c.tensor<F>("x").shape; // [B, T, D]
    auto x = c.rows<F>("x"), weight = c.tensor<F>("weight"), golden = c.rows<F>("y");
    int64_t taps = weight.shape[1];
    bool hasBias = c.has("bias"), activate = c.arguments.getString("activation").has_value();
    Tensor<F> bias = hasBias ? c.tensor<F>("bias") : Tensor<F>({shape[2]});
    auto state = c.has("state") ? c.states<F>("state") : zeroStates<F>(shape[0], {taps - 1, shape[2]});
    auto finalState = c.states<F>("final_state");
    IntTensor segments = evenSegments(shape[0], shape[1]);
    auto stepped = take(causalConv1d(x, weight, hasBias ? &bias : nullptr, segments, state, activate));
    expectClose(stepped.result, golden, kTolerance<F>);
    expectClose(stepped.state, finalState, 0);

    Module module(llvm::formatv(R"(func.func @f(%x: tensor<?x{0}xf32>, %w: tensor<{0}x{1}xf32>, %b: tensor<{0}xf32>,
                                      %segments: tensor<?xi64>, %s: !samba.state<{2}x{0}xf32>)
            -> (tensor<?x{0}xf32>, !samba.state<{2}x{0}xf32>) {{
      %y, %n = samba.causal_conv1d %x, %w {3} segments %segments state %s {4}
        : tensor<?x{0}xf32>, tensor<{0}x{1}xf32>, tensor<?xi64>, !samba.state<{2}x{0}xf32>
      return %y, %n : tensor<?x{0}xf32>, !samba.state<{2}x{0}xf32>
    })",
                                shape[2], taps, taps - 1,
                                hasBias ? llvm::formatv("bias %b : tensor<{0}xf32>", shape[2]).str() : "",
                                activate ? "activation silu" : "")
                      .str());
    auto results = take(module.run<F>({x, weight, bias, segments, state}));
    expectClose(as<Tensor<F>>(results[0]), golden, kTolerance<F>);
    expectClose(as<StateBatch<F>>(results[1]), finalState, 0);
  });
}

TYPED_TEST(OpGolden, SelectiveScan) {
  using F = TypeParam;
  forEachCase("selective_scan", 12, [](const Case &c) {
    Shape shape = c.tensor<F>("u").shape; // [B, T, E]
    auto u = c.rows<F>("u"), delta = c.rows<F>("delta"), A = c.tensor<F>("A"), B = c.rows<F>("B"), C = c.rows<F>("C");
    int64_t channels = shape[2], states = A.shape[1];
    auto or_zero = [&](llvm::StringRef name) { return c.has(name) ? c.tensor<F>(name) : Tensor<F>({channels}); };
    Tensor<F> D = or_zero("D"), bias = or_zero("delta_bias"), z = c.has("z") ? c.rows<F>("z") : Tensor<F>(u.shape);
    bool softplus = *c.arguments.getBoolean("delta_softplus");
    auto state =
        c.has("initial_state") ? transposed(c.states<F>("initial_state")) : zeroStates<F>(shape[0], {states, channels});
    auto golden = c.rows<F>("y");
    auto finalState = transposed(c.states<F>("final_state"));
    IntTensor segments = evenSegments(shape[0], shape[1]);
    ScanInputs<F> inputs{u,
                         delta,
                         A,
                         B,
                         C,
                         c.has("D") ? &D : nullptr,
                         c.has("z") ? &z : nullptr,
                         c.has("delta_bias") ? &bias : nullptr,
                         softplus};
    auto stepped = take(selectiveScan(inputs, segments, state));
    expectClose(stepped.result, golden, kTolerance<F>);
    expectClose(stepped.state, finalState, kTolerance<F>);

    std::string optional;
    if (c.has("D"))
      optional += llvm::formatv(" skip %D : tensor<{0}xf32>", channels);
    if (c.has("z"))
      optional += llvm::formatv(" gate %z : {0}", rowsType(channels));
    if (c.has("delta_bias"))
      optional += llvm::formatv(" delta_bias %bias : tensor<{0}xf32>", channels);
    if (softplus)
      optional += " {delta_softplus}";
    Module module(
        llvm::formatv(R"(func.func @f(%u: tensor<?x{0}xf32>, %delta: tensor<?x{0}xf32>, %A: tensor<{0}x{1}xf32>,
            %B: tensor<?x{1}xf32>, %C: tensor<?x{1}xf32>, %D: tensor<{0}xf32>, %z: tensor<?x{0}xf32>,
            %bias: tensor<{0}xf32>, %segments: tensor<?xi64>, %h: !samba.state<{1}x{0}xf32>)
            -> (tensor<?x{0}xf32>, !samba.state<{1}x{0}xf32>) {{
      %y, %n = samba.selective_scan %u, %delta, %A, %B, %C segments %segments state %h {2}
        : tensor<?x{0}xf32>, tensor<{0}x{1}xf32>, tensor<?x{1}xf32>, tensor<?x{1}xf32>, tensor<?xi64>,
          !samba.state<{1}x{0}xf32>
      return %y, %n : tensor<?x{0}xf32>, !samba.state<{1}x{0}xf32>
    })",
                      channels, states, optional)
            .str());
    auto results = take(module.run<F>({u, delta, A, B, C, D, z, bias, segments, state}));
    expectClose(as<Tensor<F>>(results[0]), golden, kTolerance<F>);
    expectClose(as<StateBatch<F>>(results[1]), finalState, kTolerance<F>);
  });
}

/// Rows `begin .. end-1` of every sequence of `length` rows.
template <class F> Tensor<F> rowsOfEach(const Tensor<F> &x, int64_t length, int64_t begin, int64_t end) {
  Tensor<F> y({x.shape[0] / length * (end - begin), x.shape[1]}, {});
  for (int64_t from = 0; from < x.shape[0]; from += length)
    y.data.insert(y.data.end(), x.data.begin() + (from + begin) * x.shape[1],
                  x.data.begin() + (from + end) * x.shape[1]);
  return y;
}

TYPED_TEST(OpGolden, SlidingWindowAttention) {
  using F = TypeParam;
  forEachCase("sliding_window_attention", 15, [](const Case &c) {
    Shape shape = c.tensor<F>("q").shape, keyShape = c.tensor<F>("k").shape; // [B, T, H, P] and [B, S, G, P]
    int64_t sequences = shape[0], queries = shape[1], length = keyShape[1], offset = length - queries;
    std::optional<int64_t> window = c.arguments.getInteger("window");
    Shape ring{keyShape[2], window.value_or(length), keyShape[3]};
    auto golden = c.rows<F>("o"), k = c.rows<F>("k"), v = c.rows<F>("v");
    // Keys before the first query belong to queries whose results nobody looks at.
    Tensor<F> q({sequences * length, shape[2] * shape[3]}), given = c.rows<F>("q");
    for (int64_t t = 0; t < given.shape[0]; ++t)
      for (int64_t i = 0; i < given.shape[1]; ++i)
        q(t / queries * length + offset + t % queries, i) = given(t, i);

    StateBatch<F> empty = zeroStates<F>(sequences, ring);
    IntTensor start({sequences});
    auto all =
        take(slidingWindowAttention(q, k, v, evenSegments(sequences, length), start, empty, empty, ring, !!window));
    expectClose(rowsOfEach(all.result, length, offset, length), golden, kTolerance<F>);

    // The earlier keys in a step of their own; the rings carry them.
    Module module(llvm::formatv(R"(func.func @f(%q: {0}, %k: {1}, %v: {1}, %segments: tensor<?xi64>,
            %positions: tensor<?xi64>, %ks: {2}, %vs: {2}) -> ({0}, {2}, {2}) {{
      %y, %nk, %nv = samba.sliding_window_attention %q, %k, %v segments %segments positions %positions state %ks, %vs
        {3} : {0}, {1}, tensor<?xi64>, tensor<?xi64>, {2}
      return %y, %nk, %nv : {0}, {2}, {2}
    })",
                                rowsType(q.shape[1]), rowsType(k.shape[1]),
                                llvm::formatv("!samba.state<{0}x{1}x{2}xf32>", ring[0], ring[1], ring[2]).str(),
                                window ? llvm::formatv("{{window = {0} : i64}", *window).str() : "")
                      .str());
    auto step = [&](int64_t begin, int64_t end, Value<F> keys, Value<F> values) {
      IntTensor positions({sequences}, std::vector<int64_t>(sequences, begin));
      return take(module.run<F>({rowsOfEach(q, length, begin, end), rowsOfEach(k, length, begin, end),
                                 rowsOfEach(v, length, begin, end), evenSegments(sequences, end - begin), positions,
                                 keys, values}));
    };
    auto before = step(0, offset, empty, empty);
    auto results = step(offset, length, before[1], before[2]);
    expectClose(as<Tensor<F>>(results[0]), golden, kTolerance<F>);
    // Both ways leave the same rings.
    expectClose(as<StateBatch<F>>(results[1]), all.keys, 0);
    expectClose(as<StateBatch<F>>(results[2]), all.values, 0);
  });
}

} // namespace
