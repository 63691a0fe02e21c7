//===- samba-reduce.cpp - makes a failing module small --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/Pipeline.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-reduce/MlirReduceMain.h"
#include "tools/CommandLine.h"
#include "tools/ModuleFile.h"
#include "tools/Plugins.h"
#include "tools/Registration.h"
#include "tools/check/CheckCommandLine.h"
#include "tools/samba-reduce/Reducer.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;
using namespace samba;
namespace cl = llvm::cl;

namespace {

constexpr const char *kOverview =
    "samba-reduce: makes a module small on which a pipeline changes the results\n\n"
    "  FOLDER is what --check-each-pass has left: it names the module, the pipeline and all options.\n"
    "  With --reduction-tree or --opt-reduction-pass this is mlir-reduce, whose test is a program.\n";

struct CommandLine {
  cl::opt<std::string> input{cl::Positional, cl::Required, cl::desc("FILE.mlir or FOLDER")};
  cl::opt<std::string> output{"o", cl::desc("Where to write the module (default: standard output)"),
                              cl::value_desc("file"), cl::init("-")};
  cl::opt<std::string> pipeline{"pass-pipeline", cl::Required, cl::desc("The passes"), cl::value_desc("pipeline")};
  cl::alias pipelineAlias{"pipeline", cl::aliasopt(pipeline), cl::desc("The same")};
  cl::list<std::string> passPlugins{"load-pass-plugin", cl::desc("Plugin with passes"), cl::value_desc("file.so")};
  cl::list<std::string> dialectPlugins{"load-dialect-plugin", cl::desc("Plugin with dialects"),
                                       cl::value_desc("file.so")};
  CheckCommandLine check;
};

bool isUpstreamMode(llvm::ArrayRef<char *> arguments) {
  return llvm::any_of(arguments, [](llvm::StringRef argument) {
    argument = argument.ltrim('-');
    return argument.starts_with("reduction-tree") || argument.starts_with("opt-reduction-pass");
  });
}

/// A folder of --check-each-pass stands for its module and the options in it.
std::vector<std::string> expandFolders(llvm::ArrayRef<char *> arguments) {
  std::vector<std::string> expanded;
  for (llvm::StringRef argument : arguments) {
    std::string options = (argument + "/options").str();
    if (expanded.empty() || !llvm::sys::fs::is_directory(argument) || !llvm::sys::fs::exists(options)) {
      expanded.push_back(argument.str());
      continue;
    }
    expanded.push_back((argument + "/before.mlir").str());
    expanded.push_back("@" + options);
  }
  return expanded;
}

llvm::Error reduce(CommandLine &line, const CheckOptions &options) {
  DialectRegistry registry;
  registerDialects(registry);
  if (llvm::Error error = Plugins{line.passPlugins, line.dialectPlugins}.load(registry))
    return error;
  MLIRContext context(registry, MLIRContext::Threading::DISABLED);
  llvm::Expected<OwningOpRef<ModuleOp>> module = readModuleFile(context, line.input);
  if (!module)
    return module.takeError();
  llvm::Expected<std::vector<PassStep>> steps = stepsOf(line.pipeline);
  if (!steps)
    return steps.takeError();

  Reducer reducer(**module, *steps, options);
  if (llvm::Error error = reducer.run())
    return error;
  std::string message;
  std::unique_ptr<llvm::ToolOutputFile> file = openOutputFile(line.output, &message);
  if (!file)
    return llvm::createStringError(message);
  file->os() << "// samba-opt THIS " << options.plugins << "--pass-pipeline='" << joinSteps(reducer.getSteps())
             << "' --check-each-pass=" << (options.execution.f64 ? "f64" : "f32") << "\n";
  reducer.getModule().print(file->os());
  file->os() << "\n";
  file->keep();
  llvm::errs() << llvm::formatv("samba-reduce: {0} attempts, {1} of {2} passes are left\n", reducer.attempts(),
                                reducer.getSteps().size(), steps->size());
  return llvm::Error::success();
}

int fail(llvm::Error error, int code) {
  llvm::errs() << "samba-reduce: error: " << toString(std::move(error)) << "\n";
  return code;
}

} // namespace

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  registerPasses();
  registerCpuPipelines();
  llvm::ArrayRef<char *> arguments(argv, argc);
  if (isUpstreamMode(arguments)) {
    DialectRegistry registry;
    registerDialects(registry);
    MLIRContext context(registry);
    return failed(mlirReduceMain(argc, argv, context));
  }
  std::vector<std::string> expanded = expandFolders(arguments);
  std::vector<char *> pointers;
  for (std::string &argument : expanded)
    pointers.push_back(argument.data());
  CommandLine line;
  if (llvm::Error error = readCommandLine(pointers.size(), pointers.data(), kOverview))
    return fail(std::move(error), 2);
  llvm::Expected<CheckOptions> options = line.check.read(pointers.size(), pointers.data());
  if (!options)
    return fail(options.takeError(), 2);
  // From the options of a folder, which `read` has not seen.
  options->plugins.clear();
  for (const std::string &path : line.passPlugins)
    options->plugins += "--load-pass-plugin=" + path + " ";
  for (const std::string &path : line.dialectPlugins)
    options->plugins += "--load-dialect-plugin=" + path + " ";
  if (llvm::Error error = reduce(line, *options))
    return fail(std::move(error), 1);
  return 0;
}
