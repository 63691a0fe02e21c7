//===- main.cpp - samba-inspect -------------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/CommandLine.h"
#include "tools/samba-inspect/Inspect.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"

using namespace llvm;
using namespace samba::inspect;

namespace {

Options options;
cl::OptionCategory category("samba-inspect");
cl::opt<std::string> input(cl::Positional, cl::desc("MODEL_DIR_OR_FILE"), cl::cat(category));
cl::opt<bool> asJson("json", cl::desc("Print JSON"), cl::cat(category));
cl::opt<bool> listFamilies("list-families", cl::desc("List the families of models that can be read"),
                           cl::cat(category));
cl::opt<bool, true> tensors("tensors", cl::desc("List the tensors, too"), cl::location(options.tensors),
                            cl::cat(category));
cl::opt<std::string, true> config("config", cl::desc("Configuration of the model, as for samba-compile"),
                                  cl::value_desc("name|file"), cl::location(options.config), cl::cat(category));
cl::opt<std::string, true> weightsFile("weights-file",
                                       cl::desc("The file with the weights, if the directory has several"),
                                       cl::value_desc("name"), cl::location(options.weightsFile), cl::cat(category));
cl::opt<std::string, true> cpu("cpu", cl::desc("CPU to predict for (default: native)"), cl::value_desc("name"),
                               cl::location(options.cpu), cl::cat(category));
cl::opt<double, true> bandwidth("bandwidth",
                                cl::desc("What the machine reads from memory, in GB/s (default: 20; samba-bench "
                                         "measures it)"),
                                cl::value_desc("GB/s"), cl::location(options.bandwidth), cl::cat(category));
cl::opt<int64_t, true> context("context", cl::desc("Tokens that full attention can look back on"),
                               cl::value_desc("tokens"), cl::location(options.context), cl::cat(category));

int fail(Error error, int exitCode) {
  std::string message = toString(std::move(error));
  errs() << "samba-inspect: error: " << message << "\n";
  if (asJson && exitCode == 1)
    outs() << formatv("{0:2}\n", json::Value(json::Object{{"path", input.getValue()}, {"error", message}}));
  return exitCode;
}

} // namespace

int main(int argc, char **argv) {
  cl::HideUnrelatedOptions(category);
  if (Error wrong = samba::readCommandLine(argc, argv,
                                           "Says what a checkpoint or a compiled model is: its layers, parameters and "
                                           "state, and for each precision what "
                                           "a token has to read. Exits with 1 if the model would be refused.\n"))
    return fail(std::move(wrong), 2);
  if (listFamilies) {
    printFamilies(outs());
    return 0;
  }
  if (input.empty())
    return fail(createStringError("no model is given (see --help)"), 2);
  if (!(options.bandwidth > 0) || options.bandwidth > 1e6)
    return fail(createStringError("--bandwidth: expected a number of GB/s up to 10^6"), 2);
  if (context.getNumOccurrences() && (options.context < 1 || options.context > int64_t(1) << 24))
    return fail(createStringError("--context: expected a number from 1 to 16777216"), 2);
  Expected<json::Object> report =
      isArtefact(input) ? inspectArtefact(input, options) : inspectCheckpoint(input, options);
  if (!report)
    return fail(report.takeError(), 1);
  if (asJson)
    outs() << formatv("{0:2}\n", json::Value(std::move(*report)));
  else
    print(*report, outs());
  return 0;
}
