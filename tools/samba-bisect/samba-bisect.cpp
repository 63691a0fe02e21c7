//===- samba-bisect.cpp - finds what broke a model ------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// First the pass: the pipeline is run up to its middle and the results compared with those of the beginning, and so on,
// halving. Then, if the pass rewrites through actions (fusions, pattern rewrites), the first of its rewrites without
// which the results are right.
//
//===----------------------------------------------------------------------===//

#include "frontend/Importer.h"
#include "frontend/families/Families.h"
#include "lowering/cpu/Pipeline.h"
#include "lowering/cpu/Target.h"
#include "mlir/IR/Action.h"
#include "mlir/IR/Remarks.h"
#include "passes/KernelFusion.h"
#include "passes/Pipelines.h"
#include "tools/CommandLine.h"
#include "tools/ModuleFile.h"
#include "tools/Plugins.h"
#include "tools/Registration.h"
#include "tools/check/CheckCommandLine.h"
#include "tools/check/PipelineCheck.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace samba;
namespace cl = llvm::cl;

namespace {

/// Lets the first `limit` rewrites of a pass happen and skips the others.
class RewriteLimit {
public:
  void operator()(llvm::function_ref<void()> transform, const tracing::Action &action) {
    bool isRewrite = isa<FuseAction>(action) || action.getTag() == "apply-pattern";
    if (!counting || !isRewrite)
      return transform();
    if (seen++ >= limit)
      return;
    last.clear();
    llvm::raw_string_ostream stream(last);
    action.print(stream);
    transform();
  }

  bool counting = false;
  int64_t seen = 0, limit = INT64_MAX;
  std::string last; // the last one that happened
};

class Bisection {
public:
  Bisection(MLIRContext &context, ModuleOp module, std::vector<PassStep> steps, const CheckOptions &options)
      : module(module), steps(std::move(steps)), options(options) {
    context.registerActionHandler(
        [this](llvm::function_ref<void()> transform, const tracing::Action &action) { limit(transform, action); });
  }

  llvm::Error run(const WeightSource *weights) {
    auto started = Execution::create(module, options.execution, weights);
    if (!started)
      return started.takeError();
    execution = std::move(*started);
    auto runs = execution->run(module, module);
    if (!runs)
      return llvm::createStringError("the module cannot be executed: " + toString(runs.takeError()));
    reference = std::move(*runs);

    llvm::Expected<bool> bad = isBad(steps.size());
    if (!bad)
      return bad.takeError();
    if (!*bad) {
      llvm::outs() << llvm::formatv("all {0} passes keep the results: {1}\n", steps.size(), verdict);
      return llvm::Error::success();
    }
    // `good` passes are fine, `broken` are not.
    size_t good = 0, broken = steps.size();
    while (broken - good > 1) {
      size_t middle = (good + broken) / 2;
      bad = isBad(middle);
      if (!bad)
        return bad.takeError();
      (*bad ? broken : good) = middle;
    }
    if (llvm::Expected<bool> again = isBad(broken); !again)
      return again.takeError();
    llvm::outs() << llvm::formatv("pass {0} of {1} broke the model: {2}\n  {3}\n  {4}\n", broken, steps.size(),
                                  steps[broken - 1].pass, steps[broken - 1].pipeline, verdict);
    return findRewrite(broken);
  }

private:
  /// Whether the first `count` passes change the results beyond the tolerance.
  llvm::Expected<bool> isBad(size_t count) {
    limit.seen = 0;
    limit.last.clear();
    size_t started = 0;
    auto runLimited = [&](ModuleOp changed, const PassStep &step) {
      limit.counting = ++started == count;
      llvm::Error error = runStep(changed, step);
      limit.counting = false;
      return error;
    };
    auto found = checkPipeline(*execution, reference, module, llvm::ArrayRef(steps).take_front(count), runLimited);
    if (!found)
      return found.takeError();
    verdict = found->text;
    if (found->verdict != Verdict::NotExecutable)
      llvm::errs() << llvm::formatv("{0} passes: {1}\n", count, verdict);
    return found->verdict != Verdict::Same;
  }

  /// Of the last of `count` passes, the first rewrite that breaks the model.
  llvm::Error findRewrite(size_t count) {
    int64_t broken = limit.seen, good = 0;
    if (broken == 0) {
      llvm::outs() << "  (it makes no rewrites that could be skipped one by one)\n";
      return llvm::Error::success();
    }
    limit.limit = 0;
    llvm::Expected<bool> bad = isBad(count);
    if (!bad)
      return bad.takeError();
    if (*bad) {
      llvm::outs() << "  (it breaks the model without any of its rewrites)\n";
      return llvm::Error::success();
    }
    while (broken - good > 1) {
      limit.limit = (good + broken) / 2;
      bad = isBad(count);
      if (!bad)
        return bad.takeError();
      (*bad ? broken : good) = limit.limit;
    }
    limit.limit = broken;
    if (bad = isBad(count); !bad)
      return bad.takeError();
    llvm::outs() << llvm::formatv("rewrite {0} of the pass: {1}\n", broken, limit.last);
    return llvm::Error::success();
  }

  ModuleOp module;
  std::vector<PassStep> steps;
  CheckOptions options;
  RewriteLimit limit;
  std::unique_ptr<Execution> execution;
  std::vector<FunctionRun> reference;
  std::string verdict;
};

llvm::Expected<OwningOpRef<ModuleOp>> importDirectory(MLIRContext &context, llvm::StringRef path,
                                                      std::unique_ptr<Checkpoint> &checkpoint) {
  llvm::Expected<std::unique_ptr<Checkpoint>> opened = Checkpoint::open(path, "");
  if (!opened)
    return opened.takeError();
  checkpoint = std::move(*opened);
  llvm::Expected<ModelDescription> model = describeModel(*checkpoint);
  if (!model)
    return model.takeError();
  return importModel(context, *model, *checkpoint);
}

/// What samba-compile runs with this list of fusions.
llvm::Expected<std::vector<PassStep>> compilerSteps(MLIRContext &context, llvm::StringRef fusion,
                                                    llvm::StringRef target) {
  llvm::Expected<FusionOptions> options = FusionOptions::parse(fusion);
  if (!options)
    return options.takeError();
  llvm::Expected<CpuTarget> cpu = CpuTarget::get(target);
  if (!cpu)
    return cpu.takeError();
  PassManager pm(&context);
  buildFusePipeline(pm, *options);
  buildSchedulePipeline(pm, cpu->panelWidth);
  buildCpuLoweringPipeline(pm, target);
  return stepsOf(pm);
}

struct CommandLine {
  cl::opt<std::string> input{cl::Positional, cl::Required, cl::desc("FILE.mlir or MODEL_DIR")};
  cl::opt<std::string> pipeline{"pass-pipeline", cl::desc("Passes (default: those of samba-compile)")};
  cl::alias pipelineAlias{"pipeline", cl::aliasopt(pipeline), cl::desc("The same")};
  cl::opt<std::string> fusion{"fusion", cl::desc("Fusions of the default pipeline, as for samba-compile"),
                              cl::init("default")};
  cl::list<std::string> passPlugins{"load-pass-plugin", cl::desc("Plugin with passes"), cl::value_desc("file.so")};
  cl::list<std::string> dialectPlugins{"load-dialect-plugin", cl::desc("Plugin with dialects"),
                                       cl::value_desc("file.so")};
  CheckCommandLine check;
};

llvm::Error bisect(CommandLine &line, const CheckOptions &options) {
  DialectRegistry registry;
  registerDialects(registry);
  if (llvm::Error error = Plugins{line.passPlugins, line.dialectPlugins}.load(registry))
    return error;
  MLIRContext context(registry);
  context.disableMultithreading();
  const std::string &input = line.input, &pipeline = line.pipeline;
  std::unique_ptr<Checkpoint> checkpoint;
  OwningOpRef<ModuleOp> module;
  if (llvm::sys::fs::is_directory(input)) {
    llvm::Expected<OwningOpRef<ModuleOp>> imported = importDirectory(context, input, checkpoint);
    if (!imported)
      return imported.takeError();
    module = std::move(*imported);
  } else {
    llvm::Expected<OwningOpRef<ModuleOp>> read = readModuleFile(context, input);
    if (!read)
      return read.takeError();
    module = std::move(*read);
  }
  llvm::Expected<std::vector<PassStep>> steps =
      pipeline.empty() ? compilerSteps(context, line.fusion, options.execution.target) : stepsOf(pipeline);
  if (!steps)
    return steps.takeError();
  return Bisection(context, *module, std::move(*steps), options).run(checkpoint.get());
}

} // namespace

static int fail(llvm::Error error, int code) {
  llvm::errs() << "samba-bisect: error: " << toString(std::move(error)) << "\n";
  return code;
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  registerPasses();
  registerCpuPipelines();
  CommandLine line;
  if (llvm::Error error =
          readCommandLine(argc, argv, "samba-bisect: finds the pass, and the rewrite, that broke a model\n"))
    return fail(std::move(error), 2);
  llvm::Expected<CheckOptions> options = line.check.read(argc, argv);
  if (!options)
    return fail(options.takeError(), 2);
  if (llvm::Error error = bisect(line, *options))
    return fail(std::move(error), 1);
  return 0;
}
