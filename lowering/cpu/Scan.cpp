//===- Scan.cpp - selective scan -------------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

//
// Parallel over sequences and strips of channels; sequential along time, in tiles of tokens. What a tile needs of each
// token and channel alone, the time step before and the gate after the scan, has loops of its own: there tokens are
// independent, and a machine hides the latency of one behind others. Between them lies the scan with the states of a
// strip in registers. exp(dt A) is computed as 2^(dt A log2 e) with A log2 e kept in registers or the first cache.
// More states than `kScanStatesPerPass` go in several passes over the tile, each adding its share to the result.
//
// A strip is one line of each row, and rows are pages apart, where no machine reads ahead by itself. The scan, which
// computes for long, therefore asks for the lines of the next tile, or of the next strip.
//
//===----------------------------------------------------------------------===//

#include "lowering/cpu/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kScanStatesPerPass = 16; // that fit the registers
constexpr int64_t kTileTokens = 64;        // dt, dt u and y of a strip: half of a first cache of 32 KB with 16 lanes

/// What a thread keeps of a tile, `[kTileTokens, lanes]` each, and the states `[N, lanes]` between two tiles.
struct Scratch {
  Value step, input, sum, states;
};

/// One strip of channels of one sequence.
class Strip {
public:
  Strip(Emitter &e, const ScanBuffers &buffers, const Scratch &scratch, Value channel, int64_t lanes)
      : e(e), buffers(buffers), scratch(scratch), channel(channel), lanes(lanes),
        states(cast<MemRefType>(buffers.A.getType()).getDimSize(0)) {}

  void emit(Value state, Value begin, Value end) {
    Value last = e.index(cast<MemRefType>(buffers.u.getType()).getDimSize(1) - 1);
    Value nextChannel = e.minimum(e.add(channel, lanes), last), afterNext = e.minimum(e.add(channel, 2 * lanes), last);
    for (int64_t n = 0; n < states; ++n) {
      e.store(e.load(state, {e.index(n), channel}, lanes), scratch.states, {e.index(n), e.index(0)});
      e.prefetch(state, {e.index(n), afterNext}, /*write=*/true, /*level=*/2);
      e.prefetch(buffers.A, {e.index(n), afterNext}, /*write=*/false, /*level=*/2);
    }
    e.loop(begin, end, kTileTokens, [&](Value first) {
      Value count = e.minimum(e.sub(end, first), e.index(kTileTokens));
      Value goesOn = e.less(e.add(first, kTileTokens), end);
      ahead = {arith::SelectOp::create(e.b, e.loc, goesOn, e.add(first, kTileTokens), begin),
               arith::SelectOp::create(e.b, e.loc, goesOn, channel, nextChannel), e.sub(end, e.index(1))};
      emitSteps(first, count);
      for (int64_t n = 0; n < states; n += kScanStatesPerPass)
        emitScan(first, count, n, std::min(states, n + kScanStatesPerPass));
      emitGate(first, count);
    });
    for (int64_t n = 0; n < states; ++n) {
      Value h = e.load(scratch.states, {e.index(n), e.index(0)}, lanes);
      e.store(buffers.roundState ? e.roundToBf16(h) : h, state, {e.index(n), channel});
    }
  }

private:
  Value round(Value value) { return buffers.roundOutput ? e.roundToBf16(value) : value; }

  void emitSteps(Value first, Value count) {
    Value bias = buffers.deltaBias ? e.load(buffers.deltaBias, channel, lanes) : Value();
    e.loop(e.index(0), count, 1, [&](Value i) {
      Value t = e.add(first, i);
      Value dt = e.load(buffers.delta, {t, channel}, lanes);
      if (bias)
        dt = e.addf(dt, bias);
      if (buffers.softplus)
        dt = e.softplus(dt, buffers.plainLog);
      e.store(dt, scratch.step, {i, e.index(0)});
      e.store(e.mulf(dt, e.load(buffers.u, {t, channel}, lanes)), scratch.input, {i, e.index(0)});
    });
  }

  void emitScan(Value first, Value count, int64_t firstState, int64_t lastState) {
    SmallVector<Value> decay, h;
    for (int64_t n = firstState; n < lastState; ++n) {
      decay.push_back(e.mulf(e.load(buffers.A, {e.index(n), channel}, lanes), e.splat(kLog2E, lanes)));
      h.push_back(e.load(scratch.states, {e.index(n), e.index(0)}, lanes));
    }
    h = e.loop(e.index(0), count, 1, h, [&](Value i, ValueRange carried) {
      Value t = e.add(first, i);
      Value dt = e.load(scratch.step, {i, e.index(0)}, lanes), input = e.load(scratch.input, {i, e.index(0)}, lanes);
      Value y = firstState == 0 ? e.splat(0, lanes) : e.load(scratch.sum, {i, e.index(0)}, lanes);
      if (lastState == states)
        askFor(i);
      SmallVector<Value> next;
      for (int64_t n = firstState; n < lastState; ++n) {
        Value b = e.broadcast(e.loadScalar(buffers.B, {t, e.index(n)}), lanes);
        Value c = e.broadcast(e.loadScalar(buffers.C, {t, e.index(n)}), lanes);
        next.push_back(e.scaleAdd(e.mulf(dt, decay[n - firstState]), carried[n - firstState], e.mulf(input, b)));
        y = e.fma(c, round(next.back()), y);
      }
      e.store(y, scratch.sum, {i, e.index(0)});
      return next;
    });
    for (int64_t n = firstState; n < lastState; ++n)
      e.store(h[n - firstState], scratch.states, {e.index(n), e.index(0)});
  }

  void askFor(Value i) {
    Value row = e.minimum(e.add(ahead.row, i), ahead.lastRow);
    for (Value rows : {buffers.u, buffers.delta, buffers.z})
      if (rows)
        e.prefetch(rows, {row, ahead.channel}, /*write=*/false, /*level=*/2);
    e.prefetch(buffers.result, {row, ahead.channel}, /*write=*/true, /*level=*/2);
  }

  void emitGate(Value first, Value count) {
    Value skip = buffers.D ? e.load(buffers.D, channel, lanes) : Value();
    e.loop(e.index(0), count, 1, [&](Value i) {
      Value t = e.add(first, i);
      Value y = round(e.load(scratch.sum, {i, e.index(0)}, lanes));
      if (skip) {
        Value u = e.load(buffers.u, {t, channel}, lanes);
        y = buffers.roundOutput ? round(e.addf(y, round(e.mulf(round(skip), u)))) : e.fma(skip, u, y);
      }
      if (buffers.z)
        y = round(e.mulf(y, round(e.silu(e.load(buffers.z, {t, channel}, lanes)))));
      e.store(y, buffers.result, {t, channel});
    });
  }

  Emitter &e;
  const ScanBuffers &buffers;
  const Scratch &scratch;
  Value channel;
  int64_t lanes, states;
  struct {
    Value row, channel, lastRow;
  } ahead; // what comes after the tile
};

} // namespace

void samba::emitSelectiveScan(Emitter &e, const ScanBuffers &buffers, const StateBuffer &state) {
  int64_t channels = cast<MemRefType>(buffers.u.getType()).getDimSize(1), lanes = e.target.lanes();
  int64_t states = cast<MemRefType>(buffers.A.getType()).getDimSize(0);
  auto memory = [&](int64_t rows) { return e.threadMemory(MemRefType::get({rows, lanes}, e.b.getF32Type())); };
  Scratch scratch{memory(kTileTokens), memory(kTileTokens), memory(kTileTokens), memory(states)};
  Value sequences = e.sub(e.rows(buffers.segments), e.index(1));
  e.parallel({sequences, e.index(llvm::divideCeil(channels, lanes))}, [&](ValueRange item) {
    Value sequence = item[0];
    Value h = state.slice(e, sequence);
    Value begin = e.loadIndex(buffers.segments, sequence);
    Value end = e.loadIndex(buffers.segments, e.add(sequence, 1));
    e.strip(item[1], channels, lanes,
            [&](Value channel, int64_t n) { Strip(e, buffers, scratch, channel, n).emit(h, begin, end); });
  });
}
