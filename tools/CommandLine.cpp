//===- CommandLine.cpp - reading command lines ----------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/CommandLine.h"

#include "llvm/Support/CommandLine.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include <cstdio>
#include <string>
#include <unistd.h>

namespace {

/// What is written to standard error meanwhile. The library offers to write to a stream, but for some errors it does
/// not.
class CapturedErrors {
public:
  CapturedErrors() : file(std::tmpfile()), original(::dup(STDERR_FILENO)) {
    if (file)
      ::dup2(::fileno(file), STDERR_FILENO);
  }
  std::string finish() {
    ::dup2(original, STDERR_FILENO);
    ::close(original);
    std::string text;
    if (!file)
      return text;
    std::rewind(file);
    for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file))
      text += char(c);
    std::fclose(file);
    return text;
  }

private:
  std::FILE *file; // null if there is nowhere to put it
  int original;
};

} // namespace

// The library reports over several lines, each with the program's name; here it is one, without.
static std::string oneLine(llvm::StringRef text, llvm::StringRef program) {
  std::string line;
  while (!text.empty()) {
    llvm::StringRef part;
    std::tie(part, text) = text.split('\n');
    part.consume_front(program);
    part.consume_front(": ");
    part = part.split("  Try:").first;
    if (!part.trim().empty())
      line += (line.empty() ? "" : " ") + part.trim().str();
  }
  return line;
}

llvm::Error samba::readCommandLine(int argc, char **argv, llvm::StringRef overview) {
  CapturedErrors errors;
  bool valid = llvm::cl::ParseCommandLineOptions(argc, argv, overview, &llvm::errs());
  std::string message = oneLine(errors.finish(), llvm::sys::path::filename(argv[0]));
  if (valid)
    return llvm::Error::success();
  return llvm::createStringError(message.empty() ? "invalid command line (see --help)" : message);
}
