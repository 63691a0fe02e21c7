//===- Convolution.cpp - causal convolution -------------------------------===//
//
// Part of samba-mlir, under the Apache License v2.0 with LLVM Exceptions.
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "lowering/gpu/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace samba;

namespace {

constexpr int64_t kThreads = 128;

void storeOutput(GpuEmitter &e, const ConvolutionOperands &conv, const ConvolutionPlaces &places, Value channel,
                 Value row, ArrayRef<Value> inputs) {
  Value sum = places.bias ? e.load(places.bias, conv.bias.element, channel) : e.scalar(0);
  for (auto [m, input] : llvm::enumerate(inputs))
    sum = e.fma(input, e.load(places.weight, conv.weight.element, e.add(channel, m * conv.x.width)), sum);
  if (conv.activation == Activation::Silu)
    sum = e.silu(sum);
  e.store(sum, places.result, conv.result.element, e.add(e.mul(row, conv.result.stride), channel));
}

void storeState(GpuEmitter &e, const ConvolutionOperands &conv, Value state, Value channel, ArrayRef<Value> inputs) {
  for (auto [m, input] : llvm::enumerate(inputs))
    e.store(input, state, e.b.getF32Type(), e.add(channel, m * conv.x.width));
}

void moveOn(GpuEmitter &e, const ConvolutionOperands &conv, const ConvolutionPlaces &places, Value state, Value channel,
            Value row, Value input) {
  SmallVector<Value> inputs;
  for (int64_t m = 0; m < conv.state.type.getShape()[0]; ++m)
    inputs.push_back(e.load(state, e.b.getF32Type(), e.add(channel, m * conv.x.width)));
  inputs.push_back(input);
  storeOutput(e, conv, places, channel, row, inputs);
  storeState(e, conv, state, channel, ArrayRef<Value>(inputs).drop_front());
}

/// The kernels of one convolution. Thread = channel.
class ConvolutionLaunches {
public:
  ConvolutionLaunches(StepBuilder &s, const ConvolutionOperands &conv)
      : s(s), conv(conv), channels(conv.x.width), taps(conv.state.type.getShape()[0] + 1) {}

  // Tokens are independent of each other: a thread for each. The states are replaced afterwards, when no block reads
  // the old ones any more.
  void prefill() {
    StepBuilder::Spec spec = specOf("causal_conv1d");
    spec.grid[1].of = Extent::Tokens;
    std::vector<LaunchArgument> arguments = argumentsOf();
    arguments.push_back(s.input("segments"));
    s.launch(spec, arguments, [&](GpuEmitter &e, ValueRange arguments) {
      bind(e, arguments);
      Value row = e.block(1), sequence = findSegment(e, arguments.back(), row);
      Value start = e.loadIndex(arguments.back(), 64, sequence);
      Value state = statePointer(e, places.states, sequence, places.offset);
      whenChannel(e, [&] {
        SmallVector<Value> inputs;
        for (int64_t m = 0; m < taps; ++m)
          inputs.push_back(inputAt(e, state, start, e.sub(row, e.index(taps - 1 - m)), m == taps - 1));
        store(e, row, inputs);
      });
    });
    StepBuilder::Spec update = specOf("causal_conv1d_state");
    update.grid[1].of = Extent::Sequences;
    s.launch(update, arguments, [&](GpuEmitter &e, ValueRange arguments) {
      bind(e, arguments);
      Value sequence = e.block(1), state = statePointer(e, places.states, sequence, places.offset);
      Value start = e.loadIndex(arguments.back(), 64, sequence);
      Value end = e.loadIndex(arguments.back(), 64, e.add(sequence, 1));
      e.when(e.less(start, end), [&] {
        whenChannel(e, [&] {
          SmallVector<Value> inputs; // all read before one is written
          for (int64_t m = 0; m < taps - 1; ++m)
            inputs.push_back(inputAt(e, state, start, e.sub(end, e.index(taps - 1 - m)), false));
          storeState(e, conv, state, channel, inputs);
        });
      });
    });
  }

  // One token of a sequence: a thread for each sequence, which moves the state on as it reads it.
  void decode() {
    StepBuilder::Spec spec = specOf("causal_conv1d_decode");
    spec.grid[1].of = Extent::Sequences;
    std::vector<LaunchArgument> arguments = argumentsOf();
    arguments.push_back(s.input("segments"));
    s.launch(spec, arguments, [&](GpuEmitter &e, ValueRange arguments) {
      bind(e, arguments);
      Value row = e.loadIndex(places.segments, 64, e.block(1));
      Value end = e.loadIndex(places.segments, 64, e.add(e.block(1), 1));
      e.when(e.less(row, end), [&] {
        whenChannel(e, [&] {
          Value input = e.load(x, conv.x.element, e.add(e.mul(row, conv.x.stride), channel));
          Value state = statePointer(e, places.states, e.block(1), places.offset);
          moveOn(e, conv, places, state, channel, row, input);
        });
      });
    });
  }

private:
  StepBuilder::Spec specOf(llvm::StringRef kind) {
    StepBuilder::Spec spec{kind.str(), describe(conv), kThreads};
    spec.grid[0].times = llvm::divideCeil(channels, kThreads);
    return spec;
  }

  std::vector<LaunchArgument> argumentsOf() {
    std::vector<LaunchArgument> list{conv.x.base,
                                     conv.weight.base,
                                     conv.result.base,
                                     s.input("states"),
                                     {LaunchArgument::Kind::State, conv.state.offset}};
    if (conv.bias)
      list.push_back(conv.bias.base);
    return list;
  }

  void bind(GpuEmitter &e, ValueRange arguments) {
    x = arguments[0];
    places = {arguments[1], conv.bias ? arguments[5] : Value(), arguments[2], arguments.back(), arguments[3],
              arguments[4]};
    channel = e.add(e.mul(e.block(0), kThreads), e.thread());
  }

  void whenChannel(GpuEmitter &e, llvm::function_ref<void()> body) {
    e.when(channels % kThreads == 0 ? Value() : e.less(channel, e.index(channels)), body);
  }

  /// The input of a row, which before the segment's start lies in the state.
  Value inputAt(GpuEmitter &e, Value state, Value start, Value row, bool isOwn) {
    Type f32 = e.b.getF32Type();
    if (isOwn)
      return e.load(x, conv.x.element, e.add(e.mul(row, conv.x.stride), channel));
    Value before = e.sub(row, start); // negative in the state
    return e.choose(
        e.less(before, e.index(0)),
        [&] {
          Value slot = e.add(before, taps - 1);
          return e.load(state, f32, e.add(e.mul(slot, channels), channel));
        },
        [&] { return e.load(x, conv.x.element, e.add(e.mul(row, conv.x.stride), channel)); });
  }

  void store(GpuEmitter &e, Value row, ArrayRef<Value> inputs) { storeOutput(e, conv, places, channel, row, inputs); }

  StepBuilder &s;
  const ConvolutionOperands &conv;
  int64_t channels, taps;
  Value x, channel; // in the kernel that is being written
  ConvolutionPlaces places;
};

} // namespace

std::string samba::describe(const ConvolutionOperands &conv) {
  std::string key;
  for (const Matrix *matrix : {&conv.x, &conv.weight, &conv.bias, &conv.result})
    key += matrix->describe() + " ";
  return key + std::to_string(conv.state.type.getShape()[0]) + (conv.activation == Activation::Silu ? " silu" : "");
}

void samba::emitConvolutionStep(GpuEmitter &e, const ConvolutionOperands &conv, const ConvolutionPlaces &places,
                                Value channel, Value row, Value input) {
  Value state = statePointer(e, places.states, findSegment(e, places.segments, row), places.offset);
  moveOn(e, conv, places, state, channel, row, input);
}

void samba::launchConvolution(StepBuilder &s, const ConvolutionOperands &conv) {
  ConvolutionLaunches launches(s, conv);
  if (s.isDecode())
    launches.decode();
  else
    launches.prefill();
}
