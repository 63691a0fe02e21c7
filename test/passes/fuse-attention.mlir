// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-attention))' | FileCheck %s
// Twice is no different from once.
// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-attention))' -mlir-print-debuginfo > %t.once
// RUN: samba-opt %t.once -pass-pipeline='builtin.module(func.func(samba-fuse-attention))' -mlir-print-debuginfo | diff %t.once -

// CHECK-LABEL: func.func @attention
// CHECK: samba.kernel "a.rk"
// CHECK: %[[K:.*]]:3 = samba.kernel "a.attention+o"
// CHECK-NEXT: %[[A:.*]], %[[S:.*]], %[[T:.*]] = samba.sliding_window_attention
// CHECK-NEXT: %[[O:.*]] = samba.linear %[[A]]
// CHECK-NEXT: samba.yield %[[S]], %[[T]], %[[O]]
// CHECK: return %[[K]]#2, %[[K]]#0, %[[K]]#1
func.func @attention(%x: tensor<?x16xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %table: tensor<?x4xf32>,
    %q_proj: tensor<16x16xf32>, %k_proj: tensor<8x16xf32>, %v_proj: tensor<8x16xf32>, %o_proj: tensor<16x16xf32>,
    %keys: !samba.state<2x4x4xf32>, %values: !samba.state<2x4x4xf32>)
    -> (tensor<?x16xf32>, !samba.state<2x4x4xf32>, !samba.state<2x4x4xf32>) {
  %q = samba.linear %x, %q_proj : tensor<?x16xf32>, tensor<16x16xf32> -> tensor<?x16xf32> loc("a.q")
  %k = samba.linear %x, %k_proj : tensor<?x16xf32>, tensor<8x16xf32> -> tensor<?x8xf32> loc("a.k")
  %v = samba.linear %x, %v_proj : tensor<?x16xf32>, tensor<8x16xf32> -> tensor<?x8xf32> loc("a.v")
  %qr = samba.rotary %q, %table : tensor<?x16xf32>, tensor<?x4xf32> loc("a.rq")
  %kr = samba.rotary %k, %table : tensor<?x8xf32>, tensor<?x4xf32> loc("a.rk")
  %a, %new_keys, %new_values = samba.sliding_window_attention %qr, %kr, %v segments %segments positions %positions
    state %keys, %values {window = 4 : i64}
    : tensor<?x16xf32>, tensor<?x8xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x4x4xf32> loc("a.attention")
  %o = samba.linear %a, %o_proj : tensor<?x16xf32>, tensor<16x16xf32> -> tensor<?x16xf32> loc("a.o")
  return %o, %new_keys, %new_values : tensor<?x16xf32>, !samba.state<2x4x4xf32>, !samba.state<2x4x4xf32>
}

// The norm of differences goes along, and so do keys of another layer.
// CHECK-LABEL: func.func @differential
// CHECK: samba.kernel "attention+norm+o"
// CHECK-NEXT: %[[A:.*]], %{{.*}}, %{{.*}} = samba.cross_attention
// CHECK-NEXT: %[[D:.*]] = samba.differential_norm %[[A]]
// CHECK-NEXT: samba.linear %[[D]]
// CHECK-NOT: samba.kernel
func.func @differential(%q: tensor<?x16xf32>, %rows: tensor<?xi64>, %segments: tensor<?xi64>, %positions: tensor<?xi64>,
    %lambda: tensor<16xf32>, %n: tensor<8xf32>, %depth: index, %o_proj: tensor<16x16xf32>,
    %keys: !samba.state<2x4x4xf32>, %values: !samba.state<1x4x8xf32>)
    -> (tensor<?x16xf32>, !samba.state<2x4x4xf32>, !samba.state<1x4x8xf32>) {
  %a, %k, %v = samba.cross_attention %q rows %rows segments %segments positions %positions state %keys, %values
    : tensor<?x16xf32>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x4x4xf32>,
    !samba.state<1x4x8xf32> -> tensor<?x32xf32> loc("attention")
  %d = samba.differential_norm %a, %lambda, %n depth %depth pairs 2 {eps = 1.0e-5 : f32}
    : tensor<?x32xf32>, tensor<16xf32>, tensor<8xf32> -> tensor<?x16xf32> loc("norm")
  %o = samba.linear %d, %o_proj : tensor<?x16xf32>, tensor<16x16xf32> -> tensor<?x16xf32> loc("o")
  return %o, %k, %v : tensor<?x16xf32>, !samba.state<2x4x4xf32>, !samba.state<1x4x8xf32>
}
