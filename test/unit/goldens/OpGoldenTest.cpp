//===- OpGoldenTest.cpp - every operation against its golden results ------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each case is a function of one operation in each engine. The B sequences of a golden file become the B segments of a
// step.
//
//===----------------------------------------------------------------------===//

#include "test/unit/goldens/Engine.h"
#include "test/unit/interpreter/Support.h"

#include <cmath>

using namespace samba::reference;
using namespace samba::reference::test;

namespace {

using Rows = Tensor<double>;
using States = StateBatch<double>;

/// One case of a golden file.
struct Case {
  const TensorFile &file;
  std::string name;
  llvm::json::Object arguments;

  bool has(llvm::StringRef tensor) const { return file.contains(name + "/" + tensor.str()); }
  Rows tensor(llvm::StringRef tensor) const { return take(file.floats<double>(name + "/" + tensor.str())); }
  /// [B, T, ...] as rows [B T, width].
  Rows rows(llvm::StringRef name) const {
    Rows all = tensor(name);
    int64_t tokens = all.shape[0] * all.shape[1];
    return Rows({tokens, int64_t(all.data.size()) / tokens}, all.data);
  }
  /// [B, ...] as one tensor for each sequence.
  States states(llvm::StringRef name) const {
    Rows all = tensor(name);
    Shape shape(llvm::drop_begin(all.shape));
    States states;
    for (auto from = all.data.begin(); from != all.data.end(); from += numElements(shape))
      states.sequences.emplace_back(shape, std::vector<double>(from, from + numElements(shape)));
    return states;
  }
};

/// `sequences` segments of `length` tokens each.
IntTensor evenSegments(int64_t sequences, int64_t length) {
  IntTensor segments({sequences + 1});
  for (int64_t s = 0; s <= sequences; ++s)
    segments.data[s] = s * length;
  return segments;
}

std::string rowsType(int64_t width) { return llvm::formatv("tensor<?x{0}xf32>", width); }

/// The states [D, N] as [N, D].
States transposed(const States &states) {
  States result;
  for (const Rows &state : states.sequences) {
    Rows &flipped = result.sequences.emplace_back(Shape{state.shape[1], state.shape[0]});
    for (int64_t i = 0; i < state.shape[0]; ++i)
      for (int64_t j = 0; j < state.shape[1]; ++j)
        flipped(j, i) = state(i, j);
  }
  return result;
}

States zeroStates(int64_t sequences, Shape shape) { return {std::vector<Rows>(sequences, Rows(shape))}; }

/// Rows `begin .. end-1` of every sequence of `length` rows.
Rows rowsOfEach(const Rows &x, int64_t length, int64_t begin, int64_t end) {
  Rows y({x.shape[0] / length * (end - begin), x.shape[1]}, {});
  for (int64_t from = 0; from < x.shape[0]; from += length)
    y.data.insert(y.data.end(), x.data.begin() + (from + begin) * x.shape[1],
                  x.data.begin() + (from + end) * x.shape[1]);
  return y;
}

class OpGolden : public testing::TestWithParam<EngineKind> {
protected:
  /// Runs all cases of a file, of which there are `expected`.
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

  /// The function @f of a module.
  class Function {
  public:
    Function(const EngineKind &kind, const std::string &text) : module(text), engine(kind.create(*module, nullptr)) {}
    Engine::Values operator()(Engine::Values arguments) { return take(engine->run("f", std::move(arguments))); }

  private:
    Module module;
    std::unique_ptr<Engine> engine;
  };
  Function function(const std::string &text) { return Function(GetParam(), text); }

  template <class T> void expectGolden(const Value<double> &actual, const T &golden) {
    expectClose(as<T>(actual), golden, GetParam().opTolerance);
  }
};

TEST_P(OpGolden, RmsNorm) {
  forEachCase("rms_norm", 5, [this](const Case &c) {
    Rows x = c.tensor("x");
    auto f = function(llvm::formatv(R"(func.func @f(%x: tensor<?x{0}xf32>, %w: tensor<{0}xf32>) -> tensor<?x{0}xf32> {{
      %y = samba.rms_norm %x, %w {{eps = {1:E} : f32} : tensor<?x{0}xf32>, tensor<{0}xf32>
      return %y : tensor<?x{0}xf32>
    })",
                                    x.shape[1], *c.arguments.getNumber("eps")));
    expectGolden(f({x, c.tensor("weight")})[0], c.tensor("y"));
  });
}

TEST_P(OpGolden, Swiglu) {
  forEachCase("swiglu", 3, [this](const Case &c) {
    Rows gate = c.tensor("gate");
    auto f = function(llvm::formatv(R"(func.func @f(%gate: {0}, %up: {0}) -> {0} {{
      %y = samba.swiglu %gate, %up : {0}
      return %y : {0}
    })",
                                    rowsType(gate.shape[1])));
    expectGolden(f({gate, c.tensor("up")})[0], c.tensor("y"));
  });
}

TEST_P(OpGolden, Rotary) {
  forEachCase("rope", 4, [this](const Case &c) {
    Shape shape = c.tensor("x").shape; // [B, T, H, P]
    IntTensor positions({shape[0]}, std::vector<int64_t>(shape[0], *c.arguments.getInteger("start")));
    auto f =
        function(llvm::formatv(R"(func.func @f(%x: {0}, %segments: tensor<?xi64>, %positions: tensor<?xi64>) -> {0} {{
      %t = samba.rotary_table %segments, %positions {{theta = {2:F1} : f64} : tensor<?xi64>, tensor<?xi64> -> {1}
      %y = samba.rotary %x, %t : {0}, {1}
      return %y : {0}
    })",
                               rowsType(shape[2] * shape[3]), rowsType(shape[3]), *c.arguments.getNumber("theta")));
    expectGolden(f({c.rows("x"), evenSegments(shape[0], shape[1]), positions})[0], c.rows("y"));
  });
}

TEST_P(OpGolden, CausalConv1d) {
  forEachCase("causal_conv1d", 10, [this](const Case &c) {
    Shape shape = c.tensor("x").shape; // [B, T, D]
    Rows weight = c.tensor("weight");
    int64_t taps = weight.shape[1];
    bool hasBias = c.has("bias"), activate = c.arguments.getString("activation").has_value();
    Rows bias = hasBias ? c.tensor("bias") : Rows({shape[2]});
    States state = c.has("state") ? c.states("state") : zeroStates(shape[0], {taps - 1, shape[2]});
    auto f = function(llvm::formatv(R"(func.func @f(%x: tensor<?x{0}xf32>, %w: tensor<{0}x{1}xf32>, %b: tensor<{0}xf32>,
                                      %segments: tensor<?xi64>, %s: !samba.state<{2}x{0}xf32>)
            -> (tensor<?x{0}xf32>, !samba.state<{2}x{0}xf32>) {{
      %y, %n = samba.causal_conv1d %x, %w {3} segments %segments state %s {4}
        : tensor<?x{0}xf32>, tensor<{0}x{1}xf32>, tensor<?xi64>, !samba.state<{2}x{0}xf32>
      return %y, %n : tensor<?x{0}xf32>, !samba.state<{2}x{0}xf32>
    })",
                                    shape[2], taps, taps - 1,
                                    hasBias ? llvm::formatv("bias %b : tensor<{0}xf32>", shape[2]).str() : "",
                                    activate ? "activation silu" : ""));
    auto results = f({c.rows("x"), weight, bias, evenSegments(shape[0], shape[1]), state});
    expectGolden(results[0], c.rows("y"));
    expectClose(as<States>(results[1]), c.states("final_state"), 0);
  });
}

TEST_P(OpGolden, SelectiveScan) {
  forEachCase("selective_scan", 12, [this](const Case &c) {
    Shape shape = c.tensor("u").shape; // [B, T, E]
    Rows u = c.rows("u"), A = c.tensor("A");
    int64_t channels = shape[2], states = A.shape[1];
    auto orZero = [&](llvm::StringRef name) { return c.has(name) ? c.tensor(name) : Rows({channels}); };
    States state =
        c.has("initial_state") ? transposed(c.states("initial_state")) : zeroStates(shape[0], {states, channels});

    std::string optional;
    if (c.has("D"))
      optional += llvm::formatv(" skip %D : tensor<{0}xf32>", channels);
    if (c.has("z"))
      optional += llvm::formatv(" gate %z : {0}", rowsType(channels));
    if (c.has("delta_bias"))
      optional += llvm::formatv(" delta_bias %bias : tensor<{0}xf32>", channels);
    if (*c.arguments.getBoolean("delta_softplus"))
      optional += " {delta_softplus}";
    auto f = function(
        llvm::formatv(R"(func.func @f(%u: tensor<?x{0}xf32>, %delta: tensor<?x{0}xf32>, %A: tensor<{0}x{1}xf32>,
            %B: tensor<?x{1}xf32>, %C: tensor<?x{1}xf32>, %D: tensor<{0}xf32>, %z: tensor<?x{0}xf32>,
            %bias: tensor<{0}xf32>, %segments: tensor<?xi64>, %h: !samba.state<{1}x{0}xf32>)
            -> (tensor<?x{0}xf32>, !samba.state<{1}x{0}xf32>) {{
      %y, %n = samba.selective_scan %u, %delta, %A, %B, %C segments %segments state %h {2}
        : tensor<?x{0}xf32>, tensor<{0}x{1}xf32>, tensor<?x{1}xf32>, tensor<?x{1}xf32>, tensor<?xi64>,
          !samba.state<{1}x{0}xf32>
      return %y, %n : tensor<?x{0}xf32>, !samba.state<{1}x{0}xf32>
    })",
                      channels, states, optional));
    auto results =
        f({u, c.rows("delta"), A, c.rows("B"), c.rows("C"), orZero("D"), c.has("z") ? c.rows("z") : Rows(u.shape),
           orZero("delta_bias"), evenSegments(shape[0], shape[1]), state});
    expectGolden(results[0], c.rows("y"));
    expectGolden(results[1], transposed(c.states("final_state")));
  });
}

// Segments longer and shorter than what a lowering takes at once, more states than fit registers, channels that are no
// whole vectors, and powers from far below the clamp to almost 1.
TEST_P(OpGolden, SelectiveScanOfManyStates) {
  constexpr int64_t channels = 40, states = 20;
  IntTensor segments({4}, {0, 130, 131, 196});
  int64_t tokens = segments.data.back();
  auto filled = [](Shape shape, double low, double high) {
    Rows rows(shape);
    for (size_t i = 0; i < rows.data.size(); ++i)
      rows.data[i] = float(low + (high - low) * double(i * 7919 % 1009) / 1008);
    return rows;
  };
  Rows u = filled({tokens, channels}, -1, 1), delta = filled({tokens, channels}, 1e-4, 2);
  Rows A = filled({channels, states}, -60, -1e-3), B = filled({tokens, states}, -1, 1), C = filled(B.shape, -1, 1);
  States before = zeroStates(3, {states, channels});
  for (Rows &state : before.sequences)
    state = filled(state.shape, -2, 2);

  Rows y({tokens, channels});
  States after = before;
  for (int64_t s = 0; s < 3; ++s)
    for (int64_t t = segments.data[s]; t < segments.data[s + 1]; ++t)
      for (int64_t c = 0; c < channels; ++c)
        for (int64_t n = 0; n < states; ++n) {
          double &h = after.sequences[s](n, c);
          h = std::exp(delta(t, c) * A(c, n)) * h + delta(t, c) * u(t, c) * B(t, n);
          y(t, c) += C(t, n) * h;
        }

  auto f = function(llvm::formatv(R"(func.func @f(%u: tensor<?x{0}xf32>, %delta: tensor<?x{0}xf32>,
          %A: tensor<{0}x{1}xf32>, %B: tensor<?x{1}xf32>, %C: tensor<?x{1}xf32>, %segments: tensor<?xi64>,
          %h: !samba.state<{1}x{0}xf32>) -> (tensor<?x{0}xf32>, !samba.state<{1}x{0}xf32>) {{
    %y, %n = samba.selective_scan %u, %delta, %A, %B, %C segments %segments state %h
      : tensor<?x{0}xf32>, tensor<{0}x{1}xf32>, tensor<?x{1}xf32>, tensor<?x{1}xf32>, tensor<?xi64>,
        !samba.state<{1}x{0}xf32>
    return %y, %n : tensor<?x{0}xf32>, !samba.state<{1}x{0}xf32>
  })",
                                  channels, states));
  auto results = f({u, delta, A, B, C, segments, before});
  expectGolden(results[0], y);
  expectGolden(results[1], after);
}

TEST_P(OpGolden, SlidingWindowAttention) {
  forEachCase("sliding_window_attention", 15, [this](const Case &c) {
    Shape shape = c.tensor("q").shape, keyShape = c.tensor("k").shape; // [B, T, H, P] and [B, S, G, P]
    int64_t sequences = shape[0], queries = shape[1], length = keyShape[1], offset = length - queries;
    std::optional<int64_t> window = c.arguments.getInteger("window");
    Shape ring{keyShape[2], window.value_or(length), keyShape[3]};
    Rows golden = c.rows("o"), k = c.rows("k"), v = c.rows("v");
    // Keys before the first query belong to queries whose results nobody looks at.
    Rows q({sequences * length, shape[2] * shape[3]}), given = c.rows("q");
    for (int64_t t = 0; t < given.shape[0]; ++t)
      for (int64_t i = 0; i < given.shape[1]; ++i)
        q(t / queries * length + offset + t % queries, i) = given(t, i);

    auto f = function(llvm::formatv(R"(func.func @f(%q: {0}, %k: {1}, %v: {1}, %segments: tensor<?xi64>,
            %positions: tensor<?xi64>, %ks: {2}, %vs: {2}) -> ({0}, {2}, {2}) {{
      %y, %nk, %nv = samba.sliding_window_attention %q, %k, %v segments %segments positions %positions state %ks, %vs
        {3} : {0}, {1}, tensor<?xi64>, tensor<?xi64>, {2}
      return %y, %nk, %nv : {0}, {2}, {2}
    })",
                                    rowsType(q.shape[1]), rowsType(k.shape[1]),
                                    llvm::formatv("!samba.state<{0}x{1}x{2}xf32>", ring[0], ring[1], ring[2]).str(),
                                    window ? llvm::formatv("{{window = {0} : i64}", *window).str() : ""));
    auto step = [&](int64_t begin, int64_t end, const Value<double> &keys, const Value<double> &values) {
      return f({rowsOfEach(q, length, begin, end), rowsOfEach(k, length, begin, end), rowsOfEach(v, length, begin, end),
                evenSegments(sequences, end - begin), IntTensor({sequences}, std::vector<int64_t>(sequences, begin)),
                keys, values});
    };
    States empty = zeroStates(sequences, ring);
    auto all = step(0, length, empty, empty);
    expectGolden(Rows(rowsOfEach(as<Rows>(all[0]), length, offset, length)), golden);

    // The earlier keys in a step of their own: the rings carry them, and are the same in the end.
    auto before = step(0, offset, empty, empty);
    auto after = step(offset, length, before[1], before[2]);
    expectGolden(after[0], golden);
    expectClose(as<States>(after[1]), as<States>(all[1]), 0);
    expectClose(as<States>(after[2]), as<States>(all[2]), 0);
  });
}

INSTANTIATE_TEST_SUITE_P(Engines, OpGolden, testing::Values(exact, single, native, baseline),
                         [](const auto &info) { return std::string(info.param.name); });

} // namespace
