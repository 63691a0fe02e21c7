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
      Value state = statePointer(e, states, sequence, offset);
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
      Value sequence = e.block(1), state = statePointer(e, states, sequence, offset);
      Value start = e.loadIndex(arguments.back(), 64, sequence);
      Value end = e.loadIndex(arguments.back(), 64, e.add(sequence, 1));
      e.when(e.less(start, end), [&] {
        whenChannel(e, [&] {
          SmallVector<Value> inputs; // all read before one is written
          for (int64_t m = 0; m < taps - 1; ++m)
            inputs.push_back(inputAt(e, state, start, e.sub(end, e.index(taps - 1 - m)), false));
          storeState(e, state, inputs);
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
      Value sequence = e.block(1), state = statePointer(e, states, sequence, offset);
      Value row = e.loadIndex(arguments.back(), 64, sequence);
      Value end = e.loadIndex(arguments.back(), 64, e.add(sequence, 1));
      e.when(e.less(row, end), [&] {
        whenChannel(e, [&] {
          SmallVector<Value> inputs;
          for (int64_t m = 0; m < taps - 1; ++m)
            inputs.push_back(e.load(state, e.b.getF32Type(), e.add(channel, m * channels)));
          inputs.push_back(e.load(x, conv.x.element, e.add(e.mul(row, conv.x.stride), channel)));
          store(e, row, inputs);
          storeState(e, state, ArrayRef<Value>(inputs).drop_front());
        });
      });
    });
  }

private:
  StepBuilder::Spec specOf(llvm::StringRef kind) {
    std::string key;
    for (const Matrix *matrix : {&conv.x, &conv.weight, &conv.bias, &conv.result})
      key += matrix->describe() + " ";
    key += std::to_string(taps) + (conv.activation == Activation::Silu ? " silu" : "");
    StepBuilder::Spec spec{kind.str(), key, kThreads};
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
    x = arguments[0], weight = arguments[1], result = arguments[2], states = arguments[3], offset = arguments[4];
    bias = conv.bias ? arguments[5] : Value();
    channel = e.add(e.mul(e.block(0), kThreads), e.thread());
  }

  void whenChannel(GpuEmitter &e, llvm::function_ref<void()> body) {
    if (channels % kThreads == 0)
      body();
    else
      e.when(e.less(channel, e.index(channels)), body);
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

  void store(GpuEmitter &e, Value row, ArrayRef<Value> inputs) {
    Value sum = bias ? e.load(bias, conv.bias.element, channel) : e.scalar(0);
    for (int64_t m = 0; m < taps; ++m)
      sum = e.fma(inputs[m], e.load(weight, conv.weight.element, e.add(channel, m * channels)), sum);
    if (conv.activation == Activation::Silu)
      sum = e.silu(sum);
    e.store(sum, result, conv.result.element, e.add(e.mul(row, conv.result.stride), channel));
  }

  void storeState(GpuEmitter &e, Value state, ArrayRef<Value> inputs) {
    for (auto [m, input] : llvm::enumerate(inputs))
      e.store(input, state, e.b.getF32Type(), e.add(channel, m * channels));
  }

  StepBuilder &s;
  const ConvolutionOperands &conv;
  int64_t channels, taps;
  Value x, weight, bias, result, states, offset, channel; // in the kernel that is being written
};

} // namespace

void samba::launchConvolution(StepBuilder &s, const ConvolutionOperands &conv) {
  ConvolutionLaunches launches(s, conv);
  if (s.isDecode())
    launches.decode();
  else
    launches.prefill();
}
