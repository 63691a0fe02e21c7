// RUN: samba-opt %s -samba-set-precision=precision=int8 | FileCheck %s
// RUN: samba-opt %s -samba-set-precision=precision=int8 > %t.once
// RUN: samba-opt %t.once -samba-set-precision=precision=int8 | diff %t.once -
// RUN: samba-opt %s -samba-set-precision="precision=int4 group=32" -samba-pack-weights=panel-width=16 -samba-plan-memory \
// RUN:   | FileCheck %s --check-prefix=PACKED
// RUN: samba-opt %s -samba-set-precision="precision=int8 group=64 round-activations=true quantise-rows=false" -samba-pack-weights=panel-width=0 \
// RUN:   | FileCheck %s --check-prefix=WEIGHTS

// Large matrices are quantised, and what is multiplied with them once for all; small ones become bf16. Groups are long
// where rows are not padded further for it.

// CHECK: samba.weight @norm from "norm" : tensor<96xf32>
// CHECK: samba.weight @a from "a" : tensor<64x96xf32, #samba.quant<8, 128>>
// CHECK: samba.weight @b from "b" : tensor<80x96xf32, #samba.quant<8, 128>>
// CHECK: samba.weight @padded from "padded" : tensor<64x160xf32, #samba.quant<8, 64>>
// CHECK: samba.weight @small from "small" : tensor<16x96xbf16>
// CHECK-LABEL: func.func @f
// CHECK: %[[NORM:.*]] = samba.rms_norm
// CHECK-NEXT: %[[ROUNDED:.*]] = samba.quantize_rows %[[NORM]] : tensor<?x96xf32> -> tensor<?x96xf32, #samba.quant<8, 128>>
// CHECK: samba.linear %[[ROUNDED]], %{{.*}} -> tensor<?x64xf32>
// CHECK: samba.linear %[[ROUNDED]], %{{.*}} -> tensor<?x80xf32>
// CHECK: samba.linear %[[NORM]], %{{.*}} : tensor<?x96xf32>, tensor<16x96xbf16>

// 4 panels of 3 groups of 16 scales and 16 * 32 half bytes; then 5 panels.
// PACKED: samba.weight @a from "a" {offset = [[#A:]] : i64} : tensor<64x96xf32, #samba.quant<4, 32, 16>>
// PACKED: samba.weight @b from "b" {offset = [[#A+3840]] : i64} : tensor<80x96xf32, #samba.quant<4, 32, 16>>

// Weights alone: rows are rounded as for the other matrices. The panels are those of GPUs.
// WEIGHTS: samba.weight @a from "a" : tensor<64x96xf32, #samba.quant<8, 64, 8>>
// WEIGHTS: samba.weight @small from "small" : tensor<16x96xbf16>
// WEIGHTS-NOT: quantize_rows
// WEIGHTS: %[[ROUNDED:.*]] = arith.truncf %{{.*}} : tensor<?x96xf32> to tensor<?x96xbf16>
// WEIGHTS: samba.linear %[[ROUNDED]], %{{.*}} : tensor<?x96xbf16>, tensor<64x96xf32, #samba.quant<8, 64, 8>> -> tensor<?x64xf32>
module {
  samba.weight @norm from "norm" : tensor<96xf32>
  samba.weight @a from "a" : tensor<64x96xf32>
  samba.weight @b from "b" : tensor<80x96xf32>
  samba.weight @padded from "padded" : tensor<64x160xf32>
  samba.weight @small from "small" : tensor<16x96xf32>
  func.func @f(%x: tensor<?x96xf32>) -> (tensor<?x64xf32>, tensor<?x80xf32>, tensor<?x16xf32>) {
    %norm = samba.load_weight @norm : tensor<96xf32>
    %wa = samba.load_weight @a : tensor<64x96xf32>
    %wb = samba.load_weight @b : tensor<80x96xf32>
    %ws = samba.load_weight @small : tensor<16x96xf32>
    %n = samba.rms_norm %x, %norm {eps = 1.0e-5 : f32} : tensor<?x96xf32>, tensor<96xf32>
    %0 = samba.linear %n, %wa : tensor<?x96xf32>, tensor<64x96xf32> -> tensor<?x64xf32>
    %1 = samba.linear %n, %wb : tensor<?x96xf32>, tensor<80x96xf32> -> tensor<?x80xf32>
    %2 = samba.linear %n, %ws : tensor<?x96xf32>, tensor<16x96xf32> -> tensor<?x16xf32>
    return %0, %1, %2 : tensor<?x64xf32>, tensor<?x80xf32>, tensor<?x16xf32>
  }
  func.func @g(%x: tensor<?x160xf32>) -> tensor<?x64xf32> {
    %w = samba.load_weight @padded : tensor<64x160xf32>
    %0 = samba.linear %x, %w : tensor<?x160xf32>, tensor<64x160xf32> -> tensor<?x64xf32>
    return %0 : tensor<?x64xf32>
  }
}
