//===- LanesTensor.cpp - products of small matrices ----------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "runtime/vgpu/Lanes.h"

using namespace samba::vgpu;

namespace samba::vgpu::VGPU_LANES {

// c[m][n] += sum over k of a[m][k] * b[k][n], the sum in f64 and rounded once.
void multiplyReal(const float *a, const float *b, float *c, unsigned rows, unsigned columns, unsigned depth) {
  for (unsigned m = 0; m < rows; ++m)
    for (unsigned first = 0; first < columns; first += 8) {
      double sums[8];
      for (unsigned n = 0; n < 8; ++n)
        sums[n] = c[m * columns + first + n];
      for (unsigned k = 0; k < depth; ++k) {
        double x = a[m * depth + k];
        const float *row = b + k * columns + first;
        for (unsigned n = 0; n < 8; ++n)
          sums[n] += x * row[n];
      }
      for (unsigned n = 0; n < 8; ++n)
        c[m * columns + first + n] = float(sums[n]);
    }
}

} // namespace samba::vgpu::VGPU_LANES
