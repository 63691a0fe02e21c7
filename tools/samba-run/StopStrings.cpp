//===- StopStrings.cpp - text up to a stop string ------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "tools/samba-run/StopStrings.h"

#include <algorithm>

using namespace samba::run;

std::string StopStrings::push(const std::string &piece) {
  if (stopped)
    return "";
  held += piece;
  size_t first = std::string::npos;
  for (const std::string &string : strings)
    first = std::min(first, held.find(string));
  if (first != std::string::npos) {
    stopped = true;
    return held.substr(0, first);
  }
  size_t keep = 0; // the longest end of the text with which one of the strings begins
  for (const std::string &string : strings)
    for (size_t length = std::min(string.size() - 1, held.size()); length > keep; --length)
      if (held.compare(held.size() - length, length, string, 0, length) == 0)
        keep = length;
  std::string ready = held.substr(0, held.size() - keep);
  held.erase(0, held.size() - keep);
  return ready;
}

std::string StopStrings::finish() {
  std::string rest = stopped ? "" : held;
  held.clear();
  return rest;
}
