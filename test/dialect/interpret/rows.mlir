// The operations on rows, on numbers small enough to check by hand.
// RUN: samba-opt %s --samba-interpret=function=embedding -o /dev/null | FileCheck %s --check-prefix=EMBEDDING
// RUN: samba-opt %s --samba-interpret=function=linear -o /dev/null | FileCheck %s --check-prefix=LINEAR
// RUN: samba-opt %s --samba-interpret=function=norm -o /dev/null | FileCheck %s --check-prefix=NORM
// RUN: samba-opt %s --samba-interpret=function=layer_norm -o /dev/null | FileCheck %s --check-prefix=LAYER
// RUN: samba-opt %s --samba-interpret=function=differential -o /dev/null | FileCheck %s --check-prefix=DIFFERENTIAL
// RUN: samba-opt %s --samba-interpret=function=swiglu -o /dev/null | FileCheck %s --check-prefix=SWIGLU
// RUN: samba-opt %s --samba-interpret="function=swiglu type=f32" -o /dev/null | FileCheck %s --check-prefix=SWIGLU
// RUN: samba-opt %s --samba-interpret=function=rotary -o /dev/null | FileCheck %s --check-prefix=ROTARY

// EMBEDDING:      result 0: [3, 2]
// EMBEDDING-NEXT:   [5, 6]
// EMBEDDING-NEXT:   [1, 2]
// EMBEDDING-NEXT:   [5, 6]
// EMBEDDING-NEXT: result 1: [1, 2]
// EMBEDDING-NEXT:   [1, 2]
func.func @embedding() -> (tensor<3x2xf32>, tensor<1x2xf32>) {
  %tokens = arith.constant dense<[2, 0, 2]> : tensor<3xi32>
  %table = arith.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %rows = arith.constant dense<[1]> : tensor<1xi64>
  %x = samba.embedding %tokens, %table : tensor<3xi32>, tensor<3x2xf32> -> tensor<3x2xf32>
  %y = samba.gather_rows %x, %rows : tensor<3x2xf32>, tensor<1xi64> -> tensor<1x2xf32>
  return %x, %y : tensor<3x2xf32>, tensor<1x2xf32>
}

// Weights are [out, in].
// LINEAR:      result 0: [1, 3]
// LINEAR-NEXT:   [1, 12, 21]
func.func @linear() -> tensor<1x3xf32> {
  %x = arith.constant dense<[[1.0, 10.0]]> : tensor<1x2xf32>
  %w = arith.constant dense<[[1.0, 0.0], [2.0, 1.0], [0.0, 2.0]]> : tensor<3x2xf32>
  %b = arith.constant dense<[0.0, 0.0, 1.0]> : tensor<3xf32>
  %y = samba.linear %x, %w bias %b : tensor<3xf32> : tensor<1x2xf32>, tensor<3x2xf32> -> tensor<1x3xf32>
  return %y : tensor<1x3xf32>
}

// The mean square of 1 and 7 is 25.
// NORM:      result 0: [1, 2]
// NORM-NEXT:   [0.2, 2.8]
func.func @norm() -> tensor<1x2xf32> {
  %x = arith.constant dense<[[1.0, 7.0]]> : tensor<1x2xf32>
  %w = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %y = samba.rms_norm %x, %w {eps = 1.0e-9 : f32} : tensor<1x2xf32>, tensor<2xf32>
  return %y : tensor<1x2xf32>
}

// The mean of 1 and 7 is 4, and their deviation from it 3.
// LAYER:      result 0: [1, 2]
// LAYER-NEXT:   [-0.5, 2.25]
// LAYER-NEXT: result 1: [1, 2]
// LAYER-NEXT:   [-1, 2]
func.func @layer_norm() -> (tensor<1x2xf32>, tensor<1x2xf32>) {
  %x = arith.constant dense<[[1.0, 7.0]]> : tensor<1x2xf32>
  %w = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %b = arith.constant dense<[0.5, 0.25]> : tensor<2xf32>
  %y = samba.layer_norm %x, %w bias %b : tensor<2xf32> {eps = 1.0e-12 : f32} : tensor<1x2xf32>, tensor<2xf32>
  %z = samba.layer_norm %x, %w {eps = 1.0e-12 : f32} : tensor<1x2xf32>, tensor<2xf32>
  return %y, %z : tensor<1x2xf32>, tensor<1x2xf32>
}

// At depth 0, l0 is 0.2; both exponents are 2, so l is l0 too. The first head less a fifth of that two heads on is
// (3, 4), (0, 2) for the second; their root mean squares are 5 and 2 over the root of 2, and what is left is times 0.8.
// DIFFERENTIAL:      result 0: [1, 4]
// DIFFERENTIAL-NEXT:   [0.678823, 9.05097, 0, 11.3137]
// DIFFERENTIAL-NEXT: result 1: [1, 4]
// DIFFERENTIAL-NEXT:   [0.678823, 9.05097, 0, 11.3137]
func.func @differential() -> (tensor<1x4xf32>, tensor<1x4xf32>) {
  %x = arith.constant dense<[[4.0, 4.0, 0.0, 3.0, 5.0, 0.0, 0.0, 5.0]]> : tensor<1x8xf32>
  %apart = arith.constant dense<[[4.0, 4.0, 5.0, 0.0, 0.0, 3.0, 0.0, 5.0]]> : tensor<1x8xf32>
  %lambda = arith.constant dense<[1.0, 0.0, 2.0, 5.0, 1.0, 1.0, 1.5, 0.5]> : tensor<8xf32>
  %w = arith.constant dense<[1.0, 10.0]> : tensor<2xf32>
  %depth = arith.constant 0 : index
  %y = samba.differential_norm %x, %lambda, %w depth %depth pairs 2 {eps = 1.0e-12 : f32}
    : tensor<1x8xf32>, tensor<8xf32>, tensor<2xf32> -> tensor<1x4xf32>
  %z = samba.differential_norm %apart, %lambda, %w depth %depth pairs 1 {eps = 1.0e-12 : f32}
    : tensor<1x8xf32>, tensor<8xf32>, tensor<2xf32> -> tensor<1x4xf32>
  return %y, %z : tensor<1x4xf32>, tensor<1x4xf32>
}

// silu(1) = 0.731059 and silu(-1) = -0.268941; large arguments saturate.
// SWIGLU:      result 0: [1, 4]
// SWIGLU-NEXT:   [7.31059, -2.68941, 2000, -0]
func.func @swiglu() -> tensor<1x4xf32> {
  %gate = arith.constant dense<[[1.0, -1.0, 1000.0, -1000.0]]> : tensor<1x4xf32>
  %up = arith.constant dense<[[10.0, 10.0, 2.0, 2.0]]> : tensor<1x4xf32>
  %y = samba.swiglu %gate, %up : tensor<1x4xf32>
  return %y : tensor<1x4xf32>
}

// Two heads at positions 0, then 5 and 6; lane 0 turns with lane 1 by one radian for each position.
// ROTARY:      result 0: [3, 2]
// ROTARY-NEXT:   [1, 0]
// ROTARY-NEXT:   [0.283662, -0.958924]
// ROTARY-NEXT:   [0.96017, -0.279415]
// ROTARY-NEXT: result 1: [3, 4]
// ROTARY-NEXT:   [1, 0, 0, 1]
// ROTARY-NEXT:   [0.283662, -0.958924, 0.958924, 0.283662]
// ROTARY-NEXT:   [0.96017, -0.279415, 0.279415, 0.96017]
func.func @rotary() -> (tensor<3x2xf32>, tensor<3x4xf32>) {
  %segments = arith.constant dense<[0, 1, 3]> : tensor<3xi64>
  %positions = arith.constant dense<[0, 5]> : tensor<2xi64>
  %x = arith.constant dense<[[1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0]]> : tensor<3x4xf32>
  %table = samba.rotary_table %segments, %positions {theta = 1.0e4 : f64}
    : tensor<3xi64>, tensor<2xi64> -> tensor<3x2xf32>
  %y = samba.rotary %x, %table : tensor<3x4xf32>, tensor<3x2xf32>
  return %table, %y : tensor<3x2xf32>, tensor<3x4xf32>
}
