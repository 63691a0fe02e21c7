//===- PackLoops.h - conversion and layout of one weight ---------*- C++ -*-===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every layout of the artefact is one of panels: a matrix [N, K] stored as [ceil(N/W), ceil(K/I), W, I], zeros beyond N
// and K. Row-major has W = 1, transposed has W = N, both with I = 1.
//
//===----------------------------------------------------------------------===//

#ifndef LOWERING_EMIT_PACKLOOPS_H
#define LOWERING_EMIT_PACKLOOPS_H

#include "dialect/WeightSource.h"
#include <vector>

namespace samba {

/// Where elements come from: row-major, at any alignment.
struct PackSource {
  const uint8_t *bytes = nullptr;
  DType type = DType::F32;
  int64_t elements = 0;
};

/// How one weight is packed.
struct PanelPacking {
  std::vector<PackSource> sources; // one after another: [rows, columns]
  DType packedType = DType::F32;   // F32 or BF16, rounded to nearest, ties to even
  bool negExp = false;             // -exp(x), computed in double
  bool roundSource = false;        // values of the source are rounded to bf16 before anything else
  bool plusOne = false;            // 1 is added, after that
  int64_t rows = 1;                // N
  int64_t columns = 1;             // K
  int64_t width = 1;               // W
  int64_t interleave = 1;          // I: columns side by side in a group
  int64_t bits = 0;                // of quantised elements, whose groups are blocks of `#samba.quant`; else 0

  int64_t panels() const { return (rows + width - 1) / width; }
  /// Packed data is a run of this many groups of `width * interleave` elements: one for each panel and run of
  /// `interleave` columns.
  int64_t groupsPerPanel() const { return (columns + interleave - 1) / interleave; }
  int64_t groups() const { return panels() * groupsPerPanel(); }
  int64_t groupBytes() const {
    return bits ? width * (4 + interleave * bits / 8) : width * interleave * dtypeSize(packedType);
  }
};

/// Packs the groups `begin .. end-1` into `packed`, of `(end - begin) * groupBytes()` bytes.
void packGroups(const PanelPacking &packing, int64_t begin, int64_t end, uint8_t *packed);

} // namespace samba

#endif // LOWERING_EMIT_PACKLOOPS_H
