// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-rotary))' | FileCheck %s
// Twice is no different from once.
// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-rotary))' -mlir-print-debuginfo > %t.once
// RUN: samba-opt %t.once -pass-pipeline='builtin.module(func.func(samba-fuse-rotary))' -mlir-print-debuginfo | diff %t.once -

// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-rotary{into=projection}))' \
// RUN:   | FileCheck %s --check-prefix=PROJECTION
// RUN: samba-opt %s -pass-pipeline='builtin.module(samba-quantize-kv{type=bf16},func.func(samba-form-kernels,samba-fuse-rotary))' \
// RUN:   | FileCheck %s --check-prefix=NARROW
// RUN: not samba-opt %s -pass-pipeline='builtin.module(func.func(samba-fuse-rotary{into=norm}))' 2>&1 \
// RUN:   | FileCheck %s --check-prefix=ERROR
// ERROR: error: samba-fuse-rotary: expected into attention or projection, got 'norm'

// CHECK-LABEL: func.func @attention
// CHECK: samba.kernel "a.q"
// CHECK: samba.kernel "a.k"
// CHECK: samba.kernel "a.v"
// CHECK: samba.kernel "a.rk+rq+attention"
// CHECK-NEXT: %[[K:.*]] = samba.rotary
// CHECK-NEXT: %[[Q:.*]] = samba.rotary
// CHECK-NEXT: samba.sliding_window_attention %[[Q]], %[[K]],
// CHECK: samba.kernel "a.o"
// Roundings go along; a projection is no rotation, even if it is rounded.
// NARROW: samba.kernel "a.v" {{.*}} -> tensor<?x8xbf16>
// NARROW: samba.kernel "a.rk+rq+attention"
// NARROW-NEXT: %[[ROTATED:.*]] = samba.rotary
// NARROW-NEXT: %[[K:.*]] = arith.truncf %[[ROTATED]]
// NARROW-NEXT: %[[Q:.*]] = samba.rotary
// NARROW-NEXT: samba.sliding_window_attention %[[Q]], %[[K]],
// PROJECTION: samba.kernel "a.v"
// PROJECTION: samba.kernel "a.q+rq"
// PROJECTION: samba.kernel "a.k+rk"
// PROJECTION: samba.kernel "a.attention"
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
