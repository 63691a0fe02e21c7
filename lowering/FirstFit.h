//===- FirstFit.h - places for values that live for a while ------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_FIRSTFIT_H
#define LOWERING_FIRSTFIT_H

#include "mlir/Support/LLVM.h"

namespace samba {

/// Something that needs `size` bytes from step `first` to step `last`, both included.
struct Interval {
  int64_t size, first, last;
  int64_t offset = 0;
};

/// Gives each interval, in their order, the lowest offset at which it overlaps none that lives at the same time.
/// Returns the bytes of all.
int64_t firstFit(llvm::MutableArrayRef<Interval> intervals);

} // namespace samba

#endif // LOWERING_FIRSTFIT_H
