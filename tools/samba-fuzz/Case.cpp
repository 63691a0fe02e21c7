//===- Case.cpp - one random model and its pipelines ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-fuzz/Case.h"

#include "dialect/interpreter/Seeded.h"
#include "lowering/cpu/Pipeline.h"
#include "lowering/cpu/Target.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "passes/Fusions.h"
#include "passes/Passes.h"
#include "passes/Pipelines.h"
#include "tools/check/Compare.h"
#include "tools/check/PassChecker.h"
#include "tools/samba-fuzz/RandomModule.h"
#include "llvm/Support/FormatVariadic.h"

using namespace mlir;
using namespace samba;

/// Any order of any fusions, several times each, and then layouts.
static std::string randomPipeline(reference::Random &random) {
  std::string text = "builtin.module(";
  if (random.below(2))
    text += "samba-fuse-projections,";
  text += "func.func(samba-form-kernels";
  for (int64_t i = 0, length = random.below(6); i < length; ++i) {
    const Fusion &fusion = allFusions()[1 + random.below(allFusions().size() - 1)];
    bool force = random.below(2);
    text += llvm::formatv(",samba-fuse-{0}{{force={1} tokens={2}{3}}", fusion.name, force ? "true" : "false",
                          1 + random.below(20), fusion.name == "rotary" && random.below(2) ? " into=projection" : "");
  }
  text += ")";
  if (random.below(2))
    text += llvm::formatv(",samba-pack-weights{{panel-width={0}}", 1 + random.below(40));
  return text + ")";
}

static llvm::Error runPasses(ModuleOp module, llvm::function_ref<LogicalResult(PassManager &)> build) {
  PassManager pm(module.getContext());
  if (failed(build(pm)) || failed(pm.run(module)))
    return llvm::createStringError("a pass failed");
  return llvm::Error::success();
}

int64_t Case::functions() const {
  auto range = module.get().getOps<func::FuncOp>();
  return std::distance(range.begin(), range.end());
}

/// A type that all heads of the module can be kept in.
static std::string randomKv(ModuleOp module, reference::Random random) {
  static constexpr llvm::StringLiteral kTypes[] = {"f32", "f32", "bf16", "int8"};
  std::string type = kTypes[random.below(std::size(kTypes))].str();
  module.walk([&](SlidingWindowAttentionOp attention) {
    bool shared = attention.getValueDim() != attention.getHeadDim();
    if (type == "int8" && (shared || !QuantAttr::isGroup(attention.getHeadDim())))
      type = "bf16";
  });
  return type;
}

llvm::Expected<Case> samba::makeCase(MLIRContext &context, uint64_t seed, int64_t pipelines) {
  static constexpr llvm::StringLiteral kPrecisions[] = {"f32", "f32", "f32", "bf16", "bf16 rounded", "int8", "int4"};
  reference::Random random(seed * 0x9e3779b97f4a7c15 + 1);
  Case result;
  result.precision = kPrecisions[random.below(std::size(kPrecisions))].str();
  llvm::StringRef type = llvm::StringRef(result.precision).split(' ').first;
  bool rounded = type.size() != result.precision.size(), quantised = type.starts_with("int");
  result.module = randomModule(context, random, quantised);
  result.execution.lengths.clear();
  for (int64_t i = 0, sequences = 1 + random.below(4); i < sequences; ++i)
    result.execution.lengths.push_back(random.below(3) == 0 ? random.below(9) : random.below(2));
  if (llvm::all_of(result.execution.lengths, [](int64_t length) { return length == 0; }))
    result.execution.lengths.front() = 1;
  result.execution.seed = seed;
  result.execution.selected = std::array{reference::SelectedRows::Last, reference::SelectedRows::All,
                                         reference::SelectedRows::Any}[random.below(3)];
  if (failed(verify(*result.module)))
    return llvm::createStringError("the random module does not verify");
  int64_t group = random.below(2) ? 64 : 32;
  result.kv = randomKv(*result.module, random);
  if (llvm::Error error = runPasses(*result.module, [&](PassManager &pm) {
        pm.addPass(createSambaSetPrecision({type.str(), group, rounded}));
        pm.addPass(createSambaQuantizeKv({result.kv}));
        return success();
      }))
    return std::move(error);
  for (int64_t i = 0; i < pipelines; ++i)
    result.pipelines.push_back(randomPipeline(random));
  return std::move(result);
}

/// Runs the passes one by one to find the one that changes what the module computes.
static llvm::Error blame(const Case &test, const Execution &execution, llvm::ArrayRef<FunctionRun> before,
                         llvm::StringRef pipeline) {
  OwningOpRef<ModuleOp> module = test.module.get().clone();
  for (const PassStep &step : llvm::cantFail(stepsOf(pipeline))) {
    if (llvm::Error error = runStep(*module, step))
      return error;
    auto after = execution.run(*module, *module);
    if (!after)
      return llvm::createStringError("after " + step.pipeline + ": " + toString(after.takeError()));
    if (std::string where = firstExceeding(before, *after, 1e-9); !where.empty())
      return llvm::createStringError(step.pipeline + " changes '" + where + "'");
  }
  return llvm::createStringError(pipeline + " changes the results, but not pass by pass");
}

/// Code of the module as a pipeline leaves it, on top of the layouts of this machine.
static llvm::Error lowerAndRun(const Case &test, const Execution &execution, llvm::ArrayRef<FunctionRun> before,
                               ModuleOp module, bool compile) {
  llvm::Expected<CpuTarget> target = CpuTarget::get("native");
  if (!target)
    return target.takeError();
  auto plan = [&](PassManager &pm) {
    buildSchedulePipeline(pm, target->panelWidth);
    return success();
  };
  if (llvm::Error error = runPasses(module, plan))
    return error;
  OwningOpRef<ModuleOp> lowered = module.clone();
  auto lower = [](PassManager &pm) {
    buildCpuKernelPipeline(pm, "native");
    return success();
  };
  if (llvm::Error error = runPasses(*lowered, lower))
    return error;
  if (!compile)
    return llvm::Error::success();
  llvm::Expected<std::vector<FunctionRun>> runs = execution.run(*lowered, module);
  if (!runs)
    return runs.takeError();
  // Scans multiply what they are given, and a chain of them may leave the range of f32, which f64 does not.
  if (llvm::any_of(compareResults(before, before), [](const Difference &d) { return !(d.largest < 1e30); }))
    return llvm::Error::success();
  // Sums of a few f32 numbers of both signs, several layers deep. Where values are rounded, a difference in the last
  // place of f32 can become one of bf16 or of an integer.
  bool rounds = (test.precision != "f32" && test.precision != "bf16") || test.kv != "f32";
  double tolerance = rounds ? 0.1 : 1e-3;
  if (std::string where = firstExceeding(before, *runs, tolerance); !where.empty())
    return llvm::createStringError("compiled code differs at '" + where + "'");
  return llvm::Error::success();
}

llvm::Error samba::runCase(const Case &test, Depth depth, llvm::function_ref<void(ModuleOp)> visit) {
  visit(test.module.get());
  auto execution = Execution::create(test.module.get(), test.execution);
  if (!execution)
    return execution.takeError();
  auto before = (*execution)->run(test.module.get(), test.module.get());
  if (!before)
    return before.takeError();
  OwningOpRef<ModuleOp> module;
  for (const std::string &pipeline : test.pipelines) {
    module = test.module.get().clone();
    llvm::StringRef inner = llvm::StringRef(pipeline).drop_front(strlen("builtin.module(")).drop_back();
    llvm::Error error = runPasses(*module, [&](PassManager &pm) { return parsePassPipeline(inner, pm); });
    if (error)
      return llvm::createStringError(pipeline + ": " + toString(std::move(error)));
    visit(*module);
    auto after = (*execution)->run(*module, *module);
    if (!after || !firstExceeding(*before, *after, 1e-9).empty()) {
      llvm::consumeError(after.takeError());
      return blame(test, **execution, *before, pipeline);
    }
  }
  if (depth == Depth::Interpret)
    return llvm::Error::success();
  return lowerAndRun(test, **execution, *before, *module, depth == Depth::Compile);
}
