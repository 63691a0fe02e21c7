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

#include "frontend/Importer.h"
#include "test/unit/interpreter/Support.h"

using namespace samba;
using namespace samba::reference;
using namespace samba::reference::test;

namespace {

/// The tokens of each sequence in one step.
using Batch = std::vector<std::vector<int64_t>>;

/// A model and any number of sequences that it carries on.
template <class F> class Model {
public:
  Model(const std::string &directory, llvm::StringRef weightsFile)
      : config(take(SambaConfig::load(directory + "/config.json"))),
        checkpoint(take(Checkpoint::open(directory, weightsFile))),
        module(take(importSamba(context, config, *checkpoint))), interpreter(*module, checkpoint.get()),
        function(take(interpreter.findFunction(""))) {}

  /// Starts `count` fresh sequences in place of all others.
  void start(int64_t count) {
    positions.assign(count, 0);
    states.clear();
    for (mlir::Type type : llvm::drop_begin(function.getArgumentTypes(), 4))
      states.push_back(
          StateBatch<F>{std::vector<Tensor<F>>(count, Tensor<F>(Shape(llvm::cast<StateType>(type).getShape())))});
  }

  /// Carries each sequence on by its tokens, none or more. Returns the logits of all tokens [T, V].
  Tensor<F> step(const Batch &batch) {
    IntTensor tokens({0}, {}), segments({1}), rows({0}, {});
    for (const std::vector<int64_t> &sequence : batch) {
      tokens.data.insert(tokens.data.end(), sequence.begin(), sequence.end());
      segments.data.push_back(tokens.data.size());
    }
    for (size_t row = 0; row < tokens.data.size(); ++row)
      rows.data.push_back(row);
    tokens.shape = rows.shape = {int64_t(tokens.data.size())};
    segments.shape = {int64_t(segments.data.size())};
    std::vector<Value<F>> arguments = {tokens, segments, IntTensor({int64_t(positions.size())}, positions), rows};
    arguments.insert(arguments.end(), states.begin(), states.end());
    std::vector<Value<F>> results = take(interpreter.run(function, std::move(arguments)));
    states.assign(results.begin() + 1, results.end());
    for (size_t s = 0; s < positions.size(); ++s)
      positions[s] += batch[s].size();
    return as<Tensor<F>>(results[0]);
  }

  /// The state `name` of sequence `s`.
  Tensor<F> state(llvm::StringRef name, size_t s) const {
    for (size_t i = 0; i < states.size(); ++i)
      if (function.getArgAttrOfType<mlir::StringAttr>(i + 4, "samba.name") == name)
        return as<StateBatch<F>>(states[i]).sequences[s];
    ADD_FAILURE() << "no state " << name.str();
    return Tensor<F>({0});
  }

  Interpreter<F> &getInterpreter() { return interpreter; }
  const SambaConfig &getConfig() const { return config; }

private:
  mlir::MLIRContext context;
  SambaConfig config;
  std::unique_ptr<Checkpoint> checkpoint;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  Interpreter<F> interpreter;
  mutable mlir::func::FuncOp function;
  std::vector<int64_t> positions;
  std::vector<Value<F>> states;
};

struct GoldenModel {
  const char *directory, *weights, *golden;
  bool inner = true; // hidden and final states are stored too, not only logits
};

void PrintTo(const GoldenModel &model, std::ostream *os) { *os << model.directory << "/" << model.weights; }

template <class F> Tensor<F> rowsOf(const Tensor<F> &x, int64_t begin, int64_t end) {
  int64_t width = x.shape[1];
  return Tensor<F>({end - begin, width}, std::vector<F>(x.data.begin() + begin * width, x.data.begin() + end * width));
}

template <class F> void append(Tensor<F> &x, const Tensor<F> &more) {
  x.shape = {int64_t(x.shape.empty() ? 0 : x.shape[0]) + more.shape[0], more.shape[1]};
  x.data.insert(x.data.end(), more.data.begin(), more.data.end());
}

class ModelGolden : public testing::TestWithParam<GoldenModel> {
protected:
  ModelGolden()
      : directory(std::string(SAMBA_GOLDENS "/") + GetParam().directory),
        golden(take(TensorFile::open(directory + "/" + GetParam().golden))),
        tokens(take(golden.integers("tokens")).data) {}

  std::vector<int64_t> slice(int64_t begin, int64_t end) const {
    return std::vector<int64_t>(tokens.begin() + begin, tokens.begin() + end);
  }

  /// Prefill: logits, hidden states and final states.
  template <class F> void prefill(double tolerance) {
    Model<F> model(directory, GetParam().weights);
    size_t probes = 0;
    model.getInterpreter().onProbe([&](llvm::StringRef name, int32_t index, const Tensor<F> &x) {
      SCOPED_TRACE(name.str());
      EXPECT_EQ(size_t(index), probes++);
      if (!GetParam().inner)
        return;
      IntTensor positions = take(golden.integers("hidden_positions"));
      std::string stored = "hidden/" + name.str();
      if (size_t dot = stored.find("layers."); dot != std::string::npos)
        stored.replace(dot, 7, "layer");
      Tensor<F> expected = take(golden.floats<F>(stored)), picked({positions.shape[0], x.shape[1]}, {});
      for (int64_t position : positions.data)
        picked.data.insert(picked.data.end(), x.data.begin() + position * x.shape[1],
                           x.data.begin() + (position + 1) * x.shape[1]);
      expectClose(picked, expected, tolerance);
    });
    model.start(1);
    expectClose(model.step({tokens}), take(golden.floats<F>("logits")), tolerance);
    EXPECT_EQ(probes, size_t(model.getConfig().numLayers) + 2);
    expectFinalStates(model, 0, tolerance);
  }

  template <class F> void expectFinalStates(const Model<F> &model, size_t s, double tolerance) {
    size_t layers = 0;
    for (int64_t layer = 0; layer < model.getConfig().numLayers; ++layer) {
      std::string stored = "state/layer" + std::to_string(layer);
      if (!golden.contains(stored + "/conv"))
        continue;
      std::string name = "layers." + std::to_string(layer);
      expectClose(model.state(name + ".conv", s), take(golden.floats<F>(stored + "/conv")), tolerance);
      Tensor<F> ssm = take(golden.floats<F>(stored + "/ssm")), flipped({ssm.shape[1], ssm.shape[0]});
      for (int64_t i = 0; i < ssm.shape[0]; ++i)
        for (int64_t j = 0; j < ssm.shape[1]; ++j)
          flipped(j, i) = ssm(i, j);
      expectClose(model.state(name + ".ssm", s), flipped, tolerance);
      layers += 1;
    }
    EXPECT_EQ(layers > 0, GetParam().inner);
  }

  std::string directory;
  TensorFile golden;
  std::vector<int64_t> tokens;
};

TEST_P(ModelGolden, PrefillInDouble) { prefill<double>(1e-6); }

// The reference itself, in float32, deviates by 1.1e-4 from these values.
TEST_P(ModelGolden, PrefillInFloat) { prefill<float>(2e-5); }

TEST_P(ModelGolden, GreedyContinuation) {
  Model<float> model(directory, GetParam().weights);
  model.start(1);
  Tensor<float> logits = model.step({tokens});
  std::vector<int64_t> chosen;
  for (int64_t expected : take(golden.integers("greedy")).data) {
    auto last = logits.data.end() - logits.shape[1];
    chosen.push_back(std::max_element(last, logits.data.end()) - last);
    ASSERT_EQ(chosen.back(), expected) << "at " << chosen.size() - 1;
    logits = model.step({{chosen.back()}});
  }
  EXPECT_EQ(chosen.size(), 32u);
}

TEST_P(ModelGolden, StepByStep) {
  Model<double> model(directory, GetParam().weights);
  model.start(1);
  Tensor<double> logits({0, 0}, {});
  for (int64_t token : tokens)
    append(logits, model.step({{token}}));
  expectClose(logits, take(golden.floats<double>("logits")), 1e-6);
  expectFinalStates(model, 0, 1e-6);
}

// Chunks shorter and longer than the convolution and the windows, and an empty one.
TEST_P(ModelGolden, InChunks) {
  Model<double> model(directory, GetParam().weights);
  model.start(1);
  Tensor<double> logits({0, 0}, {});
  int64_t begin = 0, total = tokens.size();
  for (int64_t size : {1, 2, 0, 17, 3, 1, 1000}) {
    int64_t end = std::min(total, begin + size);
    append(logits, model.step({slice(begin, end)}));
    begin = end;
  }
  expectClose(logits, take(golden.floats<double>("logits")), 1e-6);
  expectFinalStates(model, 0, 1e-6);
}

// The golden sequence is the second of four, at another pace than the others; one of them never gets a token.
TEST_P(ModelGolden, InARaggedBatch) {
  Model<double> model(directory, GetParam().weights);
  model.start(4);
  std::vector<int64_t> reversed(tokens.rbegin(), tokens.rend());
  Tensor<double> logits({0, 0}, {});
  int64_t begin = 0, total = tokens.size();
  for (int64_t size : {5, 1, 19, 0, 1000}) {
    int64_t end = std::min(total, begin + size), others = std::min<int64_t>(4, size + 1);
    std::vector<int64_t> other(reversed.begin(), reversed.begin() + others);
    Tensor<double> all = model.step({other, slice(begin, end), {}, size == 1 ? std::vector<int64_t>() : other});
    append(logits, rowsOf(all, others, others + end - begin));
    begin = end;
  }
  expectClose(logits, take(golden.floats<double>("logits")), 1e-6);
  expectFinalStates(model, 1, 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Tiny, ModelGolden,
                         testing::Values(GoldenModel{"tiny-a", "model.safetensors", "golden.safetensors"},
                                         GoldenModel{"tiny-b", "model.safetensors", "golden.safetensors"},
                                         GoldenModel{"tiny-b", "model-bf16.safetensors", "golden-bf16.safetensors",
                                                     false},
                                         GoldenModel{"tiny-c", "model.safetensors", "golden.safetensors"},
                                         GoldenModel{"tiny-d", "model.safetensors", "golden.safetensors"}));

} // namespace
