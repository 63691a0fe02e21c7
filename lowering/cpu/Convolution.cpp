//===- Convolution.cpp - causal depthwise convolution -----------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Parallel over sequences and strips of channels. Along time the last K-1 inputs of a strip travel in registers, from
// the state at the start to the state at the end.
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/Kernels.h"

using namespace mlir;
using namespace samba;

void samba::emitCausalConv1d(Emitter &e, Value x, Value weight, Value bias, Value segments, const StateBuffer &state,
                             Activation activation, Value result) {
  int64_t channels = cast<MemRefType>(x.getType()).getDimSize(1), lanes = e.target.lanes();
  int64_t taps = cast<MemRefType>(weight.getType()).getDimSize(0);
  Value sequences = e.sub(e.rows(segments), e.index(1));
  e.parallel({sequences, e.index(llvm::divideCeil(channels, lanes))}, [&](ValueRange item) {
    Value sequence = item[0];
    Value tail = state.slice(e, sequence);
    Value begin = e.loadIndex(segments, sequence), end = e.loadIndex(segments, e.add(sequence, 1));
    e.strip(item[1], channels, lanes, [&](Value channel, int64_t n) {
      SmallVector<Value> w, past;
      for (int64_t m = 0; m < taps; ++m)
        w.push_back(e.load(weight, {e.index(m), channel}, n));
      for (int64_t m = 0; m < taps - 1; ++m)
        past.push_back(e.load(tail, {e.index(m), channel}, n));
      Value start = bias ? e.load(bias, channel, n) : e.splat(0, n);
      past = e.loop(begin, end, 1, past, [&](Value t, ValueRange carried) {
        SmallVector<Value> inputs(carried.begin(), carried.end());
        inputs.push_back(e.load(x, {t, channel}, n));
        Value y = start;
        for (int64_t m = 0; m < taps; ++m)
          y = e.fma(w[m], inputs[m], y);
        if (activation == Activation::Silu)
          y = e.silu(y);
        e.store(y, result, {t, channel});
        inputs.erase(inputs.begin());
        return inputs;
      });
      for (int64_t m = 0; m < taps - 1; ++m)
        e.store(past[m], tail, {e.index(m), channel});
    });
  });
}
