//===- Scan.cpp - selective scan ------------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/ScanStep.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

// A thread walks one channel of one sequence through time, with its states in registers.
void samba::launchScan(StepBuilder &s, const ScanOperands &scan) {
  ScanArguments places(scan);
  int64_t channels = scan.u.width, threads = 128;
  StepBuilder::Spec spec{s.isDecode() ? "selective_scan_decode" : "selective_scan", describe(scan), threads};
  spec.grid[0].times = llvm::divideCeil(channels, threads);
  spec.grid[1].of = Extent::Sequences;
  bool decode = s.isDecode();
  s.launch(spec, places.list, [&](GpuEmitter &e, ValueRange arguments) {
    Value channel = e.add(e.mul(e.block(0), threads), e.thread()), sequence = e.block(1);
    Value start = e.loadIndex(arguments[places.segments], 64, sequence);
    Value end = e.loadIndex(arguments[places.segments], 64, e.add(sequence, 1));
    Value works = e.less(start, end);
    if (channels % threads != 0)
      works = e.both(works, e.less(channel, e.index(channels)));
    e.when(works, [&] {
      ScanStep step(e, scan, places, arguments, channel);
      Value state = statePointer(e, arguments[places.states], sequence, arguments[places.offset]);
      SmallVector<Value> h = step.loadState(state);
      if (decode)
        step.advance(start, h, /*writes=*/true);
      else
        h = e.loop(start, end, 1, h, [&](Value row, ValueRange carried) {
          SmallVector<Value> h(carried);
          step.advance(row, h, /*writes=*/true);
          return h;
        });
      step.storeState(state, h);
    });
  });
}

//===----------------------------------------------------------------------===//
// One step of one channel
//===----------------------------------------------------------------------===//

std::string samba::describe(const ScanOperands &scan) {
  std::string key;
  for (const Matrix *matrix :
       {&scan.u, &scan.delta, &scan.A, &scan.B, &scan.C, &scan.D, &scan.z, &scan.deltaBias, &scan.result})
    key += matrix->describe() + " ";
  return key + std::to_string(scan.state.type.getShape()[0]) + (scan.softplus ? " softplus" : "");
}

ScanArguments::ScanArguments(const ScanOperands &scan) {
  for (auto [matrix, place] :
       {std::pair(&scan.u, &u), std::pair(&scan.delta, &delta), std::pair(&scan.A, &A), std::pair(&scan.B, &B),
        std::pair(&scan.C, &C), std::pair(&scan.D, &D), std::pair(&scan.z, &z), std::pair(&scan.deltaBias, &deltaBias),
        std::pair(&scan.result, &result)})
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
}

ScanStep::ScanStep(GpuEmitter &e, const ScanOperands &scan, const ScanArguments &places, ValueRange arguments,
                   Value channel)
    : e(e), scan(scan), places(places), arguments(arguments), channel(channel), states(scan.state.type.getShape()[0]),
      channels(scan.u.width) {
  for (int64_t n = 0; n < states; ++n) {
    Value a = e.load(arguments[places.A], scan.A.element, e.add(channel, n * channels));
    A.push_back(e.mulf(a, e.scalar(kLog2E)));
  }
  if (scan.D)
    D = e.load(arguments[places.D], scan.D.element, channel);
  if (scan.deltaBias)
    deltaBias = e.load(arguments[places.deltaBias], scan.deltaBias.element, channel);
}

SmallVector<Value> ScanStep::loadState(Value state) {
  SmallVector<Value> h;
  for (int64_t n = 0; n < states; ++n)
    h.push_back(e.load(state, e.b.getF32Type(), e.add(channel, n * channels)));
  return h;
}

void ScanStep::storeState(Value state, ArrayRef<Value> h) {
  for (int64_t n = 0; n < states; ++n)
    e.store(h[n], state, e.b.getF32Type(), e.add(channel, n * channels));
}

Value ScanStep::advance(Value row, MutableArrayRef<Value> h, bool writes) {
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
  Value u = at(scan.u, places.u), delta = at(scan.delta, places.delta);
  Value z = scan.z && writes ? at(scan.z, places.z) : Value();
  SmallVector<Value> inputs = rowOf(scan.B, places.B), outputs;
  if (writes)
    outputs = rowOf(scan.C, places.C);
  if (deltaBias)
    delta = e.addf(delta, deltaBias);
  if (scan.softplus)
    delta = e.softplus(delta);
  Value scaled = e.mulf(delta, u), y = writes && D ? e.mulf(D, u) : e.scalar(0);
  for (int64_t n = 0; n < states; ++n) {
    h[n] = e.fma(e.exp2(e.mulf(delta, A[n])), h[n], e.mulf(scaled, inputs[n]));
    if (writes)
      y = e.fma(outputs[n], h[n], y);
  }
  if (!writes)
    return delta;
  if (z)
    y = e.mulf(y, e.silu(z));
  e.store(y, arguments[places.result], scan.result.element, e.add(e.mul(row, scan.result.stride), channel));
  return delta;
}
