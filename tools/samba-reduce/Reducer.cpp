//===- Reducer.cpp - a small module on which a pipeline is wrong ----------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-reduce/Reducer.h"

#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/Verifier.h"
#include "tools/samba-reduce/Reductions.h"
#include <csignal>
#include <cstdio>
#include <sys/wait.h>
#include <unistd.h>

using namespace mlir;
using namespace samba;

static constexpr unsigned kSecondsPerAttempt = 120;

llvm::Expected<PipelineVerdict> Reducer::check(ModuleOp candidate, llvm::ArrayRef<PassStep> passes) const {
  auto execution = Execution::create(candidate, options.execution);
  if (!execution)
    return execution.takeError();
  auto reference = (*execution)->run(candidate, candidate);
  if (!reference)
    return reference.takeError();
  if (reference->empty())
    return llvm::createStringError("there is no public function of samba IR");
  return checkPipeline(**execution, *reference, candidate, passes);
}

bool Reducer::isInteresting(ModuleOp candidate, llvm::ArrayRef<PassStep> passes) {
  ++tried;
  // What is wrong with a candidate interests nobody.
  ScopedDiagnosticHandler silence(candidate.getContext(), [](Diagnostic &) { return success(); });
  if (failed(verify(candidate)))
    return false;
  pid_t child = fork();
  if (child < 0)
    return false;
  if (child == 0) {
    // A crash is an answer like any other: without a report, and without LLVM's clearing up, which removes files.
    for (int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGALRM})
      std::signal(signal, SIG_DFL);
    if (!std::freopen("/dev/null", "w", stderr))
      ::_exit(1);
    ::alarm(kSecondsPerAttempt);
    llvm::Expected<PipelineVerdict> found = check(candidate, passes);
    bool same = bool(found) && found->verdict == wanted;
    if (!found)
      llvm::consumeError(found.takeError());
    ::_exit(same ? 0 : 1);
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool Reducer::reduceModule() {
  bool reduced = false;
  for (const Reduction &reduction : allReductions()) {
    // From the last place on: what is near the results keeps what is before it alive.
    for (size_t place = reduction.count(*module); place-- > 0;) {
      if (place >= reduction.count(*module))
        continue;
      OwningOpRef<ModuleOp> candidate = module->clone();
      if (!reduction.apply(*candidate, place))
        continue;
      removeDead(*candidate);
      if (!isInteresting(*candidate, steps))
        continue;
      module = std::move(candidate);
      reduced = true;
    }
  }
  return reduced;
}

void Reducer::reduceSteps() {
  for (size_t i = steps.size(); i-- > 0;) {
    std::vector<PassStep> fewer = steps;
    fewer.erase(fewer.begin() + i);
    if (isInteresting(*module, fewer))
      steps = std::move(fewer);
  }
}

llvm::Error Reducer::run() {
  llvm::Expected<PipelineVerdict> found = check(*module, steps);
  if (!found)
    return found.takeError();
  wanted = found->verdict;
  if (wanted == Verdict::Same)
    return llvm::createStringError("there is nothing to reduce: " + found->text);
  reduceSteps();
  while (reduceModule()) {
  }
  reduceSteps();
  return llvm::Error::success();
}
