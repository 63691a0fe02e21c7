//===- FirstFit.cpp - places for values that live for a while -------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/FirstFit.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"

using namespace samba;

int64_t samba::firstFit(llvm::MutableArrayRef<Interval> intervals) {
  int64_t bytes = 0;
  llvm::SmallVector<const Interval *> placed; // by offset
  for (Interval &interval : intervals) {
    int64_t offset = 0;
    for (const Interval *other : placed) {
      if (other->last < interval.first || other->first > interval.last)
        continue;
      if (offset + interval.size <= other->offset)
        break;
      offset = std::max(offset, other->offset + other->size);
    }
    interval.offset = offset;
    bytes = std::max(bytes, offset + interval.size);
    placed.insert(
        llvm::upper_bound(placed, offset, [](int64_t value, const Interval *other) { return value < other->offset; }),
        &interval);
  }
  return bytes;
}
