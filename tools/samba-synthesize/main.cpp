//===- main.cpp - samba-synthesize ----------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Makes a model directory with random weights, to measure and test with.
//
//===----------------------------------------------------------------------===//

#include "tools/CommandLine.h"
#include "tools/ProgressBar.h"
#include "tools/samba-synthesize/Shapes.h"
#include "tools/samba-synthesize/Synthesize.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/Process.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"
#include <atomic>
#include <csignal>

using namespace llvm;

namespace {

cl::OptionCategory category("samba-synthesize");
cl::opt<std::string> shape("shape", cl::desc("A published shape by name, or a config.json"),
                           cl::value_desc("name|file"), cl::Required, cl::cat(category));
cl::opt<std::string> output("o", cl::desc("The directory to make"), cl::value_desc("dir"), cl::Required,
                            cl::cat(category));
cl::opt<samba::DType> dtype("dtype", cl::desc("Element type of all tensors (default: bf16)"),
                            cl::values(clEnumValN(samba::DType::F32, "f32", ""),
                                       clEnumValN(samba::DType::BF16, "bf16", ""),
                                       clEnumValN(samba::DType::F16, "f16", "")),
                            cl::init(samba::DType::BF16), cl::cat(category));
cl::opt<uint64_t> seed("seed", cl::desc("Seed of the random numbers (default: 0)"), cl::cat(category));
cl::opt<int64_t> shards("shards", cl::desc("Number of safetensors files (default: 1)"), cl::init(1), cl::cat(category));
cl::opt<bool> fullAttention("full-attention", cl::desc("Attend to all tokens in place of a window"), cl::cat(category));

std::atomic<bool> interrupted;

Error run() {
  Expected<json::Object> config = samba::configOfShape(shape);
  if (config && fullAttention)
    config = samba::withFullAttention(std::move(*config), shape);
  if (!config)
    return config.takeError();
  samba::ProgressBar bar;
  return samba::synthesize(std::move(*config), shape, output, {dtype, seed, shards},
                           [&](uint64_t done, uint64_t total) {
                             bar.update(done, total);
                             return !interrupted;
                           });
}

int fail(Error error, int exitCode) {
  errs() << "samba-synthesize: error: " << toString(std::move(error)) << "\n";
  return exitCode;
}

} // namespace

int main(int argc, char **argv) {
  cl::HideUnrelatedOptions(category);
  if (Error wrong = samba::readCommandLine(
          argc, argv,
          "Makes a model directory of random weights in the format of flash-linear-attention.\n\nShapes:\n" +
              samba::listShapes() +
              "\nThe format derives the MLP width from hidden_ratio, as a multiple of 256. All published widths can "
              "be\n"
              "expressed (ratio 4, 4, 6 and 5.3), but that of the 1.7B is taken as 8192, not as the printed 8196.\n"
              "Embeddings are tied.\n"))
    return fail(std::move(wrong), 2);
  std::signal(SIGXFSZ, SIG_IGN); // a limit on file sizes is an error like a full disk
  sys::SetInterruptFunction([] { interrupted = true; });
  if (Error failed = run())
    return fail(std::move(failed), 1);
  return 0;
}
