//===- Scan.cpp - selective scan -------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Parallel over sequences and strips of channels; sequential along time with the states of a strip in registers.
// exp(dt A) is computed as 2^(dt A log2 e) with A log2 e kept in registers. More states than `kScanStatesPerPass` go in
// several passes over the segment, each adding its share to the result; the last pass adds the skip and gates.
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/Kernels.h"

using namespace mlir;
using namespace samba;

namespace {

/// One strip of channels of one sequence.
struct Strip {
  Emitter &e;
  const ScanBuffers &buffers;
  Value state, begin, end, channel;
  int64_t lanes;

  void emitPass(int64_t firstState, int64_t lastState, bool first, bool last) {
    SmallVector<Value> decay, h;
    for (int64_t n = firstState; n < lastState; ++n) {
      decay.push_back(e.mulf(e.load(buffers.A, {e.index(n), channel}, lanes), e.splat(kLog2E, lanes)));
      h.push_back(e.load(state, {e.index(n), channel}, lanes));
    }
    Value bias = buffers.deltaBias ? e.load(buffers.deltaBias, channel, lanes) : Value();
    Value skip = buffers.D && last ? e.load(buffers.D, channel, lanes) : Value();
    auto round = [&](Value value) { return buffers.roundOutput ? e.roundToBf16(value) : value; };
    h = e.loop(begin, end, 1, h, [&](Value t, ValueRange carried) {
      Value u = e.load(buffers.u, {t, channel}, lanes);
      Value dt = e.load(buffers.delta, {t, channel}, lanes);
      if (bias)
        dt = e.addf(dt, bias);
      if (buffers.softplus)
        dt = e.softplus(dt, buffers.plainLog);
      Value input = e.mulf(dt, u);
      Value y = first ? e.splat(0, lanes) : e.load(buffers.result, {t, channel}, lanes);
      SmallVector<Value> next;
      for (int64_t n = firstState; n < lastState; ++n) {
        Value b = e.broadcast(e.loadScalar(buffers.B, {t, e.index(n)}), lanes);
        Value c = e.broadcast(e.loadScalar(buffers.C, {t, e.index(n)}), lanes);
        Value kept = e.mulf(e.exp2(e.mulf(dt, decay[n - firstState])), carried[n - firstState]);
        next.push_back(e.fma(input, b, kept));
        y = e.fma(c, round(next.back()), y);
      }
      if (last)
        y = round(y);
      if (skip)
        y = buffers.roundOutput ? round(e.addf(y, round(e.mulf(round(skip), u)))) : e.fma(skip, u, y);
      if (buffers.z && last)
        y = round(e.mulf(y, round(e.silu(e.load(buffers.z, {t, channel}, lanes)))));
      e.store(y, buffers.result, {t, channel});
      return next;
    });
    for (int64_t n = firstState; n < lastState; ++n)
      e.store(buffers.roundState ? e.roundToBf16(h[n - firstState]) : h[n - firstState], state, {e.index(n), channel});
  }
};

} // namespace

void samba::emitSelectiveScan(Emitter &e, const ScanBuffers &buffers, const StateBuffer &state) {
  int64_t channels = cast<MemRefType>(buffers.u.getType()).getDimSize(1), lanes = e.target.lanes();
  int64_t states = cast<MemRefType>(buffers.A.getType()).getDimSize(0);
  Value sequences = e.sub(e.rows(buffers.segments), e.index(1));
  e.parallel({sequences, e.index(llvm::divideCeil(channels, lanes))}, [&](ValueRange item) {
    Value sequence = item[0];
    Value h = state.slice(e, sequence);
    Value begin = e.loadIndex(buffers.segments, sequence);
    Value end = e.loadIndex(buffers.segments, e.add(sequence, 1));
    e.strip(item[1], channels, lanes, [&](Value channel, int64_t n) {
      Strip strip{e, buffers, h, begin, end, channel, n};
      for (int64_t first = 0; first < states; first += kScanStatesPerPass) {
        int64_t last = std::min(states, first + kScanStatesPerPass);
        strip.emitPass(first, last, first == 0, last == states);
      }
    });
  });
}
