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
#include <fcntl.h>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <unistd.h>

static volatile std::sig_atomic_t interruptCount = 0;

/// Ends of a pipe, into which an interrupt writes what wakes waitForInput, whichever thread it arrives in and however
/// shortly before the wait; -1: nobody waits like this.
static int wakeUp[2] = {-1, -1};

static void onInterrupt(int) {
  interruptCount = 1;
  int error = errno;
  // If the pipe is full it wakes up as well.
  if (wakeUp[1] >= 0 && ::write(wakeUp[1], "", 1) < 0)
    errno = error;
}

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
  if (wakeUp[0] < 0 && ::pipe2(wakeUp, O_NONBLOCK | O_CLOEXEC) != 0)
    throw std::runtime_error(std::string("cannot make a pipe: ") + std::strerror(errno));
  struct sigaction action = {};
  action.sa_handler = onInterrupt;
  ::sigaction(SIGINT, &action, nullptr);
}

bool samba::run::takeInterrupt() {
  bool marked = interruptCount != 0;
  interruptCount = 0;
  return marked;
}

bool samba::run::waitForInput() {
  pollfd inputs[] = {{STDIN_FILENO, POLLIN, 0}, {wakeUp[0], POLLIN, 0}};
  while (true) {
    if (::poll(inputs, 2, -1) < 0 && errno != EINTR)
      throw std::runtime_error(std::string("cannot wait for standard input: ") + std::strerror(errno));
    char bytes[64];
    while (::read(wakeUp[0], bytes, sizeof(bytes)) > 0)
      ;
    if (takeInterrupt())
      return false;
    if (inputs[0].revents != 0)
      return true;
  }
}

bool samba::run::interrupted() { return interruptCount != 0; }
