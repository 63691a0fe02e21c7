// RUN: samba-opt %s -split-input-file -samba-pack-weights=panel-width=16 | FileCheck %s
// RUN: samba-opt %s -split-input-file -samba-pack-weights | FileCheck %s --check-prefix=DEFAULT
// RUN: samba-opt %s -split-input-file -samba-pack-weights=panel-width=16 > %t.once
// RUN: samba-opt %t.once -split-input-file -samba-pack-weights=panel-width=16 | diff %t.once -
// Another width later replaces the first.
// RUN: samba-opt %s -split-input-file -samba-pack-weights > %t.direct
// RUN: samba-opt %t.once -split-input-file -samba-pack-weights | diff %t.direct -

// CHECK: samba.weight @matrix {{.*}} : tensor<50x32xf32, #samba.layout<panel, 16>>
// CHECK: samba.weight @narrow {{.*}} : tensor<50x32xbf16, #samba.layout<panel_pairs, 16>>
// CHECK: samba.weight @bias {{.*}} : tensor<50xf32>{{$}}
// CHECK: samba.weight @table {{.*}} : tensor<64x32xf32>{{$}}
// CHECK: samba.weight @tied {{.*}} : tensor<64x32xf32, #samba.layout<panel, 16>>
// CHECK: samba.weight @norm {{.*}} : tensor<32xf32>{{$}}
// CHECK: samba.weight @taps {{.*}} : tensor<32x4xf32, #samba.layout<transposed>>
// CHECK: samba.weight @A {{.*}} : tensor<32x8xf32, #samba.layout<transposed>>
// CHECK: samba.weight @D {{.*}} : tensor<32xf32>{{$}}
// CHECK: samba.weight @unused {{.*}} : tensor<32x8xf32>{{$}}
// DEFAULT: samba.weight @matrix {{.*}} : tensor<50x32xf32, #samba.layout<panel, 32>>
samba.weight @matrix from "matrix" : tensor<50x32xf32>
samba.weight @narrow from "narrow" : tensor<50x32xbf16>
samba.weight @bias from "bias" : tensor<50xf32>
samba.weight @table from "table" : tensor<64x32xf32>
samba.weight @tied from "tied" : tensor<64x32xf32>
samba.weight @norm from "norm" : tensor<32xf32>
samba.weight @taps from "taps" : tensor<32x4xf32>
samba.weight @A from "A_log" transform neg_exp : tensor<32x8xf32>
samba.weight @D from "D" : tensor<32xf32>
samba.weight @unused from "unused" : tensor<32x8xf32>
// CHECK-LABEL: func.func @every_use
func.func @every_use(%tokens: tensor<?xi32>, %B: tensor<?x8xf32>, %segments: tensor<?xi64>,
    %conv: !samba.state<3x32xf32>, %ssm: !samba.state<8x32xf32>) -> (!samba.state<3x32xf32>, !samba.state<8x32xf32>) {
  %table = samba.load_weight @table : tensor<64x32xf32>
  // CHECK: samba.load_weight @tied : tensor<64x32xf32, #samba.layout<panel, 16>>
  %tied = samba.load_weight @tied : tensor<64x32xf32>
  %matrix = samba.load_weight @matrix : tensor<50x32xf32>
  %narrow = samba.load_weight @narrow : tensor<50x32xbf16>
  %bias = samba.load_weight @bias : tensor<50xf32>
  %norm = samba.load_weight @norm : tensor<32xf32>
  %taps = samba.load_weight @taps : tensor<32x4xf32>
  %A = samba.load_weight @A : tensor<32x8xf32>
  %D = samba.load_weight @D : tensor<32xf32>
  // CHECK: samba.embedding {{.*}}, tensor<64x32xf32> ->
  %0 = samba.embedding %tokens, %table : tensor<?xi32>, tensor<64x32xf32> -> tensor<?x32xf32>
  // CHECK: samba.embedding {{.*}}, tensor<64x32xf32, #samba.layout<panel, 16>> ->
  %1 = samba.embedding %tokens, %tied : tensor<?xi32>, tensor<64x32xf32> -> tensor<?x32xf32>
  %2 = samba.linear %0, %tied : tensor<?x32xf32>, tensor<64x32xf32> -> tensor<?x64xf32>
  %3 = samba.linear %0, %matrix bias %bias : tensor<50xf32> : tensor<?x32xf32>, tensor<50x32xf32> -> tensor<?x50xf32>
  %4 = samba.linear %0, %narrow : tensor<?x32xf32>, tensor<50x32xbf16> -> tensor<?x50xf32>
  %5 = samba.rms_norm %0, %norm {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<32xf32>
  // CHECK: samba.causal_conv1d {{.*}}, tensor<32x4xf32, #samba.layout<transposed>>,
  %6, %7 = samba.causal_conv1d %5, %taps segments %segments state %conv
    : tensor<?x32xf32>, tensor<32x4xf32>, tensor<?xi64>, !samba.state<3x32xf32>
  // CHECK: samba.selective_scan {{.*}}, tensor<32x8xf32, #samba.layout<transposed>>,
  %8, %9 = samba.selective_scan %6, %6, %A, %B, %B segments %segments state %ssm skip %D : tensor<32xf32>
    : tensor<?x32xf32>, tensor<32x8xf32>, tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi64>, !samba.state<8x32xf32>
  return %7, %9 : !samba.state<3x32xf32>, !samba.state<8x32xf32>
}

// -----

// Into shared functions and kernels.
// CHECK: samba.weight @a {{.*}} : tensor<32x32xf32, #samba.layout<panel, 16>>
// CHECK: samba.weight @b {{.*}} : tensor<32x32xf32, #samba.layout<panel, 16>>
samba.weight @a from "a" : tensor<32x32xf32>
samba.weight @b from "b" : tensor<32x32xf32>
// CHECK-LABEL: func.func private @block(
// CHECK-SAME: tensor<32x32xf32, #samba.layout<panel, 16>>)
func.func private @block(%x: tensor<?x32xf32>, %w: tensor<32x32xf32>) -> tensor<?x32xf32> {
  // CHECK: samba.kernel {{.*}} : tensor<32x32xf32, #samba.layout<panel, 16>>)
  %0 = samba.kernel "linear" ins(%i = %x : tensor<?x32xf32>, %m = %w : tensor<32x32xf32>) -> tensor<?x32xf32> {
    %1 = samba.linear %i, %m : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
    samba.yield %1 : tensor<?x32xf32>
  }
  return %0 : tensor<?x32xf32>
}
func.func @shared(%x: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %a = samba.load_weight @a : tensor<32x32xf32>
  %b = samba.load_weight @b : tensor<32x32xf32>
  // CHECK-COUNT-2: call @block({{.*}}, tensor<32x32xf32, #samba.layout<panel, 16>>)
  %0 = call @block(%x, %a) : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  %1 = call @block(%0, %b) : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  return %1 : tensor<?x32xf32>
}
