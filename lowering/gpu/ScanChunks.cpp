//===- ScanChunks.cpp - selective scan of long segments -------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// One sequence has too few channels to fill a device, so time is cut into chunks. A first kernel walks each chunk but
// the last from a state of zeros and sums up its time steps; a second one carries the true states from chunk to chunk,
// because h_end = exp(A sum dt) h_start + h_end(0); the third walks each chunk from its true start. A segment of one
// chunk needs the third alone, and the others leave it at once.
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/ScanStep.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kChunk = 64, kThreads = 128;

/// A block's sequence and chunk.
struct Place {
  Place(GpuEmitter &e, const ScanArguments &places, ValueRange arguments, Value sequence) : sequence(sequence) {
    start = e.loadIndex(arguments[places.segments], 64, sequence);
    end = e.loadIndex(arguments[places.segments], 64, e.add(sequence, 1));
    chunks = e.divFloor(e.add(e.sub(end, start), kChunk - 1), kChunk);
    // Distinct for all chunks of all sequences, because floor(a) + ceil(b) <= floor(a + b) + 1.
    firstSlot = e.add(e.divFloor(start, kChunk), sequence);
  }
  Value sequence, start, end, chunks, firstSlot;
};

class Launches {
public:
  Launches(StepBuilder &s, const ScanOperands &scan)
      : s(s), scan(scan), places(scan), channels(scan.u.width), states(scan.state.type.getShape()[0]) {
    // [slot, N, E] and [slot, E].
    int64_t slots = s.limits().tokens / kChunk + s.limits().sequences;
    Type f32 = Float32Type::get(s.context());
    carried = s.buffer(slots * states * channels, f32, Extent::One);
    sums = s.buffer(slots * channels, f32, Extent::One);
    carriedPlace = places.list.size();
    places.list.push_back(carried.base);
    places.list.push_back(sums.base);
  }

  void launch() {
    add("scan_chunks", true, [&](GpuEmitter &e, ValueRange arguments, ScanStep &step, const Place &place) {
      Value chunk = e.block(2);
      e.when(e.less(e.add(chunk, 1), place.chunks), [&] {
        SmallVector<Value> h(states, e.scalar(0));
        h.push_back(e.scalar(0));
        Value first = e.add(place.start, e.mul(chunk, kChunk));
        h = e.loop(first, e.add(first, kChunk), 1, h, [&](Value row, ValueRange values) {
          SmallVector<Value> h(values);
          Value delta = step.advance(row, MutableArrayRef<Value>(h).drop_back(),
                                     /*writes=*/false);
          h.back() = e.addf(h.back(), delta);
          return h;
        });
        Value slot = e.add(place.firstSlot, chunk);
        step.storeState(slotPointer(e, arguments, slot), ArrayRef<Value>(h).drop_back());
        e.store(h.back(), arguments[carriedPlace + 1], e.b.getF32Type(), e.add(e.mul(slot, channels), channel(e)));
      });
    });
    add("scan_carry", false, [&](GpuEmitter &e, ValueRange arguments, ScanStep &step, const Place &place) {
      e.when(e.less(e.index(1), place.chunks), [&] {
        Value state = statePointer(e, arguments[places.states], place.sequence, arguments[places.offset]);
        SmallVector<Value> h = step.loadState(state);
        Value last = e.sub(place.chunks, e.index(1));
        h = e.loop(e.index(0), last, 1, h, [&](Value chunk, ValueRange values) {
          Value slot = e.add(place.firstSlot, chunk), pointer = slotPointer(e, arguments, slot);
          SmallVector<Value> local = step.loadState(pointer), next;
          step.storeState(pointer, SmallVector<Value>(values));
          Value sum = e.load(arguments[carriedPlace + 1], e.b.getF32Type(), e.add(e.mul(slot, channels), channel(e)));
          for (int64_t n = 0; n < states; ++n)
            next.push_back(e.fma(e.exp2(e.mulf(sum, step.A[n])), values[n], local[n]));
          return next;
        });
        step.storeState(slotPointer(e, arguments, e.add(place.firstSlot, last)), h);
      });
    });
    add("scan_outputs", true, [&](GpuEmitter &e, ValueRange arguments, ScanStep &step, const Place &place) {
      Value chunk = e.block(2);
      e.when(e.less(chunk, place.chunks), [&] {
        Value state = statePointer(e, arguments[places.states], place.sequence, arguments[places.offset]);
        Value slot = slotPointer(e, arguments, e.add(place.firstSlot, chunk));
        SmallVector<Value> h = step.loadState(e.select(e.equal(place.chunks, e.index(1)), state, slot));
        Value first = e.add(place.start, e.mul(chunk, kChunk));
        h = e.loop(first, e.minimum(e.add(first, kChunk), place.end), 1, h, [&](Value row, ValueRange values) {
          SmallVector<Value> h(values);
          step.advance(row, h, /*writes=*/true);
          return h;
        });
        e.when(e.equal(e.add(chunk, 1), place.chunks), [&] { step.storeState(state, h); });
      });
    });
  }

private:
  using Body = llvm::function_ref<void(GpuEmitter &, ValueRange, ScanStep &, const Place &)>;

  void add(llvm::StringRef kind, bool overChunks, Body body) {
    StepBuilder::Spec spec{kind.str(), describe(scan), kThreads};
    spec.grid[0].times = llvm::divideCeil(channels, kThreads);
    spec.grid[1].of = Extent::Sequences;
    if (overChunks)
      spec.grid[2] = {Extent::Longest, kChunk};
    s.launch(spec, places.list, [&](GpuEmitter &e, ValueRange arguments) {
      auto emit = [&] {
        Place place(e, places, arguments, e.block(1));
        ScanStep step(e, scan, places, arguments, channel(e));
        body(e, arguments, step, place);
      };
      if (channels % kThreads == 0)
        emit();
      else
        e.when(e.less(channel(e), e.index(channels)), emit);
    });
  }

  Value channel(GpuEmitter &e) { return e.add(e.mul(e.block(0), kThreads), e.thread()); }

  /// The states of a slot, laid out as those of a sequence.
  Value slotPointer(GpuEmitter &e, ValueRange arguments, Value slot) {
    return e.address(arguments[carriedPlace], e.b.getF32Type(), e.mul(slot, states * channels));
  }

  StepBuilder &s;
  const ScanOperands &scan;
  ScanArguments places;
  int64_t channels, states;
  Matrix carried, sums;
  size_t carriedPlace;
};

} // namespace

bool samba::needsScanChunks(const StepBuilder &s, const ScanOperands &scan) {
  return !s.isDecode() && s.limits().tokens > kChunk && !scan.projection;
}

void samba::launchScanChunks(StepBuilder &s, const ScanOperands &scan) { Launches(s, scan).launch(); }
