//===- Fusions.h - which fusions a compile makes -----------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef PASSES_FUSIONS_H
#define PASSES_FUSIONS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"
#include <string>
#include <vector>

namespace samba {

/// One pass `samba-fuse-NAME`.
struct Fusion {
  llvm::StringLiteral name, summary;
  bool isDefault; // costs nothing on any target, and gains on some
};

/// All of them, in the order in which they run.
llvm::ArrayRef<Fusion> allFusions();

struct FusionOptions {
  std::vector<std::string> names; // of the fusions to make, in the order of allFusions()
  bool force = false;             // also those that do not pay
  int64_t tokens = 1;             // of the step that they are to pay for

  /// The defaults.
  FusionOptions();

  /// "default", "none", "all", or names separated by commas; an item "+name" or "-name" changes what stands before it,
  /// or the defaults if nothing does: "all,-block", "+norm", "residual,swiglu". The error lists the names.
  static llvm::Expected<FusionOptions> parse(llvm::StringRef text);

  bool contains(llvm::StringRef name) const;
};

} // namespace samba

#endif // PASSES_FUSIONS_H
