//===- Rotary.cpp - rotary embedding --------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

using namespace mlir;
using namespace samba;

// A thread for each angle. Frequencies are a table of f64 in the module's constants, as the host computes them.
void samba::launchRotaryTable(StepBuilder &s, double theta, const Matrix &result) {
  int64_t headDim = result.width, half = headDim / 2;
  int64_t threads = std::clamp<int64_t>(llvm::alignTo(half, kWarp), kWarp, 256);
  StepBuilder::Spec spec{"rotary_table", llvm::formatv("{0} {1:e17}", result.describe(), theta), threads};
  spec.grid[0].of = Extent::Tokens;
  std::vector<LaunchArgument> arguments{s.input("segments"), s.input("positions"), result.base};
  s.launch(spec, arguments, [&](GpuEmitter &e, ValueRange arguments) {
    SmallVector<double> values;
    for (int64_t i = 0; i < half; ++i)
      values.push_back(std::pow(theta, -2.0 * i / headDim));
    Type f64 = e.b.getF64Type(), f32 = e.b.getF32Type();
    Value frequencies = e.constants(values);
    Value row = e.block(0), sequence = findSegment(e, arguments[0], row);
    // Positions need 64 bits.
    Type word = e.b.getI64Type();
    Value start = e.loadRaw(e.address(arguments[1], word, sequence), word, 8);
    Value first = e.loadRaw(e.address(arguments[0], word, sequence), word, 8);
    Value position = arith::AddIOp::create(e.b, e.loc, start,
                                           arith::SubIOp::create(e.b, e.loc, e.toInteger(row, 64), first).getResult());
    Value p = arith::SIToFPOp::create(e.b, e.loc, f64, position);
    e.loop(e.thread(), e.index(half), threads, [&](Value i) {
      Value frequency = e.loadRaw(e.address(frequencies, f64, i), f64, 8);
      auto [cosine, sine] = e.cosSin(e.mulf(p, frequency));
      Value place = e.add(e.mul(row, result.stride), i);
      e.store(cosine, arguments[2], f32, place);
      e.store(sine, arguments[2], f32, e.add(place, half));
    });
  });
}

// A thread for each pair of lanes.
void samba::launchRotary(StepBuilder &s, const Matrix &x, const Matrix &table, const Matrix &result) {
  int64_t headDim = table.width, half = headDim / 2, pairs = x.width / 2, threads = 128;
  StepBuilder::Spec spec{"rotary", llvm::formatv("{0} {1} {2}", x.describe(), table.describe(), result.describe()),
                         threads};
  spec.grid[0].times = llvm::divideCeil(pairs, threads);
  spec.grid[1].of = x.extent;
  s.launch(spec, {x.base, table.base, result.base}, [&](GpuEmitter &e, ValueRange arguments) {
    Value pair = e.add(e.mul(e.block(0), threads), e.thread()), row = e.block(1);
    e.when(e.less(pair, e.index(pairs)), [&] {
      Value column = e.remainder(pair, half);
      Value low = e.add(e.mul(e.divFloor(pair, half), headDim), column);
      Value from = e.add(e.mul(row, x.stride), low), angle = e.add(e.mul(row, table.stride), column);
      Value a = e.load(arguments[0], x.element, from), b = e.load(arguments[0], x.element, e.add(from, half));
      Value c = e.load(arguments[1], table.element, angle);
      Value sine = e.load(arguments[1], table.element, e.add(angle, half));
      Value to = e.add(e.mul(row, result.stride), low);
      e.store(e.subf(e.mulf(a, c), e.mulf(b, sine)), arguments[2], result.element, to);
      e.store(e.fma(a, sine, e.mulf(b, c)), arguments[2], result.element, e.add(to, half));
    });
  });
}
