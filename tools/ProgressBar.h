//===- ProgressBar.h - how far a tool is, on a terminal ---------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_PROGRESSBAR_H
#define TOOLS_PROGRESSBAR_H

#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"
#include <string>

namespace samba {

/// Redrawn only when it changes, and only on a terminal.
class ProgressBar {
public:
  void update(uint64_t done, uint64_t total) {
    int percent = total ? int(100.0 * double(done) / double(total)) : 100;
    if (!llvm::errs().is_displayed() || percent == shown)
      return;
    shown = percent;
    std::string bar(percent * 40 / 100, '#');
    llvm::errs() << llvm::formatv("\r[{0,-40}] {1,3}% of {2:f1} MB", bar, percent, double(total) / 1e6);
    if (percent == 100)
      llvm::errs() << "\n";
  }

private:
  int shown = -1;
};

} // namespace samba

#endif // TOOLS_PROGRESSBAR_H
