//===- Console.cpp - standard output and interruption --------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Console.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <unistd.h>

static volatile std::sig_atomic_t interruptCount = 0;

static void onInterrupt(int) { interruptCount = 1; }

void samba::run::print(std::string_view text) {
  while (!text.empty()) {
    ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written < 0 && errno == EPIPE)
      throw ClosedPipe();
    if (written < 0)
      throw std::runtime_error(std::string("cannot write to standard output: ") + std::strerror(errno));
    text.remove_prefix(static_cast<size_t>(written));
  }
}

void samba::run::warn(const std::string &message) { std::fprintf(stderr, "samba-run: warning: %s\n", message.c_str()); }

void samba::run::installSignals() {
  struct sigaction action = {};
  action.sa_handler = onInterrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  ::sigaction(SIGINT, &action, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN); // a limit on file sizes is an error like a full disk
}

void samba::run::catchInterrupts() {
  struct sigaction action = {};
  action.sa_handler = onInterrupt;
  ::sigaction(SIGINT, &action, nullptr);
}

bool samba::run::takeInterrupt() {
  bool marked = interruptCount != 0;
  interruptCount = 0;
  return marked;
}

bool samba::run::interrupted() { return interruptCount != 0; }
