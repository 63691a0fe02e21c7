//===- samba-fuzz.cpp - random models through random passes ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each case: a random model, a random batch, a random pipeline of fusions and layouts. The interpreter must compute the
// same before and after, and compiled code nearly the same. A case is known by its seed.
//
//===----------------------------------------------------------------------===//

#include "dialect/interpreter/Seeded.h"
#include "lowering/cpu/Pipeline.h"
#include "lowering/cpu/Target.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Pass/PassRegistry.h"
#include "passes/Fusions.h"
#include "passes/Pipelines.h"
#include "tools/Registration.h"
#include "tools/check/Compare.h"
#include "tools/check/PassChecker.h"
#include "tools/samba-fuzz/RandomModule.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"
#include <chrono>

using namespace mlir;
using namespace samba;
namespace cl = llvm::cl;

namespace {

cl::opt<uint64_t> firstSeed("seed", cl::desc("Seed of the first case"), cl::init(0));
cl::opt<uint64_t> count("count", cl::desc("Number of cases"), cl::init(100));
cl::opt<double> seconds("seconds", cl::desc("Stop after this time"), cl::init(1e9));
cl::opt<uint64_t> compileEvery("compile-every", cl::desc("Also compile every n-th case; 0: none"), cl::init(10));
cl::opt<bool> printCase("print", cl::desc("Print the module and the pipeline of each case"));

struct Case {
  OwningOpRef<ModuleOp> module;
  llvm::SmallVector<int64_t> lengths;
  std::vector<PassStep> steps;
};

/// Any order of any fusions, several times each, and then layouts.
std::string randomPipeline(reference::Random &random) {
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

Case makeCase(MLIRContext &context, uint64_t seed) {
  reference::Random random(seed * 0x9e3779b97f4a7c15 + 1);
  Case result;
  result.module = randomModule(context, random);
  for (int64_t i = 0, sequences = 1 + random.below(4); i < sequences; ++i)
    result.lengths.push_back(random.below(3) == 0 ? random.below(9) : random.below(2));
  if (llvm::all_of(result.lengths, [](int64_t length) { return length == 0; }))
    result.lengths.front() = 1;
  result.steps = llvm::cantFail(stepsOf(randomPipeline(random)));
  return result;
}

/// Compiled code of the module as the case's passes leave it, on top of the layouts of this machine.
llvm::Error runCompiled(const Execution &execution, ModuleOp module, std::vector<FunctionRun> &runs) {
  llvm::Expected<CpuTarget> target = CpuTarget::get("native");
  if (!target)
    return target.takeError();
  PassManager planning(module.getContext());
  buildSchedulePipeline(planning, target->panelWidth);
  for (const PassStep &step : stepsOf(planning))
    if (llvm::Error error = runStep(module, step))
      return error;
  OwningOpRef<ModuleOp> lowered = module.clone();
  PassManager lowering(module.getContext());
  buildCpuKernelPipeline(lowering, "native");
  for (const PassStep &step : stepsOf(lowering))
    if (llvm::Error error = runStep(*lowered, step))
      return error;
  llvm::Expected<std::vector<FunctionRun>> result = execution.run(*lowered, module);
  if (!result)
    return result.takeError();
  runs = std::move(*result);
  return llvm::Error::success();
}

llvm::Error runCase(MLIRContext &context, uint64_t seed, bool compile) {
  Case test = makeCase(context, seed);
  if (printCase) {
    llvm::outs() << "// " << joinSteps(test.steps) << "\n";
    test.module->print(llvm::outs());
    llvm::outs().flush();
  }
  if (failed(verify(*test.module)))
    return llvm::createStringError("the random module does not verify");
  ExecutionOptions options;
  options.lengths = test.lengths;
  options.seed = seed;
  auto execution = Execution::create(*test.module, options);
  if (!execution)
    return execution.takeError();
  auto before = (*execution)->run(*test.module, *test.module);
  if (!before)
    return before.takeError();
  for (const PassStep &step : test.steps) {
    if (llvm::Error error = runStep(*test.module, step))
      return error;
    auto after = (*execution)->run(*test.module, *test.module);
    if (!after)
      return llvm::createStringError("after " + step.pipeline + ": " + toString(after.takeError()));
    if (std::string where = firstExceeding(*before, *after, 1e-9); !where.empty())
      return llvm::createStringError(step.pipeline + " changes '" + where + "'");
  }
  if (!compile)
    return llvm::Error::success();
  std::vector<FunctionRun> compiled;
  if (llvm::Error error = runCompiled(**execution, *test.module, compiled))
    return error;
  // Sums of a few f32 numbers of both signs, several layers deep.
  if (std::string where = firstExceeding(*before, compiled, 1e-3); !where.empty())
    return llvm::createStringError("compiled code differs at '" + where + "'");
  return llvm::Error::success();
}

} // namespace

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  cl::ParseCommandLineOptions(argc, argv, "samba-fuzz: random models through random passes\n");
  registerPasses();
  registerCpuPipelines();
  DialectRegistry registry;
  registerDialects(registry);
  auto start = std::chrono::steady_clock::now();
  uint64_t done = 0, compiled = 0;
  for (; done < count; ++done) {
    if (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() > seconds)
      break;
    MLIRContext context(registry, MLIRContext::Threading::DISABLED);
    uint64_t seed = firstSeed + done;
    bool compile = compileEvery && done % compileEvery == 0;
    compiled += compile;
    if (llvm::Error error = runCase(context, seed, compile)) {
      llvm::errs() << "samba-fuzz: seed " << seed << ": " << toString(std::move(error))
                   << "\nsee it with: samba-fuzz --seed=" << seed << " --count=1 --compile-every=" << (compile ? 1 : 0)
                   << " --print\n";
      return 1;
    }
  }
  llvm::outs() << llvm::formatv("{0} cases, {1} of them compiled, all the same\n", done, compiled);
  return 0;
}
