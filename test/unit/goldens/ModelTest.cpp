//===- ModelTest.cpp - whole models against golden results ----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Random models small enough to check in, run in pieces of every kind: what a sequence sees must not depend on how its
// tokens are fed or on who shares the step.
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/Target.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"
#include "test/unit/goldens/Ways.h"
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>

using namespace samba;
using namespace samba::reference;
using namespace samba::reference::test;

namespace {

struct GoldenModel {
  const char *name, *directory, *weights, *golden;
  bool inner = true; // hidden and final states are stored too, not only logits

  std::string path() const { return std::string(SAMBA_GOLDENS "/") + directory; }
};

void PrintTo(const GoldenModel &model, std::ostream *os) { *os << model.name; }

const GoldenModel models[] = {
    {"a", "tiny-a", "model.safetensors", "golden.safetensors"},
    {"b", "tiny-b", "model.safetensors", "golden.safetensors"},
    {"b_stored_in_bf16", "tiny-b", "model-bf16.safetensors", "golden-bf16.safetensors", false},
    {"c", "tiny-c", "model.safetensors", "golden.safetensors"},
    {"d", "tiny-d", "model.safetensors", "golden.safetensors"}};

/// Checkpoints and results that the families' own code has made (make_family_goldens.py).
const GoldenModel familyModels[] = {
    {"mamba", "tiny-mamba", "model.safetensors", "golden.safetensors"},
    {"mamba_in_bf16", "tiny-mamba", "model-bf16.safetensors", "golden-bf16.safetensors", false},
    {"mamba_ssm", "tiny-mamba-ssm", "model.safetensors", "../tiny-mamba/golden.safetensors"},
    {"falcon_mamba", "tiny-falcon-mamba", "model.safetensors", "golden.safetensors"},
    {"falcon_mamba_in_bf16", "tiny-falcon-mamba", "model-bf16.safetensors", "golden-bf16.safetensors", false},
    {"mistral", "tiny-mistral", "model.safetensors", "golden.safetensors"},
    {"mistral_in_bf16", "tiny-mistral", "model-bf16.safetensors", "golden-bf16.safetensors", false},
    {"llama", "tiny-llama", "model.safetensors", "golden.safetensors"},
    {"qwen2", "tiny-qwen2", "model.safetensors", "golden.safetensors"},
    {"jamba", "tiny-jamba", "model.safetensors", "golden.safetensors"},
    {"jamba_in_bf16", "tiny-jamba", "model-bf16.safetensors", "golden-bf16.safetensors", false},
    {"phi4flash", "tiny-phi4flash", "model.safetensors", "golden.safetensors"},
    {"phi4flash_in_bf16", "tiny-phi4flash", "model-bf16.safetensors", "golden-bf16.safetensors", false},
    {"wide_phi4flash", "wide-phi4flash", "model-bf16.safetensors", "golden-bf16.safetensors", false}};

void expectNear(const Rows &actual, const Rows &golden, double tolerance) {
  ASSERT_EQ(actual.shape, golden.shape);
  EXPECT_LE(relativeNorm(actual, golden), tolerance);
}

/// Random tokens, more than fit a window thrice.
Tokens randomTokens(int64_t count, int64_t vocabSize) {
  std::mt19937 random(1);
  Tokens tokens;
  for (int64_t i = 0; i < count; ++i)
    tokens.push_back(random() % vocabSize);
  return tokens;
}

/// One model in one engine. Compiling takes longer than all that is done with the result, so it is done in one test.
class ModelGolden : public testing::TestWithParam<std::tuple<GoldenModel, EngineKind>> {
protected:
  ModelGolden()
      : info(std::get<0>(GetParam())), tolerance(std::get<1>(GetParam()).modelTolerance),
        golden(take(TensorFile::open(info.path() + "/" + info.golden))), tokens(take(golden.integers("tokens")).data),
        model(info.path(), info.weights, std::get<1>(GetParam()).create) {}

  // ---- Against the golden results.

  void prefill() {
    SCOPED_TRACE("prefill");
    size_t probes = 0;
    model.getEngine().onProbe([&](llvm::StringRef name, int32_t index, const Rows &x) {
      SCOPED_TRACE(name.str());
      EXPECT_EQ(size_t(index), probes++);
      if (!info.inner)
        return;
      IntTensor positions = take(golden.integers("hidden_positions"));
      std::string stored = "hidden/" + name.str();
      if (size_t dot = stored.find("layers."); dot != std::string::npos)
        stored.replace(dot, 7, "layer");
      Rows expected = take(golden.floats<double>(stored)), picked({0, x.shape[1]}, {});
      for (int64_t position : positions.data)
        append(picked, rowsOf(x, position, position + 1));
      expectNear(picked, expected, tolerance);
    });
    model.start(1);
    expectLogits(model.step({tokens}));
    EXPECT_EQ(probes, model.getDescription().layers.size() + 2);
    expectFinalStates(0);
    model.getEngine().onProbe({});
  }

  void greedyContinuation() {
    SCOPED_TRACE("greedy continuation");
    model.start(1);
    Rows logits = model.step({tokens});
    std::vector<int64_t> chosen;
    for (int64_t expected : take(golden.integers("greedy")).data) {
      auto last = logits.data.end() - logits.shape[1];
      chosen.push_back(std::max_element(last, logits.data.end()) - last);
      ASSERT_EQ(chosen.back(), expected) << "at " << chosen.size() - 1;
      logits = model.step({{chosen.back()}});
    }
    EXPECT_EQ(chosen.size(), 32u);
  }

  void stepByStep() {
    SCOPED_TRACE("step by step");
    expectLogits(logitsByStep(model, tokens));
    expectFinalStates(0);
  }

  void inChunks() {
    SCOPED_TRACE("in chunks");
    expectLogits(logitsInChunks(model, tokens));
    expectFinalStates(0);
  }

  void inARaggedBatch() {
    SCOPED_TRACE("in a ragged batch");
    expectLogits(logitsInARaggedBatch(model, tokens));
    expectFinalStates(kRaggedSequence);
  }

  // A prompt of which only some logits are wanted, then none, then one of each of two sequences. What is left out for
  // tokens without logits must be missed neither then nor afterwards.
  void someLogits() {
    SCOPED_TRACE("some logits");
    Rows all = take(golden.floats<double>("logits")), seen({0, all.shape[1]}, {}), expected = seen;
    int64_t total = tokens.size();
    auto expectRows = [&](const Rows &logits, llvm::ArrayRef<int64_t> rows) {
      append(seen, logits);
      for (int64_t row : rows)
        append(expected, rowsOf(all, row, row + 1));
    };
    model.start(1);
    expectRows(model.step({slice(tokens, 0, 21)}, {20, 3}), {20, 3});
    EXPECT_EQ(model.step({slice(tokens, 21, 30)}, {}).shape[0], 0);
    expectRows(model.step({slice(tokens, 30, total)}, {total - 31}), {total - 1});
    expectFinalStates(0);
    model.start(2);
    expectRows(model.step({slice(tokens, 0, 7), slice(tokens, 0, total)}, {6 + total, 6}), {total - 1, 6});
    expectRows(model.step({slice(tokens, 7, 9), {}}, {1}), {8});
    expectNear(seen, expected, tolerance);
    expectFinalStates(1);
  }

  void expectLogits(const Rows &logits) { expectNear(logits, take(golden.floats<double>("logits")), tolerance); }

  void expectFinalStates(size_t s) {
    bool hasMamba = false;
    for (const LayerSpec &layer : model.getDescription().layers)
      hasMamba |= llvm::any_of(layer.blocks, [](const BlockSpec &block) { return block.mamba(); });
    size_t layers = 0;
    for (size_t layer = 0; layer < model.getDescription().layers.size(); ++layer) {
      std::string stored = "state/layer" + std::to_string(layer);
      if (!golden.contains(stored + "/conv"))
        continue;
      SCOPED_TRACE(stored);
      std::string name = "layers." + std::to_string(layer);
      expectNear(model.state(name + ".conv", s), take(golden.floats<double>(stored + "/conv")), tolerance);
      Rows ssm = take(golden.floats<double>(stored + "/ssm")), flipped({ssm.shape[1], ssm.shape[0]});
      for (int64_t i = 0; i < ssm.shape[0]; ++i)
        for (int64_t j = 0; j < ssm.shape[1]; ++j)
          flipped(j, i) = ssm(i, j);
      expectNear(model.state(name + ".ssm", s), flipped, tolerance);
      layers += 1;
    }
    EXPECT_EQ(layers > 0, info.inner && hasMamba);
  }

  // ---- Prompts that end just before, at and after the end of the window, and long after it. Whatever way they are
  // fed, the logits are those of the interpreter for all tokens at once.

  void aroundTheWindow() {
    int64_t window = 0;
    for (const LayerSpec &layer : model.getDescription().layers)
      for (const BlockSpec &block : layer.blocks)
        if (const AttentionSpec *attention = block.attention())
          window = std::max(window, attention->window.value_or(0));
    if (window == 0) // as far as the tests of chunks go
      window = 13;
    const Tokens lengths = {window - 1, window, window + 1, 3 * window + 5};
    tokens = randomTokens(lengths.back() + kMore, model.getDescription().vocabSize);
    Model reference(info.path(), info.weights, exact.create);
    reference.start(1);
    Rows expected = reference.step({tokens});

    for (int64_t length : lengths)
      for (int64_t chunk : {length, int64_t(7), window + 1})
        expectInSteps(expected, length, chunk);
    expectInSteps(expected, lengths.back(), 1);
    expectInOneBatch(expected, lengths);
  }

  /// A fresh sequence of `length` tokens in steps of at most `chunk`, and then kMore tokens in one step.
  void expectInSteps(const Rows &expected, int64_t length, int64_t chunk) {
    SCOPED_TRACE(testing::Message() << length << " tokens by " << chunk);
    model.start(1);
    Rows logits({0, 0}, {});
    for (int64_t begin = 0; begin < length; begin += chunk)
      append(logits, model.step({slice(tokens, begin, std::min(length, begin + chunk))}));
    append(logits, model.step({slice(tokens, length, length + kMore)}));
    expectNear(logits, rowsOf(expected, 0, length + kMore), tolerance);
  }

  void expectInOneBatch(const Rows &expected, const Tokens &lengths) {
    model.start(lengths.size());
    Batch prompts, more;
    for (int64_t length : lengths) {
      prompts.push_back(slice(tokens, 0, length));
      more.push_back(slice(tokens, length, length + kMore));
    }
    Rows first = model.step(prompts), after = model.step(more);
    int64_t begin = 0;
    for (auto [s, length] : llvm::enumerate(lengths)) {
      SCOPED_TRACE(testing::Message() << length << " tokens in a batch");
      Rows logits = rowsOf(first, begin, begin + length);
      append(logits, rowsOf(after, s * kMore, (s + 1) * kMore));
      expectNear(logits, rowsOf(expected, 0, length + kMore), tolerance);
      begin += length;
    }
  }

  static constexpr int64_t kMore = 3;
  const GoldenModel info;
  double tolerance;
  TensorFile golden;
  Tokens tokens;
  Model model;
};

TEST_P(ModelGolden, InEveryWay) {
  prefill();
  if (std::get<1>(GetParam()).isEmulated && !std::getenv("SAMBA_SLOW_TESTS")) {
    inChunks();
    inARaggedBatch();
    return;
  }
  greedyContinuation();
  stepByStep();
  inChunks();
  inARaggedBatch();
  someLogits();
  if (std::get<1>(GetParam()).isCompiled)
    aroundTheWindow();
}

INSTANTIATE_TEST_SUITE_P(Tiny, ModelGolden,
                         testing::Combine(testing::ValuesIn(models),
                                          testing::Values(exact, single, native, baseline, device)),
                         [](const auto &info) {
                           return std::string(std::get<0>(info.param).name) + "_" + std::get<1>(info.param).name;
                         });

INSTANTIATE_TEST_SUITE_P(Families, ModelGolden,
                         testing::Combine(testing::ValuesIn(familyModels), testing::Values(exact, single, native)),
                         [](const auto &info) {
                           return std::string(std::get<0>(info.param).name) + "_" + std::get<1>(info.param).name;
                         });

// What no other model has: LayerNorm, differences of heads, values wider than keys, layers for wanted tokens alone.
INSTANTIATE_TEST_SUITE_P(Phi4Flash, ModelGolden,
                         testing::Combine(testing::ValuesIn(llvm::ArrayRef(familyModels).take_back(3)),
                                          testing::Values(device)),
                         [](const auto &info) {
                           return std::string(std::get<0>(info.param).name) + "_" + std::get<1>(info.param).name;
                         });

//===----------------------------------------------------------------------===//
// Matrices in bf16
//===----------------------------------------------------------------------===//

/// What the compiler makes of a module when it is asked for bf16.
template <bool roundActivations> void roundToBf16(mlir::ModuleOp module) {
  mlir::PassManager pm(module.getContext());
  buildOptimisePipeline(pm, "bf16", roundActivations);
  EXPECT_TRUE(mlir::succeeded(pm.run(module)));
}

class InBf16 : public testing::TestWithParam<GoldenModel> {
protected:
  InBf16()
      : golden(take(TensorFile::open(GetParam().path() + "/" + GetParam().golden))),
        tokens(take(golden.integers("tokens")).data) {}

  Rows prefill(const EngineKind &kind, Model::Prepare prepare = nullptr) {
    Model model(GetParam().path(), GetParam().weights, kind.create, prepare);
    model.start(1);
    return model.step({tokens});
  }

  void expectRounded(const EngineKind &kind, bool rounds) {
    Rows compiled = prefill(kind);
    Rows expected = prefill(exact, rounds ? roundToBf16<true> : roundToBf16<false>);
    Rows exactly = take(golden.floats<double>("logits"));
    double first = std::numeric_limits<double>::infinity();
    for (int64_t row = 0; row < 4; ++row)
      first = std::min(first, relativeNorm(rowsOf(compiled, row, row + 1), rowsOf(expected, row, row + 1)));
    EXPECT_LE(first, kind.modelTolerance);
    EXPECT_LE(relativeNorm(compiled, expected), 0.5 * relativeNorm(expected, exactly));
    EXPECT_LE(relativeNorm(compiled, exactly), 0.05);
  }

  TensorFile golden;
  Tokens tokens;
};

// Only the matrices are rounded, once and for all: compiled code computes the rounded model as exactly as any.
TEST_P(InBf16, MatricesOnly) {
  expectNear(prefill(baselineInBf16), prefill(exact, roundToBf16<false>), baselineInBf16.modelTolerance);
}

// Where a machine multiplies pairs of bf16, what is multiplied with the matrices is rounded as well. Two ways of
// computing it then round one number in some thousands to different neighbours (4e-3 apart), and all tokens that follow
// differ a little. Until that happens they agree as always. Measured (logits, in norm): the rounding itself moves them
// by 0.014 (a), 0.028 (b) and 0.014 (d); compiled code and the interpreter are 0.0023, 0.0042 and 5e-5 apart, in rows
// before the first difference 5e-8.
TEST_P(InBf16, ActivationsToo) {
  bool rounds = !take(CpuTarget::get("native")).bf16Dot.empty();
  expectRounded(nativeInBf16, rounds);
}

TEST_P(InBf16, OnTheDevice) { expectRounded(deviceInBf16, true); }
TEST_P(InBf16, OnHopper) { expectRounded(hopperInBf16, true); }

INSTANTIATE_TEST_SUITE_P(Tiny, InBf16,
                         testing::Values(models[0], models[1], models[4], llvm::ArrayRef(familyModels).back()),
                         [](const auto &info) { return std::string(info.param.name); });

//===----------------------------------------------------------------------===//
// Profiles of numerics
//===----------------------------------------------------------------------===//

std::string numericsFlags; // of the model that is being prepared

void applyNumerics(mlir::ModuleOp module) {
  mlir::PassManager pm(module.getContext());
  pm.addPass(createSambaApplyNumerics({numericsFlags}));
  EXPECT_TRUE(mlir::succeeded(pm.run(module)));
}

/// Logits of the tokens of a golden model, fed in pieces: the states of one are what the next starts from.
Rows logitsWith(const GoldenModel &info, const std::string &flags, const EngineKind &kind) {
  TensorFile golden = take(TensorFile::open(info.path() + "/" + info.golden));
  Tokens tokens = take(golden.integers("tokens")).data;
  numericsFlags = flags;
  Model model(info.path(), info.weights, kind.create, applyNumerics);
  model.start(1);
  Rows logits({0, 0}, {});
  for (size_t begin = 0; begin < tokens.size(); begin += 7)
    append(logits, model.step({slice(tokens, begin, std::min(tokens.size(), begin + 7))}));
  return logits;
}

// With the flag and without it: the logits differ, but by no more than roundings to bf16 can do.
TEST(Numerics, EachFlagHasAnEffect) {
  const GoldenModel &info = models[4];
  Rows plain = logitsWith(info, "", exact);
  expectNear(plain, take(take(TensorFile::open(info.path() + "/" + info.golden)).floats<double>("logits")), 1e-6);
  for (auto [base, flag] : {std::pair<std::string, std::string>{"", "dtype=bf16"},
                            {"dtype=bf16", "residual=f32"},
                            {"dtype=bf16,residual=f32", "norm_input=model"},
                            {"dtype=bf16", "norm_cast=hf"},
                            {"dtype=bf16", "gate_on=rounded"},
                            {"dtype=bf16", "dt_bias=fused"},
                            {"dtype=bf16", "rope_table=f32"},
                            {"dtype=bf16", "logits=f32"},
                            {"dtype=bf16", "scan_out=model"},
                            {"dtype=bf16", "rope_math=model"},
                            {"dtype=bf16", "attn_p=model"},
                            {"", "ssm_param_round=bf16"},
                            {"", "ssm_state=bf16"}}) {
    double change = relativeNorm(logitsWith(info, base + "," + flag, exact), logitsWith(info, base, exact));
    EXPECT_GT(change, 1e-5) << flag;
    EXPECT_LT(change, 0.1) << flag;
  }
  // Formulas in f32 instead of f64 change what f32 can.
  for (const char *flag : {"softplus=log", "rope_angle=f32"}) {
    double change = relativeNorm(logitsWith(info, flag, exact), plain);
    EXPECT_GT(change, 1e-9) << flag;
    EXPECT_LT(change, 1e-3) << flag;
  }
  EXPECT_GT(relativeNorm(logitsWith(info, "norm_offset=1", exact), plain), 0.1);
  // In f32 the flags that only say where to round to the model's type change nothing.
  for (const char *flag : {"residual=f32", "norm_input=model", "norm_cast=hf", "rope_table=f32", "logits=f32",
                           "scan_out=model", "rope_math=model", "attn_p=model"})
    EXPECT_EQ(logitsWith(info, flag, exact).data, plain.data) << flag;
  // And those that move an addition or a product change no sum but its order.
  for (const char *flag : {"gate_on=rounded", "dt_bias=fused"})
    expectNear(logitsWith(info, flag, exact), plain, 1e-12);
}

// Compiled code rounds where the interpreter does. Roundings that are decided by a last bit fall differently, as in
// InBf16, so the two are only as close as that; what is rounded once and for all agrees as always.
TEST(Numerics, CompiledCodeRoundsLikewise) {
  const GoldenModel &info = models[4];
  Rows plain = logitsWith(info, "", exact);
  for (const char *flag : {"ssm_param_round=bf16", "softplus=log", "rope_angle=f32", "norm_offset=1"})
    expectNear(logitsWith(info, flag, native), logitsWith(info, flag, exact), native.modelTolerance);
  std::string all = "dtype=bf16,residual=f32,norm_input=model,norm_cast=hf,dt_bias=fused,gate_on=rounded,"
                    "ssm_param_round=bf16,ssm_state=bf16,scan_out=model,rope_math=model,softplus=log,rope_angle=f32,"
                    "attn_p=model";
  Rows expected = logitsWith(info, all, exact), compiled = logitsWith(info, all, native);
  EXPECT_LE(relativeNorm(compiled, expected), 0.5 * relativeNorm(expected, plain));
  // The logits are rounded: the last 16 bits of each are zero.
  for (double value : compiled.data) {
    float single = float(value);
    uint32_t bits;
    std::memcpy(&bits, &single, 4);
    ASSERT_EQ(bits & 0xffff, 0u);
  }
}

} // namespace
