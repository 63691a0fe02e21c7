// RUN: samba-opt %s -samba-print-cost="tokens=6 context=10" -o /dev/null | FileCheck %s

// Numbers are counted by hand, for T = 6 tokens in one sequence that has seen 10. The columns are bytes of activations,
// weights and states, then flops, exponentials and barriers.

// Rows in and out 2*6*16*4, weight and bias 2*16*4. Of each of 96 elements: the sum, the difference, its square, their
// sum, two products, and the bias.
// CHECK-LABEL: @layer_norm, called 1 time
// CHECK-NEXT: layer_norm (in no kernel) 768 128 0 672 0 1
func.func @layer_norm(%x: tensor<?x16xf32>, %w: tensor<16xf32>, %b: tensor<16xf32>) -> tensor<?x16xf32> {
  %0 = samba.layer_norm %x, %w bias %b : tensor<16xf32> {eps = 1.0e-5 : f32} : tensor<?x16xf32>, tensor<16xf32>
  return %0 : tensor<?x16xf32>
}

// Without the bias 64 bytes and 96 flops less.
// CHECK-LABEL: @layer_norm_without_bias, called 1 time
// CHECK-NEXT: layer_norm (in no kernel) 768 64 0 576 0 1
func.func @layer_norm_without_bias(%x: tensor<?x16xf32>, %w: tensor<16xf32>) -> tensor<?x16xf32> {
  %0 = samba.layer_norm %x, %w {eps = 1.0e-5 : f32} : tensor<?x16xf32>, tensor<16xf32>
  return %0 : tensor<?x16xf32>
}

// Four heads of 8 lanes in, two out: 6*(32 + 16)*4. Lambda 16*4 and the weight 8*4. Of each of 96 elements: l b, the
// difference, its square, their sum, two products; of each row the products q1 . k1 and q2 . k2 of 4 lanes, 2*4 flops
// each, and three exponentials.
// CHECK-LABEL: @differential_norm, called 1 time
// CHECK-NEXT: differential_norm (in no kernel) 1152 96 0 672 18 1
func.func @differential_norm(%x: tensor<?x32xf32>, %l: tensor<16xf32>, %w: tensor<8xf32>) -> tensor<?x16xf32> {
  %depth = arith.constant 3 : index
  %0 = samba.differential_norm %x, %l, %w depth %depth pairs 2 {eps = 1.0e-5 : f32}
    : tensor<?x32xf32>, tensor<16xf32>, tensor<8xf32> -> tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}

// One selected row of 8 lanes, as it comes and goes: 2*8*4, and three vectors of two entries. It is the last of the
// step and sees the 10 keys before it and its 6: 16*2 scores of 2*(4 + 4) + 3 flops and an exponential; 16 slots of 16
// bytes of keys and of values, read.
// CHECK-LABEL: @cross_attention, called 1 time
// CHECK-NEXT: gather_rows (in no kernel) 80 0 0 0 0 1
// CHECK-NEXT: cross_attention (in no kernel) 112 0 512 608 32 1
func.func @cross_attention(%x: tensor<?x8xf32>, %rows: tensor<?xi64>, %s: tensor<?xi64>, %p: tensor<?xi64>,
    %key: !samba.state<1x64x4xf32>, %value: !samba.state<1x64x4xf32>)
    -> (tensor<?x8xf32>, !samba.state<1x64x4xf32>, !samba.state<1x64x4xf32>) {
  %q = samba.gather_rows %x, %rows : tensor<?x8xf32>, tensor<?xi64> -> tensor<?x8xf32>
  %0, %1, %2 = samba.cross_attention %q rows %rows segments %s positions %p state %key, %value
    : tensor<?x8xf32>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, !samba.state<1x64x4xf32>
  return %0, %1, %2 : tensor<?x8xf32>, !samba.state<1x64x4xf32>, !samba.state<1x64x4xf32>
}

// Rings of integers: a slot takes 8 lanes and a scale, 12 bytes. The window of 4 is full: 4 slots read and 4 written, of
// keys and of values. Rows: q and y 2*6*8*4; k and v 2*6*16, 8 lanes with a scale and a sum; two vectors of two entries.
// 24 scores of 2*16 + 3 flops.
// CHECK-LABEL: @quantised_ring, called 1 time
// CHECK-NEXT: sliding_window_attention (in no kernel) 608 0 192 840 24 2
func.func @quantised_ring(%q: tensor<?x8xf32>, %k: tensor<?x8xf32, #samba.quant<8, 8>>,
    %v: tensor<?x8xf32, #samba.quant<8, 8>>, %s: tensor<?xi64>, %p: tensor<?xi64>, %key: !samba.state<1x4x8xi8>,
    %value: !samba.state<1x4x8xi8>) -> (tensor<?x8xf32>, !samba.state<1x4x8xi8>, !samba.state<1x4x8xi8>) {
  %0, %1, %2 = samba.sliding_window_attention %q, %k, %v segments %s positions %p state %key, %value {window = 4 : i64}
    : tensor<?x8xf32>, tensor<?x8xf32, #samba.quant<8, 8>>, tensor<?xi64>, tensor<?xi64>, !samba.state<1x4x8xi8>
  return %0, %1, %2 : tensor<?x8xf32>, !samba.state<1x4x8xi8>, !samba.state<1x4x8xi8>
}

// A matrix of int4 in groups of 32: 16 rows of two groups, each 16 bytes and a scale. It is the same in panels of 8.
// CHECK-LABEL: @quantised_weight, called 1 time
// CHECK-NEXT: linear (in no kernel) 1920 640 0 12288 0 1
func.func @quantised_weight(%x: tensor<?x64xf32>, %w: tensor<16x64xf32, #samba.quant<4, 32>>) -> tensor<?x16xf32> {
  %0 = samba.linear %x, %w : tensor<?x64xf32>, tensor<16x64xf32, #samba.quant<4, 32>> -> tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}
// CHECK-LABEL: @quantised_panels, called 1 time
// CHECK-NEXT: linear (in no kernel) 1920 640 0 12288 0 1
func.func @quantised_panels(%x: tensor<?x64xf32>, %w: tensor<16x64xf32, #samba.quant<4, 32, 8>>) -> tensor<?x16xf32> {
  %0 = samba.linear %x, %w : tensor<?x64xf32>, tensor<16x64xf32, #samba.quant<4, 32, 8>> -> tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}
// Rows of integers: 64 f32 in, two groups of 32 with 8 bytes more each out.
// CHECK-LABEL: @quantised_rows, called 1 time
// CHECK-NEXT: quantize_rows (in no kernel) 2016 0 0 1536 0 1
func.func @quantised_rows(%x: tensor<?x64xf32>) -> tensor<?x64xf32, #samba.quant<8, 32>> {
  %0 = samba.quantize_rows %x : tensor<?x64xf32> -> tensor<?x64xf32, #samba.quant<8, 32>>
  return %0 : tensor<?x64xf32, #samba.quant<8, 32>>
}
