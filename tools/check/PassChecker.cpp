//===- PassChecker.cpp - executes a module after every pass ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/check/PassChecker.h"

#include "dialect/Samba.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/OperationSupport.h"
#include "mlir/Pass/PassRegistry.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Path.h"
#include <chrono>

using namespace mlir;
using namespace samba;

namespace {

/// The element types of all weights, and how often values are rounded: what decides how exact a module is.
std::string numberFormats(ModuleOp module) {
  std::string formats;
  llvm::raw_string_ostream stream(formats);
  for (auto weight : module.getOps<WeightOp>())
    stream << (weight.getTensorType().getElementType().isF32() ? "" : "n");
  module.walk([&](Operation *op) {
    if (isa<QuantizeRowsOp>(op) || (isa<arith::TruncFOp>(op) && isa<RankedTensorType>(op->getResult(0).getType())))
      stream << "r";
  });
  return formats;
}

llvm::Error writeText(const llvm::Twine &path, llvm::StringRef text) {
  std::error_code code;
  llvm::raw_fd_ostream file(path.str(), code);
  if (!code) {
    file << text;
    file.close();
    code = file.error();
    file.clear_error();
  }
  return code ? llvm::createStringError("cannot write '" + path.str() + "': " + code.message())
              : llvm::Error::success();
}

std::string textOf(ModuleOp module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  OpPrintingFlags flags;
  flags.enableDebugInfo(true, /*prettyForm=*/false);
  module.print(stream, flags);
  return text + "\n";
}

} // namespace

llvm::Expected<CheckOptions> CheckOptions::parse(llvm::StringRef arithmetic) {
  CheckOptions options;
  if (arithmetic != "" && arithmetic != "f64" && arithmetic != "f32")
    return llvm::createStringError("expected f32 or f64, got '" + arithmetic + "'");
  options.execution.f64 = arithmetic != "f32";
  return options;
}

llvm::Error samba::runStep(ModuleOp module, const PassStep &step) {
  PassManager pm(module.getContext());
  std::string messages;
  llvm::raw_string_ostream stream(messages);
  llvm::StringRef inner = llvm::StringRef(step.pipeline).drop_front(strlen("builtin.module(")).drop_back();
  if (failed(parsePassPipeline(inner, pm, stream)))
    return llvm::createStringError("pass " + step.pass + ": " + llvm::StringRef(messages).split('\n').first);
  if (failed(pm.run(module)))
    return llvm::createStringError("pass " + step.pass + " failed");
  return llvm::Error::success();
}

llvm::Expected<std::unique_ptr<PassChecker>> PassChecker::create(ModuleOp module, const CheckOptions &options,
                                                                 const WeightSource *weights) {
  if (formOf(module) != ModuleForm::Samba)
    return llvm::createStringError("check: expected samba IR with a public function at the beginning");
  auto checker = std::unique_ptr<PassChecker>(new PassChecker(options));
  llvm::Expected<std::unique_ptr<Execution>> execution = Execution::create(module, options.execution, weights);
  if (!execution)
    return execution.takeError();
  checker->execution = std::move(*execution);
  llvm::Expected<std::vector<FunctionRun>> state = checker->execution->run(module, module);
  if (!state)
    return llvm::createStringError("check: the module cannot be executed: " + toString(state.takeError()));
  checker->state = std::move(*state);
  checker->lastSamba = module.clone();
  return checker;
}

// In f64 a rewrite that keeps the meaning keeps almost every digit. Compiled code sums f32 in another order. Narrow
// formats round what they hold, on both sides of a difference in the last place of f32.
double PassChecker::tolerance(bool formatsChanged, bool narrow, bool compiled) const {
  if (formatsChanged)
    return 0.1;
  if (compiled)
    return narrow ? 0.05 : 2e-4;
  return options.execution.f64 ? (narrow ? 1e-3 : 1e-9) : (narrow ? 0.05 : 2e-5);
}

llvm::Error PassChecker::run(ModuleOp module, llvm::ArrayRef<PassStep> steps) {
  for (const PassStep &step : steps)
    if (llvm::Error error = run(module, step))
      return error;
  return llvm::Error::success();
}

llvm::Error PassChecker::run(ModuleOp module, const PassStep &step) {
  OperationFingerPrint fingerprint(module);
  OwningOpRef<ModuleOp> before = module.clone();
  bool wasSamba = formOf(module) == ModuleForm::Samba;
  std::string formats = numberFormats(module);
  if (llvm::Error error = runStep(module, step))
    return error;
  sinceSamba.push_back(step);
  if (OperationFingerPrint(module) == fingerprint) {
    llvm::errs() << llvm::formatv("check: {0,-32} unchanged\n", step.pass);
    return llvm::Error::success();
  }

  bool isSamba = formOf(module) == ModuleForm::Samba;
  bool formatsChanged = wasSamba && isSamba && numberFormats(module) != formats;
  bool narrow = !numberFormats(*lastSamba).empty();
  auto start = std::chrono::steady_clock::now();
  llvm::Expected<std::vector<FunctionRun>> after = execution->run(module, *lastSamba);
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::string problem;
  if (!after) {
    problem = "the module cannot be executed any more: " + toString(after.takeError());
  } else {
    double allowed = tolerance(formatsChanged, narrow, !isSamba);
    std::vector<Difference> differences = compareResults(state, *after);
    report(step, differences, allowed, seconds);
    if (std::string where = firstExceeding(state, *after, allowed); !where.empty())
      problem = "the results differ, first at '" + where + "'";
  }
  if (!problem.empty()) {
    llvm::Expected<std::string> folder = writeReproducer(*before, module, step);
    std::string place = folder ? "reproducer in " + *folder : toString(folder.takeError());
    return llvm::createStringError("check: pass " + step.pass + " broke the model: " + problem + "; " + place);
  }
  if (isSamba) {
    lastSamba = module.clone();
    sinceSamba.clear();
  }
  state = std::move(*after);
  return llvm::Error::success();
}

void PassChecker::report(const PassStep &step, llvm::ArrayRef<Difference> differences, double tolerance,
                         double seconds) const {
  double absolute = 0, ulps = 0;
  for (const Difference &difference : differences) {
    absolute = std::max(absolute, difference.absolute);
    ulps = std::max(ulps, difference.ulps);
  }
  bool equal = llvm::all_of(differences, [](const Difference &difference) { return difference.isZero(); });
  llvm::errs() << llvm::formatv("check: {0,-32} changed, ", step.pass);
  if (equal)
    llvm::errs() << "the same to the last bit";
  else
    llvm::errs() << llvm::formatv("largest error {0:e1}, {1:f1} ulp", absolute, ulps);
  llvm::errs() << llvm::formatv(", {0:f2} s\n", seconds);
  for (const Difference &difference : differences)
    if (!difference.shape.empty())
      llvm::errs() << "  " << difference.output << ": " << difference.shape << "\n";
    else if (difference.absolute > 0)
      llvm::errs() << llvm::formatv("  {0,-30} {1:e1}, {2:f1} ulp, of values up to {3:e1}{4}\n", difference.output,
                                    difference.absolute, difference.ulps, difference.largest,
                                    difference.exceeds(tolerance) ? "  <-- beyond tolerance" : "");
}

llvm::Expected<std::string> PassChecker::writeReproducer(ModuleOp before, ModuleOp after, const PassStep &step) const {
  llvm::SmallString<128> folder(options.folder);
  llvm::sys::path::append(folder, "samba-miscompile-" + step.pass);
  if (std::error_code code = llvm::sys::fs::create_directories(folder))
    return llvm::createStringError("cannot create '" + folder.str() + "': " + code.message());
  auto file = [&](llvm::StringRef name) {
    llvm::SmallString<128> path(folder);
    llvm::sys::path::append(path, name);
    return std::string(path);
  };
  // Lowered code cannot be executed without the samba IR that it comes from.
  bool samba = formOf(before) == ModuleForm::Samba;
  std::string pipeline = samba ? step.pipeline : joinSteps(sinceSamba);
  std::string lengths;
  for (int64_t length : options.execution.lengths)
    lengths += (lengths.empty() ? "" : ",") + std::to_string(length);
  std::vector<std::string> arguments;
  for (llvm::StringRef plugin : llvm::split(llvm::StringRef(options.plugins).trim(), ' '))
    if (!plugin.empty())
      arguments.push_back(plugin.str());
  arguments.push_back("--pass-pipeline=" + pipeline);
  arguments.push_back(std::string("--check-each-pass=") + (options.execution.f64 ? "f64" : "f32"));
  arguments.push_back("--check-seed=" + std::to_string(options.execution.seed));
  arguments.push_back("--check-segments=" + lengths);
  if (!options.weightsFile.empty())
    arguments.push_back("--check-weights=" + options.weightsFile);
  // For a shell, and, quoted otherwise, for tools that read options from a file.
  std::string command = "#!/bin/sh\n# Shows the miscompile again: " + step.pass +
                        " is the pass. Inputs and weights are made from the seed.\ncd \"$(dirname \"$0\")\"\n"
                        "exec samba-opt before.mlir",
              list;
  for (const std::string &argument : arguments) {
    llvm::StringRef text = argument;
    bool plain = text.find_first_of(" (){}") == llvm::StringRef::npos;
    command += plain ? " " + argument : " " + text.split('=').first.str() + "='" + text.split('=').second.str() + "'";
    list += "\"";
    for (char c : argument)
      list += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    list += "\"\n";
  }
  command += " -o /dev/null\n";
  if (llvm::Error error = writeText(file("options"), list))
    return std::move(error);
  if (llvm::Error error = writeText(file("before.mlir"), textOf(samba ? before : *lastSamba)))
    return std::move(error);
  if (llvm::Error error = writeText(file("after.mlir"), textOf(after)))
    return std::move(error);
  if (llvm::Error error = writeText(file("reproduce.sh"), command))
    return std::move(error);
  for (const FunctionRun &run : state)
    if (llvm::Error error = execution->writeInputs(run.function, file("inputs." + run.function + ".safetensors")))
      return std::move(error);
  (void)llvm::sys::fs::setPermissions(file("reproduce.sh"),
                                      llvm::sys::fs::all_read | llvm::sys::fs::all_exe | llvm::sys::fs::owner_write);
  return std::string(folder);
}

//===----------------------------------------------------------------------===//
// As a pass
//===----------------------------------------------------------------------===//

namespace {

class CheckedPipeline : public PassWrapper<CheckedPipeline, OperationPass<ModuleOp>> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(CheckedPipeline)

  CheckedPipeline(std::vector<PassStep> steps, CheckOptions options)
      : steps(std::move(steps)), options(std::move(options)) {}

  llvm::StringRef getName() const override { return "CheckedPipeline"; }

  // The lowering completes in the checker, whatever the steps are.
  void getDependentDialects(DialectRegistry &registry) const override {
    for (const PassStep &step : steps) {
      OpPassManager pm(ModuleOp::getOperationName());
      llvm::StringRef inner = llvm::StringRef(step.pipeline).drop_front(strlen("builtin.module(")).drop_back();
      if (succeeded(parsePassPipeline(inner, pm)))
        pm.getDependentDialects(registry);
    }
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    llvm::Expected<std::unique_ptr<PassChecker>> checker = PassChecker::create(module, options);
    llvm::Error error = checker ? (*checker)->run(module, steps) : checker.takeError();
    if (error) {
      emitError(UnknownLoc::get(&getContext())) << toString(std::move(error));
      signalPassFailure();
    }
  }

private:
  std::vector<PassStep> steps;
  CheckOptions options;
};

} // namespace

std::unique_ptr<Pass> samba::createCheckedPipelinePass(std::vector<PassStep> steps, CheckOptions options) {
  return std::make_unique<CheckedPipeline>(std::move(steps), std::move(options));
}
