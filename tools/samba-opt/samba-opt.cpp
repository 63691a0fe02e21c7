//===- samba-opt.cpp - runs passes on samba IR ----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/Pipeline.h"
#include "lowering/gpu/Pipeline.h"
#include "mlir/Support/FileUtilities.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "tools/Registration.h"
#include "tools/check/CheckCommandLine.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/ToolOutputFile.h"

using namespace mlir;

// The same as MlirOptMain, but every pass of the pipeline runs under the checker.
static LogicalResult runChecked(llvm::StringRef input, llvm::StringRef output, DialectRegistry &registry,
                                const samba::CheckOptions &check) {
  std::string message;
  std::unique_ptr<llvm::MemoryBuffer> buffer = openInputFile(input, &message);
  if (!buffer) {
    llvm::errs() << message << "\n";
    return failure();
  }
  std::unique_ptr<llvm::ToolOutputFile> file = openOutputFile(output, &message);
  if (!file) {
    llvm::errs() << message << "\n";
    return failure();
  }
  MlirOptMainConfig given = MlirOptMainConfig::createFromCLOptions(), config = given;
  config.setPassPipelineSetupFn([&](PassManager &pm) {
    pm.getContext()->disableMultithreading();
    PassManager wanted(pm.getContext());
    if (failed(given.setupPassPipeline(wanted)))
      return failure();
    pm.addPass(samba::createCheckedPipelinePass(samba::stepsOf(wanted), check));
    return success();
  });
  if (failed(MlirOptMain(file->os(), std::move(buffer), registry, config)))
    return failure();
  file->keep();
  return success();
}

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  samba::registerPasses();
  samba::registerCpuPipelines();
  samba::registerGpuPipelines();
  DialectRegistry registry;
  samba::registerDialects(registry);
  samba::CheckCommandLine check;
  auto [input, output] = registerAndParseCLIOptions(argc, argv, "samba-opt: runs passes on samba IR\n", registry);
  if (!check.isRequested())
    return asMainReturnCode(MlirOptMain(argc, argv, input, output, registry));
  llvm::Expected<samba::CheckOptions> options = check.read(argc, argv);
  if (!options) {
    llvm::errs() << "samba-opt: " << toString(options.takeError()) << "\n";
    return 1;
  }
  return asMainReturnCode(runChecked(input, output, registry, *options));
}
