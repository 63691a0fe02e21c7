//===- Scan.cpp - selective scan of one token a sequence ------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/ScanArguments.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

namespace {

/// How a warp computes the products of its channels: groups of `group` lanes, each with `rounds` pieces of a channel's
/// weights, one channel after another.
struct ProjectionShape {
  explicit ProjectionShape(const LinearOperands &projection) {
    int64_t bytes = projection.weight.element.getIntOrFloatBitWidth() / 8;
    lanes = projection.x.vectorWidth(projection.weight.vectorWidth(16 / bytes));
    pieces = projection.x.width / lanes;
    group = std::min<int64_t>(kWarp, llvm::PowerOf2Ceil(pieces));
    rounds = llvm::divideCeil(pieces, group);
  }
  int64_t lanes, pieces, group, rounds;
};

/// The product of this thread's channel. All threads of the warp take part.
Value project(GpuEmitter &e, const LinearOperands &projection, const ScanArguments &places, ValueRange arguments,
              Value row) {
  ProjectionShape shape(projection);
  int64_t channels = projection.outputs, groups = kWarp / shape.group;
  Value lane = e.bitAnd(e.lane(), shape.group - 1), group = e.divFloor(e.lane(), shape.group);
  Value firstOfWarp = e.add(e.mul(e.block(0), e.threads), e.mul(e.warp(), kWarp));
  SmallVector<SmallVector<Value>> x;
  SmallVector<Value> columns, insides;
  for (int64_t round = 0; round < shape.rounds; ++round) {
    Value piece = e.add(lane, round * shape.group);
    bool whole = (round + 1) * shape.group <= shape.pieces;
    insides.push_back(whole ? Value() : e.less(piece, e.index(shape.pieces)));
    columns.push_back(e.mul(whole ? piece : e.select(insides.back(), piece, e.index(0)), shape.lanes));
    x.push_back(e.load(arguments[places.x], projection.x.element,
                       e.add(e.mul(row, projection.x.stride), columns.back()), shape.lanes));
  }
  // In round i the groups have the channels of the lanes from `i groups` on, in order.
  Value ownRound = e.divFloor(e.lane(), groups), source = e.mul(e.remainder(e.lane(), groups), shape.group);
  Value own = e.loop(e.index(0), e.index(shape.group), 1, e.scalar(0), [&](Value i, ValueRange carried) {
    Value channel = e.add(firstOfWarp, e.add(e.mul(i, groups), group));
    Value start = e.mul(e.minimum(channel, e.index(channels - 1)), projection.weight.stride), sum = e.scalar(0);
    for (int64_t round = 0; round < shape.rounds; ++round) {
      Value part = sum;
      for (auto [a, b] : llvm::zip(x[round], e.load(arguments[places.weight], projection.weight.element,
                                                    e.add(start, columns[round]), shape.lanes)))
        part = e.fma(a, b, part);
      sum = insides[round] ? e.select(insides[round], part, sum) : part;
    }
    Value result = e.shuffleFrom(e.warpSum(sum, shape.group), source);
    return SmallVector<Value>{e.select(e.equal(i, ownRound), result, carried[0])};
  })[0];
  if (!projection.bias)
    return own;
  Value channel = e.minimum(e.add(firstOfWarp, e.lane()), e.index(channels - 1));
  return e.addf(own, e.load(arguments[places.bias], projection.bias.element, channel));
}

/// Takes this thread's channel through the token of `row`.
void advance(GpuEmitter &e, const ScanOperands &scan, const ScanArguments &places, ValueRange arguments, Value channel,
             Value row, Value state, Value delta) {
  int64_t channels = scan.u.width, states = scan.state.type.getShape()[0];
  Type f32 = e.b.getF32Type();
  auto at = [&](const Matrix &matrix, size_t place) {
    return e.load(arguments[place], matrix.element, e.add(e.mul(row, matrix.stride), channel));
  };
  auto rowOf = [&](const Matrix &matrix, size_t place) {
    SmallVector<Value> values;
    int64_t lanes = matrix.vectorWidth(4);
    for (int64_t n = 0; n < states; n += lanes)
      llvm::append_range(values, e.load(arguments[place], matrix.element, e.add(e.mul(row, matrix.stride), n), lanes));
    return values;
  };
  // All loads first: none may move before a store.
  Value u = at(scan.u, places.u), z = scan.z ? at(scan.z, places.z) : Value();
  if (!delta)
    delta = at(scan.delta, places.delta);
  SmallVector<Value> A, h, B = rowOf(scan.B, places.B), C = rowOf(scan.C, places.C);
  for (int64_t n = 0; n < states; ++n) {
    A.push_back(e.load(arguments[places.A], scan.A.element, e.add(channel, n * channels)));
    h.push_back(e.load(state, f32, e.add(channel, n * channels)));
  }
  if (scan.deltaBias)
    delta = e.addf(delta, e.load(arguments[places.deltaBias], scan.deltaBias.element, channel));
  if (scan.softplus)
    delta = e.softplus(delta);
  Value scaled = e.mulf(delta, u), exponent = e.mulf(delta, e.scalar(kLog2E)), y = e.scalar(0);
  if (scan.D)
    y = e.mulf(e.load(arguments[places.D], scan.D.element, channel), u);
  for (int64_t n = 0; n < states; ++n) {
    h[n] = e.fma(e.exp2(e.mulf(exponent, A[n])), h[n], e.mulf(scaled, B[n]));
    y = e.fma(C[n], h[n], y);
  }
  for (int64_t n = 0; n < states; ++n)
    e.store(h[n], state, f32, e.add(channel, n * channels));
  if (scan.kept)
    e.store(y, arguments[places.kept], scan.kept.element, e.add(e.mul(row, scan.kept.stride), channel));
  if (z)
    y = e.mulf(y, e.silu(z));
  e.store(y, arguments[places.result], scan.result.element, e.add(e.mul(row, scan.result.stride), channel));
}

} // namespace

bool samba::fitsScanProjection(const StepBuilder &s, const LinearOperands &projection) {
  return s.isDecode() && !projection.weight.quant && !projection.residual && !projection.swiglu &&
         !projection.norm.weight;
}

// One token a sequence: a thread takes one channel of one sequence a step further.
void samba::launchScan(StepBuilder &s, const ScanOperands &scan) {
  if (!s.isDecode())
    return launchScanPrefill(s, scan);
  ScanArguments places(scan);
  int64_t channels = scan.u.width, threads = 128;
  StepBuilder::Spec spec{"selective_scan_decode", describe(scan), threads};
  spec.grid[0].times = llvm::divideCeil(channels, threads);
  spec.grid[1].of = Extent::Sequences;
  s.launch(spec, places.list, [&](GpuEmitter &e, ValueRange arguments) {
    Value channel = e.add(e.mul(e.block(0), threads), e.thread()), sequence = e.block(1);
    Value start = e.loadIndex(arguments[places.segments], 64, sequence);
    Value end = e.loadIndex(arguments[places.segments], 64, e.add(sequence, 1));
    e.when(e.less(start, end), [&] {
      Value delta = scan.projection ? project(e, *scan.projection, places, arguments, start) : Value();
      auto step = [&] {
        Value state = statePointer(e, arguments[places.states], sequence, arguments[places.offset]);
        advance(e, scan, places, arguments, channel, start, state, delta);
      };
      if (channels % threads == 0)
        step();
      else
        e.when(e.less(channel, e.index(channels)), step);
    });
  });
}

//===----------------------------------------------------------------------===//
// What the kernels of scans share
//===----------------------------------------------------------------------===//

std::string samba::describe(const ScanOperands &scan) {
  std::string key;
  for (const Matrix *matrix :
       {&scan.u, &scan.delta, &scan.A, &scan.B, &scan.C, &scan.D, &scan.z, &scan.deltaBias, &scan.result, &scan.kept})
    key += matrix->describe() + " ";
  key += std::to_string(scan.state.type.getShape()[0]) + (scan.softplus ? " softplus" : "");
  if (scan.projection)
    key += " projection " + scan.projection->x.describe() + " " + scan.projection->weight.describe() + " " +
           scan.projection->bias.describe();
  return key;
}

ScanArguments::ScanArguments(const ScanOperands &scan) {
  for (auto [matrix, place] :
       {std::pair(&scan.u, &u), std::pair(&scan.delta, &delta), std::pair(&scan.A, &A), std::pair(&scan.B, &B),
        std::pair(&scan.C, &C), std::pair(&scan.D, &D), std::pair(&scan.z, &z), std::pair(&scan.deltaBias, &deltaBias),
        std::pair(&scan.result, &result), std::pair(&scan.kept, &kept)})
    if (*matrix) {
      *place = list.size();
      list.push_back(matrix->base);
    }
  for (auto [name, place] : {std::pair("segments", &segments), std::pair("states", &states)}) {
    *place = list.size();
    list.push_back(StepBuilder::input(name));
  }
  offset = list.size();
  list.push_back({LaunchArgument::Kind::State, scan.state.offset});
  if (!scan.projection)
    return;
  for (auto [matrix, place] : {std::pair(&scan.projection->x, &x), std::pair(&scan.projection->weight, &weight),
                               std::pair(&scan.projection->bias, &bias)})
    if (*matrix) {
      *place = list.size();
      list.push_back(matrix->base);
    }
}
