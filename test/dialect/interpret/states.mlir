// The operations along time. One function makes the inputs, states among them, and writes them to a file from which the
// others read theirs.
// RUN: samba-opt %s --samba-interpret="function=inputs outputs=%t.safetensors print=none" -o /dev/null | count 0
// RUN: samba-opt %s --samba-interpret="function=convolution inputs=%t.safetensors" -o /dev/null \
// RUN:   | FileCheck %s --check-prefix=CONVOLUTION
// RUN: samba-opt %s --samba-interpret="function=scan inputs=%t.safetensors" -o /dev/null \
// RUN:   | FileCheck %s --check-prefix=SCAN
// RUN: samba-opt %s --samba-interpret="function=attention inputs=%t.safetensors" -o /dev/null \
// RUN:   | FileCheck %s --check-prefix=ATTENTION
// RUN: samba-opt %s --samba-interpret="function=shared inputs=%t.safetensors" -o /dev/null \
// RUN:   | FileCheck %s --check-prefix=SHARED
// RUN: not samba-opt %s --samba-interpret="function=too_long inputs=%t.safetensors" -o /dev/null 2>&1 \
// RUN:   | FileCheck %s --check-prefix=LONG

// Three sequences, of two tokens, none and one.
func.func @inputs() -> (tensor<3x1xf32> {samba.name = "x"}, tensor<4xi64> {samba.name = "segments"},
    tensor<3xi64> {samba.name = "positions"}, tensor<3x2x1xf32> {samba.name = "tail"},
    tensor<3x1x1xf32> {samba.name = "h"}, tensor<3x1x2x1xf32> {samba.name = "key"},
    tensor<3x1x2x1xf32> {samba.name = "value"}, tensor<3x2x4x1xf32> {samba.name = "keys"},
    tensor<3x1x4x2xf32> {samba.name = "pairs"}, tensor<3xi64> {samba.name = "near"}) {
  %x = arith.constant dense<[[1.0], [2.0], [3.0]]> : tensor<3x1xf32>
  %segments = arith.constant dense<[0, 2, 2, 3]> : tensor<4xi64>
  %positions = arith.constant dense<[0, 4, 7]> : tensor<3xi64>
  %tail = arith.constant dense<[[[0.0], [0.0]], [[7.0], [8.0]], [[10.0], [20.0]]]> : tensor<3x2x1xf32>
  %h = arith.constant dense<[[[0.0]], [[5.0]], [[8.0]]]> : tensor<3x1x1xf32>
  %key = arith.constant dense<0.0> : tensor<3x1x2x1xf32>
  %value = arith.constant dense<[[[[90.0], [91.0]]], [[[92.0], [93.0]]], [[[94.0], [95.0]]]]> : tensor<3x1x2x1xf32>
  %keys = arith.constant dense<0.0> : tensor<3x2x4x1xf32>
  %pairs = arith.constant dense<[[[[90.0, 91.0], [92.0, 93.0], [94.0, 95.0], [96.0, 97.0]]],
    [[[70.0, 71.0], [72.0, 73.0], [74.0, 75.0], [76.0, 77.0]]],
    [[[10.0, 20.0], [30.0, 40.0], [50.0, 60.0], [70.0, 80.0]]]]> : tensor<3x1x4x2xf32>
  %near = arith.constant dense<[0, 4, 2]> : tensor<3xi64>
  return %x, %segments, %positions, %tail, %h, %key, %value, %keys, %pairs, %near : tensor<3x1xf32>, tensor<4xi64>,
    tensor<3xi64>, tensor<3x2x1xf32>, tensor<3x1x1xf32>, tensor<3x1x2x1xf32>, tensor<3x1x2x1xf32>, tensor<3x2x4x1xf32>,
    tensor<3x1x4x2xf32>, tensor<3xi64>
}

// The last tap meets the current token: 100 x[t] + 10 x[t-1] + x[t-2].
// CONVOLUTION:      result 0: [3, 1]
// CONVOLUTION-NEXT:   [100]
// CONVOLUTION-NEXT:   [210]
// CONVOLUTION-NEXT:   [510]
// CONVOLUTION-NEXT: result 1: 3 states
// CONVOLUTION-NEXT: sequence 0: [2, 1]
// CONVOLUTION-NEXT:   [1]
// CONVOLUTION-NEXT:   [2]
// CONVOLUTION-NEXT: sequence 1: [2, 1]
// CONVOLUTION-NEXT:   [7]
// CONVOLUTION-NEXT:   [8]
// CONVOLUTION-NEXT: sequence 2: [2, 1]
// CONVOLUTION-NEXT:   [20]
// CONVOLUTION-NEXT:   [3]
func.func @convolution(%x: tensor<?x1xf32> {samba.name = "x"}, %segments: tensor<?xi64> {samba.name = "segments"},
    %s: !samba.state<2x1xf32> {samba.name = "tail"}) -> (tensor<?x1xf32>, !samba.state<2x1xf32>) {
  %w = arith.constant dense<[[1.0, 10.0, 100.0]]> : tensor<1x3xf32>
  %y, %n = samba.causal_conv1d %x, %w segments %segments state %s
    : tensor<?x1xf32>, tensor<1x3xf32>, tensor<?xi64>, !samba.state<2x1xf32>
  return %y, %n : tensor<?x1xf32>, !samba.state<2x1xf32>
}

// A = -ln 2 and a step of 1 halve the state: h = h / 2 + x, y = 3 h + x.
// SCAN:      result 0: [3, 1]
// SCAN-NEXT:   [4]
// SCAN-NEXT:   [9.5]
// SCAN-NEXT:   [24]
// SCAN-NEXT: result 1: 3 states
// SCAN-NEXT: sequence 0: [1, 1]
// SCAN-NEXT:   [2.5]
// SCAN-NEXT: sequence 1: [1, 1]
// SCAN-NEXT:   [5]
// SCAN-NEXT: sequence 2: [1, 1]
// SCAN-NEXT:   [7]
func.func @scan(%x: tensor<?x1xf32> {samba.name = "x"}, %segments: tensor<?xi64> {samba.name = "segments"},
    %s: !samba.state<1x1xf32> {samba.name = "h"}) -> (tensor<?x1xf32>, !samba.state<1x1xf32>) {
  %A = arith.constant dense<-0.6931471806> : tensor<1x1xf32>
  %D = arith.constant dense<1.0> : tensor<1xf32>
  %delta = arith.constant dense<1.0> : tensor<3x1xf32>
  %C = arith.constant dense<3.0> : tensor<3x1xf32>
  %c0 = arith.constant 0 : index
  %t = tensor.dim %x, %c0 : tensor<?x1xf32>
  %one = tensor.extract_slice %delta[0, 0] [%t, 1] [1, 1] : tensor<3x1xf32> to tensor<?x1xf32>
  %three = tensor.extract_slice %C[0, 0] [%t, 1] [1, 1] : tensor<3x1xf32> to tensor<?x1xf32>
  %y, %n = samba.selective_scan %x, %one, %A, %one, %three segments %segments state %s skip %D : tensor<1xf32>
    : tensor<?x1xf32>, tensor<1x1xf32>, tensor<?x1xf32>, tensor<?x1xf32>, tensor<?xi64>, !samba.state<1x1xf32>
  return %y, %n : tensor<?x1xf32>, !samba.state<1x1xf32>
}

// Keys of zero weigh all values alike, so the result is the mean of the window of two. The sequence at position 7 reads
// position 6 from slot 0 and leaves its own token in slot 1. Slots of a fresh sequence are not read.
// ATTENTION:      result 0: [3, 1]
// ATTENTION-NEXT:   [1]
// ATTENTION-NEXT:   [1.5]
// ATTENTION-NEXT:   [48.5]
// ATTENTION-NEXT: result 1: 3 states
// ATTENTION:      result 2: 3 states
// ATTENTION-NEXT: sequence 0: [1, 2, 1]
// ATTENTION-NEXT:   [1]
// ATTENTION-NEXT:   [2]
// ATTENTION-NEXT: sequence 1: [1, 2, 1]
// ATTENTION-NEXT:   [92]
// ATTENTION-NEXT:   [93]
// ATTENTION-NEXT: sequence 2: [1, 2, 1]
// ATTENTION-NEXT:   [94]
// ATTENTION-NEXT:   [3]
func.func @attention(%x: tensor<?x1xf32> {samba.name = "x"}, %segments: tensor<?xi64> {samba.name = "segments"},
    %positions: tensor<?xi64> {samba.name = "positions"}, %key: !samba.state<1x2x1xf32> {samba.name = "key"},
    %value: !samba.state<1x2x1xf32> {samba.name = "value"})
    -> (tensor<?x1xf32>, !samba.state<1x2x1xf32>, !samba.state<1x2x1xf32>) {
  %none = arith.subf %x, %x : tensor<?x1xf32>
  %y, %nk, %nv = samba.sliding_window_attention %x, %none, %x segments %segments positions %positions
    state %key, %value {window = 2 : i64}
    : tensor<?x1xf32>, tensor<?x1xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<1x2x1xf32>
  return %y, %nk, %nv : tensor<?x1xf32>, !samba.state<1x2x1xf32>, !samba.state<1x2x1xf32>
}

// Two heads of keys share a value of two lanes. Keys of zero make means again: of what the sequences at positions 0 and
// 2 have seen. The attention across asks for the last token first, then for the second, and changes no state.
// SHARED:      result 0: [3, 4]
// SHARED-NEXT:   [1, 10, 1, 10]
// SHARED-NEXT:   [1.5, 15, 1.5, 15]
// SHARED-NEXT:   [14.3333, 30, 14.3333, 30]
// SHARED-NEXT: result 1: [2, 4]
// SHARED-NEXT:   [14.3333, 30, 14.3333, 30]
// SHARED-NEXT:   [1.5, 15, 1.5, 15]
// SHARED-NEXT: result 2: 3 states
// SHARED:      result 3: 3 states
// SHARED-NEXT: sequence 0: [1, 4, 2]
// SHARED-NEXT:   [1, 10]
// SHARED-NEXT:   [2, 20]
// SHARED-NEXT:   [94, 95]
// SHARED-NEXT:   [96, 97]
// SHARED:      sequence 2: [1, 4, 2]
// SHARED-NEXT:   [10, 20]
// SHARED-NEXT:   [30, 40]
// SHARED-NEXT:   [3, 30]
// SHARED-NEXT:   [70, 80]
func.func @shared(%x: tensor<?x1xf32> {samba.name = "x"}, %segments: tensor<?xi64> {samba.name = "segments"},
    %positions: tensor<?xi64> {samba.name = "near"}, %key: !samba.state<2x4x1xf32> {samba.name = "keys"},
    %value: !samba.state<1x4x2xf32> {samba.name = "pairs"})
    -> (tensor<?x4xf32>, tensor<2x4xf32>, !samba.state<2x4x1xf32>, !samba.state<1x4x2xf32>) {
  %tens = arith.constant dense<[[1.0], [10.0]]> : tensor<2x1xf32>
  %v = samba.linear %x, %tens : tensor<?x1xf32>, tensor<2x1xf32> -> tensor<?x2xf32>
  %none = arith.subf %v, %v : tensor<?x2xf32>
  %y, %nk, %nv = samba.sliding_window_attention %none, %none, %v segments %segments positions %positions
    state %key, %value
    : tensor<?x2xf32>, tensor<?x2xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x4x1xf32>,
    !samba.state<1x4x2xf32> -> tensor<?x4xf32>
  %rows = arith.constant dense<[2, 1]> : tensor<2xi64>
  %q = arith.constant dense<0.0> : tensor<2x2xf32>
  %z, %ck, %cv = samba.cross_attention %q rows %rows segments %segments positions %positions state %nk, %nv
    : tensor<2x2xf32>, tensor<2xi64>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x4x1xf32>,
    !samba.state<1x4x2xf32> -> tensor<2x4xf32>
  return %y, %z, %ck, %cv : tensor<?x4xf32>, tensor<2x4xf32>, !samba.state<2x4x1xf32>, !samba.state<1x4x2xf32>
}

// LONG: samba.cross_attention: expected at most 4 tokens in sequence 2, the capacity of its state; got 8
func.func @too_long(%segments: tensor<?xi64> {samba.name = "segments"},
    %positions: tensor<?xi64> {samba.name = "positions"}, %key: !samba.state<2x4x1xf32> {samba.name = "keys"},
    %value: !samba.state<1x4x2xf32> {samba.name = "pairs"}) -> (!samba.state<2x4x1xf32>, !samba.state<1x4x2xf32>) {
  %rows = arith.constant dense<[2]> : tensor<1xi64>
  %q = arith.constant dense<0.0> : tensor<1x2xf32>
  %z, %ck, %cv = samba.cross_attention %q rows %rows segments %segments positions %positions state %key, %value
    : tensor<1x2xf32>, tensor<1xi64>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x4x1xf32>,
    !samba.state<1x4x2xf32> -> tensor<1x4xf32>
  return %ck, %cv : !samba.state<2x4x1xf32>, !samba.state<1x4x2xf32>
}
