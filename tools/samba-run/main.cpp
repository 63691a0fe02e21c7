//===- main.cpp - samba-run, runs compiled models ------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Also the launcher of self-contained programs: with an artefact appended to its own file, that is the model.
//
//===----------------------------------------------------------------------===//

#include "samba/samba.hpp"
#include "tools/samba-run/Batch.h"
#include "tools/samba-run/Chat.h"
#include "tools/samba-run/Console.h"
#include "tools/samba-run/Generate.h"
#include "tools/samba-run/Options.h"
#include "tools/samba-run/Score.h"
#include "tools/samba-run/Stream.h"

#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdio>
#include <cstring>
#include <string>
#include <unistd.h>

using namespace samba::run;

/// The file of this program if it carries an artefact, else "".
static std::string carriedModel() {
  const char *self = "/proc/self/exe";
  if (!samba_is_artefact(self))
    return "";
  char path[PATH_MAX];
  ssize_t length = ::readlink(self, path, sizeof(path));
  std::string resolved(path, length > 0 ? static_cast<size_t>(length) : 0);
  // The link still opens the file when its name is gone.
  return samba_is_artefact(resolved.c_str()) ? resolved : self;
}

/// To a file, or to standard error.
static void writeCounters(const samba::Model &model, const std::string &path) {
  std::string text = model.deviceCounters() + "\n";
  std::FILE *file = path.empty() ? stderr : std::fopen(path.c_str(), "w");
  bool written = file && std::fputs(text.c_str(), file) >= 0 && std::fflush(file) == 0;
  int error = errno;
  if (file && file != stderr)
    written &= std::fclose(file) == 0;
  if (!written)
    throw std::runtime_error("cannot write '" + path + "': " + std::strerror(error));
}

static void run(int argc, char **argv, const std::string &carried) {
  std::string program = argc > 0 ? argv[0] : "samba-run";
  program = program.substr(program.rfind('/') + 1);
  Options options = parseOptions(argc - 1, argv + 1, !carried.empty());
  if (options.help)
    return print(helpText(program, !carried.empty()));
  if (options.version)
    return print(std::string("samba-run ") + samba_version() + " (artefact version " +
                 std::to_string(samba_abi_version()) + ")\n");

  Limits limits(options);
  auto start = std::chrono::steady_clock::now();
  samba::Model model(carried.empty() ? options.model : carried, options.open());
  double loadSeconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  if (options.counters)
    model.deviceCounters(); // complains before the work is done
  if (options.info)
    print(std::string(model.manifest()) + "\n");
  if (options.chat)
    chat(model, options);
  else if (options.scoreFile)
    score(model, options, limits);
  else if (options.stream)
    stream(model, options, limits);
  else if (options.batchFile)
    batch(model, options, limits);
  else if (options.prompt || options.promptFile || options.tokensFile || options.loadState)
    generate(model, options, limits, loadSeconds);
  if (options.counters)
    writeCounters(model, *options.counters);
}

int main(int argc, char **argv) {
  installSignals();
  try {
    run(argc, argv, carriedModel());
  } catch (const UsageError &error) {
    std::fprintf(stderr, "samba-run: error: %s\n", error.what());
    return 2;
  } catch (const ClosedPipe &) {
    return 0;
  } catch (const std::bad_alloc &) {
    std::fprintf(stderr, "samba-run: error: out of memory\n");
    return 1;
  } catch (const std::exception &error) {
    std::fprintf(stderr, "samba-run: error: %s\n", error.what());
    return 1;
  }
  return interrupted() ? 130 : 0;
}
