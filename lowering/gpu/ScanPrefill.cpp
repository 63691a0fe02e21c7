//===- ScanPrefill.cpp - selective scan of segments of many tokens --------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One sequence has too few channels to fill a device, so threads share time too: a thread has two neighbouring channels
// and 8 tokens, four threads of a warp follow each other in time, and so do the four warps of a block. A block goes
// through a segment in chunks of these 128 tokens and carries 16 channels from chunk to chunk.
//
// State after state, a thread computes the decays of its tokens and walks them from zero. What precedes it is then put
// together from the products of decays and the last states of all before it, and with that start the thread walks
// again. The decays stay in registers, so there is one exponential for each token, channel and state, and everything is
// read from memory and written once. Tokens beyond the end have time steps of zero: they change no state.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/ScanArguments.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kThreads = 128, kWarps = kThreads / kWarp;
constexpr int64_t kSteps = 8;                           // tokens of a thread
constexpr int64_t kAcross = 8, kDown = kWarp / kAcross; // a warp is 8 threads of channels by 4 of time
constexpr int64_t kChunk = kWarps * kDown * kSteps;     // tokens of a block
constexpr int64_t kGroup = 16;                          // states whose B and C lie in shared memory at once
constexpr int64_t kPiece = 4;                           // neighbours in memory

/// How many channels a thread has: two, if all rows can be accessed so.
int64_t channelsOfThread(const ScanOperands &scan) {
  int64_t width = 2;
  for (const Matrix *matrix :
       {&scan.u, &scan.delta, &scan.A, &scan.D, &scan.z, &scan.deltaBias, &scan.result, &scan.kept})
    if (*matrix)
      width = std::min(width, matrix->vectorWidth(width));
  return width;
}

class Kernel {
public:
  Kernel(GpuEmitter &e, const ScanOperands &scan, const ScanArguments &places, ValueRange arguments)
      : e(e), scan(scan), places(places), arguments(arguments), channels(scan.u.width),
        states(scan.state.type.getShape()[0]), width(channelsOfThread(scan)), perBlock(kAcross * width),
        f32(e.b.getF32Type()) {}

  void emit() {
    carried = e.shared(states * perBlock * 4);
    totals = e.shared(2 * kWarps * kAcross * 2 * width * 4);
    int64_t rows = llvm::alignTo(std::min(states, kGroup), kPiece);
    inputs = e.shared(rows * kChunk * 4);
    outputs = e.shared(rows * kChunk * 4);
    Value sequence = e.block(1);
    Value start = e.loadIndex(arguments[places.segments], 64, sequence);
    end = e.loadIndex(arguments[places.segments], 64, e.add(sequence, 1));
    e.when(e.less(start, end), [&] { walk(sequence, start); });
  }

private:
  using Values = SmallVector<Value>;

  void walk(Value sequence, Value start) {
    firstChannel = e.mul(e.block(0), perBlock);
    inTime = e.divFloor(e.lane(), kAcross);
    part = e.add(e.mul(e.warp(), kDown), inTime);
    inBlock = e.mul(e.bitAnd(e.lane(), kAcross - 1), width);
    channel = e.add(firstChannel, inBlock);
    if (channels % perBlock != 0) {
      inside = e.less(channel, e.index(channels));
      channel = e.minimum(channel, e.index(channels - width));
    }
    if (scan.D)
      skip = e.load(arguments[places.D], scan.D.element, channel, width);
    if (scan.deltaBias)
      bias = e.load(arguments[places.deltaBias], scan.deltaBias.element, channel, width);

    Value state = statePointer(e, arguments[places.states], sequence, arguments[places.offset]);
    overStates([&](Value inShared, Value inState) { e.store(e.load(state, f32, inState), carried, f32, inShared); });
    e.loop(start, end, kChunk, [&](Value first) { walkChunk(first); });
    e.barrier();
    overStates([&](Value inShared, Value inState) { e.store(e.load(carried, f32, inShared), state, f32, inState); });
  }

  /// All states of the block's channels, over its threads.
  void overStates(llvm::function_ref<void(Value inShared, Value inState)> body) {
    e.loop(e.thread(), e.index(states * perBlock), kThreads, [&](Value i) {
      Value own = e.add(firstChannel, e.remainder(i, perBlock));
      Value inState = e.add(e.mul(e.divFloor(i, perBlock), channels), own);
      if (channels % perBlock == 0)
        body(i, inState);
      else
        e.when(e.less(own, e.index(channels)), [&] { body(i, inState); });
    });
  }

  void walkChunk(Value first) {
    firstRow = e.add(first, e.mul(part, kSteps));
    Values steps, scaled, y;
    for (int64_t k = 0; k < kSteps; ++k) {
      Value row = rowOf(k), exists = e.less(e.add(firstRow, k), end);
      Values u = load(scan.u, places.u, row), delta = load(scan.delta, places.delta, row);
      for (int64_t c = 0; c < width; ++c) {
        Value step = scan.deltaBias ? e.addf(delta[c], bias[c]) : delta[c];
        step = e.select(exists, scan.softplus ? e.softplus(step) : step, e.scalar(0));
        steps.push_back(step);
        scaled.push_back(e.mulf(step, u[c]));
        y.push_back(scan.D ? e.mulf(skip[c], u[c]) : e.scalar(0));
      }
    }
    for (int64_t group = 0; group < states; group += kGroup) {
      int64_t count = std::min(kGroup, states - group);
      e.barrier(); // the rows before are used up; the states that were carried are there
      stage(scan.B, places.B, inputs, first, group, count);
      stage(scan.C, places.C, outputs, first, group, count);
      e.barrier();
      y = e.loop(e.index(0), e.index(count), 1, y,
                 [&](Value n, ValueRange values) { return walkState(n, group, steps, scaled, Values(values)); });
    }
    for (int64_t k = 0; k < kSteps; ++k) {
      Value row = e.add(firstRow, k), writes = e.less(row, end);
      e.when(inside ? e.both(inside, writes) : writes, [&] {
        Values result(y.begin() + k * width, y.begin() + (k + 1) * width);
        if (scan.kept)
          e.store(result, arguments[places.kept], scan.kept.element, e.add(e.mul(row, scan.kept.stride), channel));
        if (scan.z)
          for (auto [value, z] : llvm::zip(result, load(scan.z, places.z, row)))
            value = e.mulf(value, e.silu(z));
        e.store(result, arguments[places.result], scan.result.element, e.add(e.mul(row, scan.result.stride), channel));
      });
    }
  }

  Value rowOf(int64_t k) { return e.minimum(e.add(firstRow, k), e.sub(end, e.index(1))); }

  Values load(const Matrix &matrix, size_t place, Value row) {
    return e.load(arguments[place], matrix.element, e.add(e.mul(row, matrix.stride), channel), width);
  }

  /// Rows of states and columns of tokens, permuted by xor so that neither the transposing stores nor the reads of a
  /// thread's eight tokens meet in a bank.
  static int64_t permutation(int64_t count) { return count <= 2 * kPiece ? 16 : 8; }

  void stage(const Matrix &matrix, size_t place, Value memory, Value first, int64_t group, int64_t count) {
    int64_t pieces = llvm::divideCeil(count, kPiece);
    int64_t lanes = count % kPiece == 0 ? matrix.vectorWidth(kPiece) : 1;
    e.loop(e.thread(), e.index(kChunk * pieces), kThreads, [&](Value item) {
      Value piece = e.remainder(item, pieces), token = e.divFloor(item, pieces);
      Value row = e.minimum(e.add(first, token), e.sub(end, e.index(1)));
      Value column = e.bitXor(token, e.mul(piece, permutation(count)));
      for (int64_t i = 0; i < kPiece; i += lanes) {
        Value n = e.add(e.mul(piece, kPiece), i), exists = n;
        if (count % kPiece != 0) // those that do not exist are not read
          exists = e.minimum(n, e.index(count - 1));
        Values values =
            e.load(arguments[place], matrix.element, e.add(e.mul(row, matrix.stride), e.add(exists, group)), lanes);
        for (auto [j, value] : llvm::enumerate(values))
          e.store(value, memory, f32, e.add(e.mul(e.add(n, j), kChunk), column));
      }
    });
  }

  /// What lies in shared memory of this thread's tokens.
  Values take(Value memory, Value n, int64_t count) {
    Value column = e.bitXor(e.mul(part, kSteps), e.mul(e.divFloor(n, kPiece), permutation(count)));
    return e.load(memory, f32, e.add(e.mul(n, kChunk), column), kSteps);
  }

  /// Takes all tokens of the chunk through state `group + n`, which adds to the outputs `y`.
  Values walkState(Value n, int64_t group, ArrayRef<Value> steps, ArrayRef<Value> scaled, Values y) {
    int64_t count = std::min(kGroup, states - group);
    Value number = e.add(n, group), place = e.add(e.mul(number, perBlock), inBlock);
    Values A = e.load(arguments[places.A], scan.A.element, e.add(e.mul(number, channels), channel), width);
    Values before = e.load(carried, f32, place, width), B = take(inputs, n, count);
    // From zero: the product of decays and the last state.
    Values decays, terms, product, last;
    for (int64_t k = 0; k < kSteps; ++k)
      for (int64_t c = 0; c < width; ++c) {
        int64_t i = k * width + c;
        decays.push_back(e.exp2(e.mulf(steps[i], e.mulf(A[c], e.scalar(kLog2E)))));
        terms.push_back(e.mulf(scaled[i], B[k]));
        if (k == 0) {
          product.push_back(decays[i]);
          last.push_back(terms[i]);
          continue;
        }
        product[c] = e.mulf(product[c], decays[i]);
        last[c] = e.fma(decays[i], last[c], terms[i]);
      }
    // Of this thread's and all before it in the warp, then of those before it alone.
    for (int64_t distance = 1; distance < kDown; distance *= 2) {
      Value has = e.less(e.index(distance - 1), inTime);
      for (int64_t c = 0; c < width; ++c) {
        Value earlier = e.shuffleUp(product[c], distance * kAcross), state = e.shuffleUp(last[c], distance * kAcross);
        last[c] = e.select(has, e.fma(product[c], state, last[c]), last[c]);
        product[c] = e.select(has, e.mulf(product[c], earlier), product[c]);
      }
    }
    Value buffer = e.mul(e.bitAnd(n, 1), kWarps * kAcross * 2 * width);
    auto totalOf = [&](Value warp) {
      return e.add(buffer, e.add(e.mul(warp, kAcross * 2 * width), e.mul(inBlock, 2)));
    };
    e.when(e.equal(inTime, e.index(kDown - 1)), [&] {
      Values both(product);
      llvm::append_range(both, last);
      e.store(both, totals, f32, totalOf(e.warp()));
    });
    Value isFirst = e.equal(inTime, e.index(0));
    for (int64_t c = 0; c < width; ++c) {
      product[c] = e.select(isFirst, e.scalar(1), e.shuffleUp(product[c], kAcross));
      last[c] = e.select(isFirst, e.scalar(0), e.shuffleUp(last[c], kAcross));
    }
    e.barrier(); // two buffers: nobody writes to this one before all have passed the next barrier
    Values h = before;
    for (int64_t warp = 0; warp < kWarps - 1; ++warp) {
      Values both = e.load(totals, f32, totalOf(e.index(warp)), 2 * width);
      Value isBefore = e.less(e.index(warp), e.warp());
      for (int64_t c = 0; c < width; ++c)
        h[c] = e.select(isBefore, e.fma(both[c], h[c], both[width + c]), h[c]);
    }
    for (int64_t c = 0; c < width; ++c)
      h[c] = e.fma(product[c], h[c], last[c]);
    Values C = take(outputs, n, count);
    for (int64_t k = 0; k < kSteps; ++k)
      for (int64_t c = 0; c < width; ++c) {
        int64_t i = k * width + c;
        h[c] = e.fma(decays[i], h[c], terms[i]);
        y[i] = e.fma(C[k], h[c], y[i]);
      }
    e.when(e.equal(part, e.index(kWarps * kDown - 1)), [&] { e.store(h, carried, f32, place); });
    return y;
  }

  GpuEmitter &e;
  const ScanOperands &scan;
  const ScanArguments &places;
  ValueRange arguments;
  int64_t channels, states;
  int64_t width;    // channels of a thread
  int64_t perBlock; // channels of a block
  Type f32;
  Value carried, totals, inputs, outputs; // shared memory: [N, channels], [2, warps, channels, 2], twice [N, tokens]
  Value end, firstChannel, inBlock, channel, inside, inTime, part, firstRow;
  Values skip, bias;
};

} // namespace

void samba::launchScanPrefill(StepBuilder &s, const ScanOperands &scan) {
  ScanArguments places(scan);
  StepBuilder::Spec spec{"selective_scan", describe(scan), kThreads};
  spec.grid[0].times = llvm::divideCeil(scan.u.width, kAcross * channelsOfThread(scan));
  spec.grid[1].of = Extent::Sequences;
  s.launch(spec, places.list, [&](GpuEmitter &e, ValueRange arguments) { Kernel(e, scan, places, arguments).emit(); });
}
