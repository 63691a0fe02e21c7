//===- FusionTest.cpp - tests of fusion, compiled -------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/Interpreter.h"
#include "dialect/interpreter/Seeded.h"
#include "lowering/emit/CompiledModule.h"
#include "mlir/Parser/Parser.h"
#include "passes/Fusions.h"
#include "tools/Registration.h"
#include "tools/check/Steps.h"
#include "gtest/gtest.h"
#include <cmath>

using namespace mlir;
using namespace samba;
using reference::StateBatch;
using reference::Tensor;

namespace {

FusionOptions fusions(llvm::StringRef text) {
  llvm::Expected<FusionOptions> options = FusionOptions::parse(text);
  EXPECT_TRUE(bool(options)) << llvm::toString(options.takeError());
  return options ? *options : FusionOptions();
}

std::vector<std::string> names(llvm::StringRef text) { return fusions(text).names; }

TEST(FusionOptions, Lists) {
  using List = std::vector<std::string>;
  EXPECT_EQ(names("none"), List());
  EXPECT_EQ(names("default"), FusionOptions().names);
  EXPECT_EQ(names("all").size(), allFusions().size());
  EXPECT_EQ(names("residual,norm"), (List{"norm", "residual"})); // in the order in which they run
  EXPECT_EQ(names("all,-block").size(), allFusions().size() - 1);
  EXPECT_EQ(names("-residual,+block").size(), FusionOptions().names.size());
  EXPECT_FALSE(fusions("-residual").contains("residual"));
  EXPECT_TRUE(fusions("+block").contains("residual"));
  EXPECT_EQ(names("none, norm"), List{"norm"});
}

TEST(FusionOptions, Errors) {
  for (llvm::StringRef text : {"nrom", "", "+all", "norm,,block", "-"}) {
    llvm::Expected<FusionOptions> options = FusionOptions::parse(text);
    ASSERT_FALSE(bool(options)) << text.str();
    EXPECT_EQ(llvm::toString(options.takeError()).find("unknown fusion '"), 0u);
  }
}

TEST(PassSteps, TakesPipelinesApart) {
  auto steps = stepsOf("builtin.module(a{x=1,2 y=\"p,q)\"},func.func(b,c{z=(3,4)}),d)");
  ASSERT_TRUE(bool(steps));
  ASSERT_EQ(steps->size(), 4u);
  EXPECT_EQ((*steps)[0].pass, "a");
  EXPECT_EQ((*steps)[0].pipeline, "builtin.module(a{x=1,2 y=\"p,q)\"})");
  EXPECT_EQ((*steps)[2].pass, "c");
  EXPECT_EQ((*steps)[2].pipeline, "builtin.module(func.func(c{z=(3,4)}))");
  EXPECT_EQ(joinSteps({(*steps)[1], (*steps)[3]}), "builtin.module(func.func(b),d)");
  EXPECT_EQ(stepsOf("a,b")->size(), 2u);
  EXPECT_EQ(stepsOf("")->size(), 0u);
  auto broken = stepsOf("builtin.module(a");
  EXPECT_FALSE(bool(broken));
  llvm::consumeError(broken.takeError());
}

double largestError(const Tensor<float> &expected, const Tensor<float> &actual) {
  EXPECT_EQ(expected.shape, actual.shape);
  double largest = 1e-30, error = 0;
  for (size_t i = 0; i < std::min(expected.data.size(), actual.data.size()); ++i) {
    largest = std::max(largest, std::abs(double(expected.data[i])));
    error = std::max(error, std::abs(double(expected.data[i]) - actual.data[i]));
  }
  return error / largest;
}

class CompiledFusion : public testing::TestWithParam<const char *> {};

// A model with everything in it, compiled with these fusions, computes what the interpreter computes.
TEST_P(CompiledFusion, ComputesTheSame) {
  DialectRegistry registry;
  registerDialects(registry);
  MLIRContext context(registry);
  context.disableMultithreading();
  auto module = parseSourceFile<ModuleOp>(SAMBA_SOURCE_DIR "/test/passes/execute.mlir", &context);
  ASSERT_TRUE(module);
  auto step = module->lookupSymbol<func::FuncOp>("step");
  reference::SeededWeights weights(*module, 7);
  CompiledModule::Options options;
  options.fusion = fusions(GetParam());
  options.fusion.force = true;
  auto compiled = CompiledModule::create(*module, &weights, options);
  ASSERT_TRUE(bool(compiled)) << llvm::toString(compiled.takeError());

  for (llvm::SmallVector<int64_t> lengths : {llvm::SmallVector<int64_t>{1}, {3, 0, 9}, {1, 1, 1, 1}}) {
    auto inputs = reference::seededInputs<float>(step, lengths, 7);
    ASSERT_TRUE(bool(inputs));
    auto expected = reference::Interpreter<float>(*module, &weights).run(step, *inputs);
    auto actual = compiled->run("step", *inputs);
    ASSERT_TRUE(expected && actual);
    ASSERT_EQ(expected->size(), actual->size());
    for (auto [x, y] : llvm::zip(*expected, *actual)) {
      if (auto *tensor = std::get_if<Tensor<float>>(&x)) {
        EXPECT_LT(largestError(*tensor, std::get<Tensor<float>>(y)), 2e-5);
        continue;
      }
      const auto &states = std::get<StateBatch<float>>(x).sequences;
      for (size_t s = 0; s < states.size(); ++s)
        EXPECT_LT(largestError(states[s], std::get<StateBatch<float>>(y).sequences[s]), 2e-5);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Fusions, CompiledFusion,
                         testing::Values("none", "default", "all", "all,-block,-projections", "swiglu"));

} // namespace
