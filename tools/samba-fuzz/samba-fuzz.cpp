//===- samba-fuzz.cpp - random models through random passes ---------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each case: a random model with weights of a random precision, a random batch, and random pipelines of fusions and
// layouts. The interpreter must compute the same before and after, and compiled code nearly the same. A case is known
// by its seed.
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/Pipeline.h"
#include "tools/CommandLine.h"
#include "tools/Registration.h"
#include "tools/samba-fuzz/Case.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"
#include <chrono>
#include <map>

using namespace mlir;
using namespace samba;
namespace cl = llvm::cl;

namespace {

struct CommandLine {
  cl::opt<uint64_t> seed{"seed", cl::desc("Seed of the first case (default: 0)"), cl::init(0)};
  cl::opt<uint64_t> count{"count", cl::desc("Number of cases (default: 100)"), cl::init(100)};
  cl::opt<double> seconds{"seconds", cl::desc("Stop after this time"), cl::init(1e9)};
  cl::opt<uint64_t> pipelines{"pipelines", cl::desc("Pipelines of each case (default: 4)"), cl::init(4)};
  cl::opt<uint64_t> lowerEvery{"lower-every", cl::desc("Also lower every n-th case to loops (default: 20); 0: none"),
                               cl::init(20)};
  cl::opt<uint64_t> compileEvery{
      "compile-every", cl::desc("Also compile and execute every n-th case (default: 100); 0: none"), cl::init(100)};
  cl::opt<bool> print{"print", cl::desc("Print the module and the pipelines of each case")};
  cl::opt<bool> operations{"operations", cl::desc("Print in how many cases each operation of the dialect came up, and "
                                                  "fail if one did in none")};
  cl::opt<bool> progress{"progress", cl::desc("Say on standard error every 1000 cases how many there were")};
};

/// What has been done.
struct Count {
  uint64_t cases = 0, pipelines = 0, pairs = 0, lowered = 0, compiled = 0;

  std::map<std::string, uint64_t> operations; // of the dialect: the cases that have it

  void add(MLIRContext &context, const llvm::StringSet<> &found) {
    for (RegisteredOperationName name : context.getRegisteredOperations())
      if (name.getDialectNamespace() == SambaDialect::getDialectNamespace())
        operations[name.getStringRef().str()] += found.contains(name.getStringRef());
  }

  std::string text() const {
    return llvm::formatv("{0} cases, {1} pipelines on them, {2} pairs of a function and a pipeline, {3} lowered, {4} "
                         "compiled",
                         cases, pipelines, pairs, lowered, compiled);
  }
};

void print(const Case &test) {
  for (const std::string &pipeline : test.pipelines)
    llvm::outs() << "// " << pipeline << "\n";
  llvm::outs() << "// precision: " << test.precision << ", keys and values: " << test.kv << ", tokens:";
  for (int64_t length : test.execution.lengths)
    llvm::outs() << " " << length;
  llvm::outs() << "\n";
  ModuleOp(test.module.get()).print(llvm::outs());
  llvm::outs().flush();
}

llvm::Error fuzz(const CommandLine &line, Count &done) {
  DialectRegistry registry;
  registerDialects(registry);
  auto start = std::chrono::steady_clock::now();
  auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  // A context keeps all types and attributes that it has ever seen.
  constexpr uint64_t kCasesPerContext = 200;
  std::unique_ptr<MLIRContext> context;
  for (; done.cases < line.count && elapsed() < line.seconds; ++done.cases) {
    if (done.cases % kCasesPerContext == 0)
      context = std::make_unique<MLIRContext>(registry, MLIRContext::Threading::DISABLED);
    uint64_t seed = line.seed + done.cases;
    auto isDue = [&](uint64_t every) { return every && done.cases % every == 0; };
    Depth depth = isDue(line.compileEvery) ? Depth::Compile : isDue(line.lowerEvery) ? Depth::Lower : Depth::Interpret;
    llvm::Expected<Case> test = makeCase(*context, seed, line.pipelines);
    if (test && line.print)
      print(*test);
    llvm::StringSet<> found;
    auto visit = [&](ModuleOp module) {
      if (line.operations)
        module.walk([&](Operation *op) { found.insert(op->getName().getStringRef()); });
    };
    if (llvm::Error error = test ? runCase(*test, depth, visit) : test.takeError())
      return llvm::createStringError(llvm::formatv(
          "seed {0}: {1} (see it with: samba-fuzz --seed={0} --count=1 --pipelines={2} --lower-every={3} "
          "--compile-every={4} --print)",
          seed, toString(std::move(error)), line.pipelines.getValue(), depth == Depth::Lower, depth == Depth::Compile));
    done.add(*context, found);
    done.pipelines += test->pipelines.size();
    done.pairs += test->pipelines.size() * test->functions();
    done.lowered += depth != Depth::Interpret;
    done.compiled += depth == Depth::Compile;
    if (line.progress && (done.cases + 1) % 1000 == 0)
      llvm::errs() << llvm::formatv("seeds {0} to {1}: {2}, {3:f0} s\n", line.seed.getValue(), seed, done.text(),
                                    elapsed());
  }
  return llvm::Error::success();
}

int fail(llvm::Error error, int code) {
  llvm::errs() << "samba-fuzz: error: " << toString(std::move(error)) << "\n";
  return code;
}

} // namespace

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  registerPasses();
  registerCpuPipelines();
  CommandLine line;
  if (llvm::Error error = readCommandLine(argc, argv, "samba-fuzz: random models through random passes\n"))
    return fail(std::move(error), 2);
  Count done;
  if (llvm::Error error = fuzz(line, done))
    return fail(std::move(error), 1);
  llvm::outs() << done.text() << ", all the same\n";
  if (!line.operations)
    return 0;
  std::string missing;
  for (const auto &[name, cases] : done.operations) {
    llvm::outs() << name << ": " << cases << "\n";
    if (!cases)
      missing += (missing.empty() ? "" : ", ") + name;
  }
  llvm::outs().flush();
  if (!missing.empty())
    return fail(llvm::createStringError("no case has " + missing), 1);
  return 0;
}
