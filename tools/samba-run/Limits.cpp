//===- Limits.cpp - when to end a run early ------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/Limits.h"
#include "tools/samba-run/Console.h"

#include <algorithm>
#include <cstdio>
#include <unistd.h>

using namespace samba::run;

/// Memory of this process alone, in bytes: not the mapped weights, which the system can drop. 0 if it is not known.
static int64_t privateMemory() {
  long long size = 0, resident = 0, shared = 0;
  std::FILE *file = std::fopen("/proc/self/statm", "r");
  if (!file)
    return 0;
  int read = std::fscanf(file, "%lld %lld %lld", &size, &resident, &shared);
  std::fclose(file);
  return read == 3 ? (resident - shared) * ::sysconf(_SC_PAGESIZE) : 0;
}

std::optional<std::string> Limits::reached(int64_t tokens) const {
  if (interrupted())
    return "interrupted";
  if (options.maxTokens > 0 && tokens >= options.maxTokens)
    return "max-tokens";
  if (options.deadline > 0 &&
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() >= options.deadline)
    return "deadline";
  if (options.maxMemory > 0 && privateMemory() > options.maxMemory << 20)
    return "max-memory";
  return std::nullopt;
}

int64_t Limits::clip(int64_t wanted, int64_t tokens) const {
  return options.maxTokens > 0 ? std::min(wanted, options.maxTokens - tokens) : wanted;
}
