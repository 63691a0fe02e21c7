//===- PairsTest.cpp - tests of fusions two by two ------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every two fusions are compatible, each of them on or off: a trained model computes what it computes without any. The
// interpreter runs each pair alone, and all others without it. Compiled code runs lists that have every pair in all
// four states. Of the golden models the first does all that by default, the others no fusion, all, and those lists in
// the interpreter; a slow test interprets each pair of each, and compiles those of the first.
//
//===----------------------------------------------------------------------===//

#include "frontend/Importer.h"
#include "frontend/families/Families.h"
#include "lowering/cpu/Pipeline.h"
#include "lowering/cpu/Target.h"
#include "mlir/Pass/PassManager.h"
#include "passes/Pipelines.h"
#include "tools/Registration.h"
#include "tools/check/Compare.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "gtest/gtest.h"
#include <algorithm>

using namespace mlir;
using namespace samba;

namespace {

using Names = std::vector<std::string>;

/// Of f64 in the interpreter: fusions reorder nothing, they only move.
constexpr double kInterpreted = 1e-12;
/// Of f32 code, relative to the largest value: an epilogue rounds once less than a loop of its own. Measured: less than
/// 1e-6 with few layers, 1.2e-6 behind the eleventh of tiny-phi4flash.
constexpr double kCompiled = 2e-6;

Names allNames() {
  Names names;
  for (const Fusion &fusion : allFusions())
    names.push_back(fusion.name.str());
  return names;
}

FusionOptions forced(Names names) {
  FusionOptions options;
  options.names = std::move(names);
  options.force = true;
  return options;
}

std::string text(const Names &names) { return names.empty() ? "none" : llvm::join(names, ","); }

/// Columns of a covering array of strength two: all sets of three out of five rows are different, two of them have a
/// common row, and each has a row that the other has not. The row without any fusion is the sixth.
std::vector<Names> coveringLists() {
  std::vector<Names> rows(5);
  Names names = allNames();
  size_t column = 0;
  for (int a = 0; a < 5; ++a)
    for (int b = a + 1; b < 5; ++b)
      for (int c = b + 1; c < 5; ++c, ++column)
        if (column < names.size())
          for (int row : {a, b, c})
            rows[row].push_back(names[column]);
  return rows;
}

class Pairs : public testing::Test {
protected:
  void SetUp() override { open("test/goldens/tiny-a"); }

  void open(std::string folder) {
    registerDialects(registry);
    context = std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
    folder = SAMBA_SOURCE_DIR "/" + folder;
    bool inBf16 = !llvm::sys::fs::exists(folder + "/model.safetensors"); // it has no other
    auto opened = Checkpoint::open(folder, inBf16 ? "model-bf16.safetensors" : "");
    ASSERT_TRUE(bool(opened)) << toString(opened.takeError());
    checkpoint = std::move(*opened);
    auto model = describeModel(*checkpoint);
    ASSERT_TRUE(bool(model)) << toString(model.takeError());
    ImportOptions import;
    import.context = 64; // of full attention, whose state is as large
    auto imported = importModel(*context, *model, *checkpoint, import);
    ASSERT_TRUE(bool(imported)) << toString(imported.takeError());
    module = std::move(*imported);
    ExecutionOptions options;
    options.lengths = {5, 0, 1, 2};
    options.seed = 3;
    auto created = Execution::create(*module, options, checkpoint.get());
    ASSERT_TRUE(bool(created)) << toString(created.takeError());
    execution = std::move(*created);
  }

  OwningOpRef<ModuleOp> fused(const Names &names) {
    OwningOpRef<ModuleOp> copy = module->clone();
    PassManager pm(context.get());
    buildFusePipeline(pm, forced(names));
    EXPECT_TRUE(succeeded(pm.run(*copy))) << text(names);
    return copy;
  }

  std::vector<FunctionRun> run(ModuleOp form, ModuleOp planned) {
    auto runs = execution->run(form, planned);
    EXPECT_TRUE(bool(runs)) << toString(runs.takeError());
    return runs ? std::move(*runs) : std::vector<FunctionRun>();
  }

  std::vector<FunctionRun> interpreted(const Names &names) {
    OwningOpRef<ModuleOp> copy = fused(names);
    return run(*copy, *copy);
  }

  std::vector<FunctionRun> compiled(const Names &names) {
    OwningOpRef<ModuleOp> planned = fused(names);
    PassManager planning(context.get()), lowering(context.get());
    buildSchedulePipeline(planning, llvm::cantFail(CpuTarget::get("native")).panelWidth);
    EXPECT_TRUE(succeeded(planning.run(*planned))) << text(names);
    OwningOpRef<ModuleOp> lowered = planned->clone();
    buildCpuKernelPipeline(lowering, "native");
    EXPECT_TRUE(succeeded(lowering.run(*lowered))) << text(names);
    return run(*lowered, *planned);
  }

  /// The most likely token of each row of logits.
  static std::vector<size_t> tokens(const std::vector<FunctionRun> &runs) {
    const auto &logits = std::get<reference::Tensor<double>>(runs.front().results.front());
    std::vector<size_t> best;
    for (int64_t row = 0; row < logits.shape[0]; ++row) {
      auto begin = logits.data.begin() + row * logits.shape[1];
      best.push_back(std::max_element(begin, begin + logits.shape[1]) - begin);
    }
    return best;
  }

  static void expectSame(const std::vector<FunctionRun> &expected, const std::vector<FunctionRun> &actual,
                         double tolerance, const Names &names) {
    ASSERT_FALSE(actual.empty());
    ASSERT_FALSE(tokens(expected).empty());
    EXPECT_EQ(tokens(expected), tokens(actual)) << text(names);
    EXPECT_EQ(firstExceeding(expected, actual, tolerance), "") << text(names);
  }

  DialectRegistry registry;
  std::unique_ptr<MLIRContext> context;
  std::unique_ptr<Checkpoint> checkpoint;
  OwningOpRef<ModuleOp> module;
  std::unique_ptr<Execution> execution;
};

/// All pairs, each fusion with itself: that is one fusion alone.
template <class Body> void forEachPair(Body body) {
  Names names = allNames();
  for (size_t i = 0; i < names.size(); ++i)
    for (size_t j = i; j < names.size(); ++j)
      body(i == j ? Names{names[i]} : Names{names[i], names[j]});
}

TEST_F(Pairs, Interpreted) {
  auto none = interpreted({});
  int lists = 0;
  forEachPair([&](const Names &pair) {
    expectSame(none, interpreted(pair), kInterpreted, pair);
    Names others = allNames();
    llvm::erase_if(others, [&](const std::string &name) { return llvm::is_contained(pair, name); });
    expectSame(none, interpreted(others), kInterpreted, others);
    lists += 2;
  });
  EXPECT_EQ(lists, 110); // 45 pairs and 10 alone, and what is left of all without them
}

TEST_F(Pairs, CoveringListsHaveEveryPairInAllStates) {
  std::vector<Names> lists = coveringLists();
  lists.push_back({});
  Names names = allNames();
  for (size_t i = 0; i < names.size(); ++i)
    for (size_t j = i + 1; j < names.size(); ++j)
      for (bool first : {false, true})
        for (bool second : {false, true})
          EXPECT_TRUE(llvm::any_of(lists,
                                   [&](const Names &list) {
                                     return llvm::is_contained(list, names[i]) == first &&
                                            llvm::is_contained(list, names[j]) == second;
                                   }))
              << names[i] << " " << first << ", " << names[j] << " " << second;
}

TEST_F(Pairs, Compiled) {
  auto none = compiled({});
  expectSame(interpreted({}), none, 2e-5, {});
  for (const Names &list : coveringLists())
    expectSame(none, compiled(list), kCompiled, list);
}

class PairsOfModel : public Pairs, public testing::WithParamInterface<const char *> {
protected:
  void SetUp() override { open(GetParam()); }
};

TEST_P(PairsOfModel, Interpreted) {
  auto none = interpreted({});
  expectSame(none, interpreted(allNames()), kInterpreted, allNames());
  for (const Names &list : coveringLists())
    expectSame(none, interpreted(list), kInterpreted, list);
}

// The slow ones take minutes each: test/passes/fusion-pairs-slow.test runs them.
TEST_P(PairsOfModel, DISABLED_InterpretedEach) {
  auto none = interpreted({});
  forEachPair([&](const Names &pair) { expectSame(none, interpreted(pair), kInterpreted, pair); });
}

TEST_P(PairsOfModel, DISABLED_CompiledEach) {
  auto none = compiled({});
  expectSame(none, compiled(allNames()), kCompiled, allNames());
  forEachPair([&](const Names &pair) { expectSame(none, compiled(pair), kCompiled, pair); });
}

INSTANTIATE_TEST_SUITE_P(Goldens, PairsOfModel,
                         testing::Values("test/goldens/tiny-a", "test/goldens/tiny-b", "test/goldens/tiny-c",
                                         "test/goldens/tiny-d", "test/goldens/tiny-mamba",
                                         "test/goldens/tiny-mamba-ssm", "test/goldens/tiny-falcon-mamba",
                                         "test/goldens/tiny-mistral", "test/goldens/tiny-llama",
                                         "test/goldens/tiny-qwen2", "test/goldens/tiny-jamba",
                                         "test/goldens/tiny-phi4flash", "test/goldens/wide-phi4flash",
                                         "models/samba-tiny"),
                         [](const auto &info) {
                           std::string name = llvm::StringRef(info.param).rsplit('/').second.str();
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

} // namespace
