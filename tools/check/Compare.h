//===- Compare.h - how far two executions are apart --------------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef TOOLS_CHECK_COMPARE_H
#define TOOLS_CHECK_COMPARE_H

#include "tools/check/Execution.h"

namespace samba {

struct Difference {
  std::string output; // of which function's what: "@samba_step: result 0"
  double absolute = 0;
  double ulps = 0;    // in units of the last place of f32, of the element with the largest such difference
  double largest = 0; // magnitude of the largest element of the reference
  std::string shape;  // says what is wrong if the two have different shapes

  bool isZero() const { return shape.empty() && absolute == 0; }
  /// `tolerance` is relative to the largest element.
  bool exceeds(double tolerance) const { return !shape.empty() || !(absolute <= tolerance * largest); }
};

/// One entry for each result of each function.
std::vector<Difference> compareResults(llvm::ArrayRef<FunctionRun> before, llvm::ArrayRef<FunctionRun> after);

/// The first value of the model, in the order of execution, that is off: a probe, else a result. Empty if none is.
std::string firstExceeding(llvm::ArrayRef<FunctionRun> before, llvm::ArrayRef<FunctionRun> after, double tolerance);

} // namespace samba

#endif // TOOLS_CHECK_COMPARE_H
