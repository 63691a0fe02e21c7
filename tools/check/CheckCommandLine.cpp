//===- CheckCommandLine.cpp - options of the checks -----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/check/CheckCommandLine.h"

#include "llvm/Support/FileSystem.h"

using namespace samba;
namespace cl = llvm::cl;

CheckCommandLine::CheckCommandLine()
    : arithmetic("check-each-pass", cl::ValueOptional,
                 cl::desc("Execute the module after each pass and compare: f64 (default) or f32"),
                 cl::value_desc("type")),
      weights("check-weights", cl::desc("safetensors file of the weights (default: made from the seed)"),
              cl::value_desc("file")),
      folder("check-folder", cl::desc("Where to write the reproducer of a miscompile (default: .)"), cl::init("."),
             cl::value_desc("folder")),
      target("check-target", cl::desc("CPU for which lowered code is compiled (default: native)"), cl::init("native"),
             cl::value_desc("name")),
      seed("check-seed", cl::desc("Seed of inputs and weights (default: 0)"), cl::init(0), cl::value_desc("n")),
      segments("check-segments", cl::CommaSeparated, cl::desc("Tokens of each sequence (default: 3,0,5)"),
               cl::value_desc("n,...")) {}

llvm::Expected<CheckOptions> CheckCommandLine::read(int argc, char **argv) const {
  llvm::Expected<CheckOptions> options = CheckOptions::parse(arithmetic);
  if (!options)
    return llvm::createStringError("--check-each-pass: " + toString(options.takeError()));
  options->execution.seed = seed;
  options->execution.target = target;
  if (!segments.empty())
    options->execution.lengths.assign(segments.begin(), segments.end());
  options->folder = folder;
  auto absolute = [](llvm::StringRef path) {
    llvm::SmallString<128> full(path);
    llvm::sys::fs::make_absolute(full);
    return std::string(full);
  };
  if (!weights.empty())
    options->weightsFile = options->execution.weightsFile = absolute(weights);
  for (llvm::StringRef argument : llvm::ArrayRef(argv, argc).drop_front()) {
    argument.consume_front("-");
    argument.consume_front("-");
    auto [name, value] = argument.split('=');
    if (name == "load-pass-plugin" || name == "load-dialect-plugin")
      options->plugins += ("--" + name + "=" + absolute(value) + " ").str();
  }
  return options;
}
