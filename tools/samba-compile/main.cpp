//===- main.cpp - samba-compile -------------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-compile/Driver.h"

#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"
#include <csignal>
#include <unistd.h>

using namespace samba;

static void printError(llvm::StringRef message) {
  std::string line;
  for (char c : message.rtrim())
    line += c == '\n' ? std::string("; ") : std::string(1, c);
  llvm::errs() << "samba-compile: error: " << line << "\n";
}

int main(int argc, char **argv) {
  // A limit on file sizes is an error like a full disk, not a signal.
  std::signal(SIGXFSZ, SIG_IGN);
  // LLVM's back ends give up this way; temporary files still have to go.
  llvm::install_fatal_error_handler([](void *, const char *reason, bool) {
    printError(reason);
    llvm::sys::RunInterruptHandlers();
    _exit(1);
  });
  llvm::Expected<CompileOptions> options = parseCommandLine(argc, argv);
  if (!options) {
    printError(llvm::toString(options.takeError()));
    return 2;
  }
  Report report(*options);
  if (llvm::Error error = compile(*options, report)) {
    report.end();
    printError(llvm::toString(std::move(error)));
    return 1;
  }
  report.summarise();
  return 0;
}
