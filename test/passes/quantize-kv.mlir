// RUN: samba-opt %s -samba-quantize-kv=type=bf16 | FileCheck %s --check-prefixes=CHECK,BF16
// RUN: samba-opt %s -samba-quantize-kv=type=int8 | FileCheck %s --check-prefixes=CHECK,INT8
// Nothing to do: f32 is what there is, and what is narrow already stays so.
// RUN: samba-opt %s > %t.plain
// RUN: samba-opt %s -samba-quantize-kv | diff %t.plain -
// RUN: samba-opt %s -samba-quantize-kv=type=int8 > %t.once
// RUN: samba-opt %t.once -samba-quantize-kv=type=int8 | diff %t.once -
// RUN: samba-opt %t.once -samba-quantize-kv=type=bf16 | diff %t.once -

// Two layers share a function: the types change on the whole way of a ring, and on no other.
// CHECK-LABEL: func.func private @mixer(
// BF16-SAME: !samba.state<1x4x8xbf16>, %{{.*}}: !samba.state<1x4x8xbf16>)
// BF16: %[[ROTATED:.*]] = samba.rotary
// BF16-DAG: %[[K:.*]] = arith.truncf %[[ROTATED]] : tensor<?x8xf32> to tensor<?x8xbf16>
// BF16-DAG: %[[V:.*]] = arith.truncf %{{.*}} : tensor<?x8xf32> to tensor<?x8xbf16>
// BF16: samba.sliding_window_attention %{{.*}}, %[[K]], %[[V]] {{.*}} : tensor<?x16xf32>, tensor<?x8xbf16>, tensor<?xi64>, tensor<?xi64>, <1x4x8xbf16>
// INT8-SAME: !samba.state<1x4x8xi8>, %{{.*}}: !samba.state<1x4x8xi8>)
// INT8: %[[ROTATED:.*]] = samba.rotary
// INT8-DAG: %[[K:.*]] = samba.quantize_rows %[[ROTATED]] : tensor<?x8xf32> -> tensor<?x8xf32, #samba.quant<8, 8>>
// INT8-DAG: %[[V:.*]] = samba.quantize_rows
// INT8: samba.sliding_window_attention %{{.*}}, %[[K]], %[[V]] {{.*}} : tensor<?x16xf32>, tensor<?x8xf32, #samba.quant<8, 8>>, tensor<?xi64>, tensor<?xi64>, <1x4x8xi8>
// CHECK: func.func @step(
// CHECK-SAME: !samba.state<3x8xf32>
// BF16-SAME: !samba.state<1x4x8xbf16>
// INT8-SAME: !samba.state<1x4x8xi8>

// In the fused kernel the roundings have no loop of their own: they share that of the rotation. An integer takes a byte
// and the scale of 8 of them 4, where f32 takes 32.
// RUN: samba-opt %s -samba-quantize-kv=type=int8 -samba-fuse -samba-print-cost -o /dev/null | FileCheck %s --check-prefix=COST
// RUN: samba-opt %s -samba-fuse -samba-print-cost -o /dev/null | FileCheck %s --check-prefix=PLAIN
// COST: quantize_rows+rotary+quantize_rows+sliding_window_attention 224 0 120 368 8 2 4.0
// PLAIN: rotary+sliding_window_attention 224 0 320 304 8 2 4.0
func.func private @mixer(%x: tensor<?x8xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %table: tensor<?x8xf32>,
    %q_proj: tensor<16x8xf32>, %k_proj: tensor<8x8xf32>, %keys: !samba.state<1x4x8xf32>, %values: !samba.state<1x4x8xf32>)
    -> (tensor<?x16xf32>, !samba.state<1x4x8xf32>, !samba.state<1x4x8xf32>) {
  %q = samba.linear %x, %q_proj : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32>
  %k = samba.linear %x, %k_proj : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  %kr = samba.rotary %k, %table : tensor<?x8xf32>, tensor<?x8xf32>
  %y, %nk, %nv = samba.sliding_window_attention %q, %kr, %k segments %segments positions %positions
    state %keys, %values {window = 4 : i64}
    : tensor<?x16xf32>, tensor<?x8xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<1x4x8xf32>
  return %y, %nk, %nv : tensor<?x16xf32>, !samba.state<1x4x8xf32>, !samba.state<1x4x8xf32>
}
samba.weight @taps from "taps" : tensor<8x4xf32>
samba.weight @q.0 from "q.0" : tensor<16x8xf32>
samba.weight @q.1 from "q.1" : tensor<16x8xf32>
samba.weight @k.0 from "k.0" : tensor<8x8xf32>
samba.weight @k.1 from "k.1" : tensor<8x8xf32>
func.func @step(%x: tensor<?x8xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %tail: !samba.state<3x8xf32>,
    %k0: !samba.state<1x4x8xf32>, %v0: !samba.state<1x4x8xf32>, %k1: !samba.state<1x4x8xf32>, %v1: !samba.state<1x4x8xf32>)
    -> (tensor<?x16xf32>, !samba.state<3x8xf32>, !samba.state<1x4x8xf32>, !samba.state<1x4x8xf32>,
        !samba.state<1x4x8xf32>, !samba.state<1x4x8xf32>) {
  %taps = samba.load_weight @taps : tensor<8x4xf32>
  %q.0 = samba.load_weight @q.0 : tensor<16x8xf32>
  %q.1 = samba.load_weight @q.1 : tensor<16x8xf32>
  %k.0 = samba.load_weight @k.0 : tensor<8x8xf32>
  %k.1 = samba.load_weight @k.1 : tensor<8x8xf32>
  %table = samba.rotary_table %segments, %positions {theta = 10000.0 : f64} : tensor<?xi64>, tensor<?xi64> -> tensor<?x8xf32>
  %c, %nt = samba.causal_conv1d %x, %taps segments %segments state %tail
    : tensor<?x8xf32>, tensor<8x4xf32>, tensor<?xi64>, !samba.state<3x8xf32>
  %a, %nk0, %nv0 = call @mixer(%c, %segments, %positions, %table, %q.0, %k.0, %k0, %v0)
    : (tensor<?x8xf32>, tensor<?xi64>, tensor<?xi64>, tensor<?x8xf32>, tensor<16x8xf32>, tensor<8x8xf32>, !samba.state<1x4x8xf32>, !samba.state<1x4x8xf32>)
    -> (tensor<?x16xf32>, !samba.state<1x4x8xf32>, !samba.state<1x4x8xf32>)
  %b, %nk1, %nv1 = call @mixer(%c, %segments, %positions, %table, %q.1, %k.1, %k1, %v1)
    : (tensor<?x8xf32>, tensor<?xi64>, tensor<?xi64>, tensor<?x8xf32>, tensor<16x8xf32>, tensor<8x8xf32>, !samba.state<1x4x8xf32>, !samba.state<1x4x8xf32>)
    -> (tensor<?x16xf32>, !samba.state<1x4x8xf32>, !samba.state<1x4x8xf32>)
  %y = arith.addf %a, %b : tensor<?x16xf32>
  return %y, %nt, %nk0, %nv0, %nk1, %nv1 : tensor<?x16xf32>, !samba.state<3x8xf32>, !samba.state<1x4x8xf32>,
    !samba.state<1x4x8xf32>, !samba.state<1x4x8xf32>, !samba.state<1x4x8xf32>
}

// It computes what it did, rounded, in kernels and out of them, and so does compiled code: keys in the rings and of the
// step, one by one and many at once.
// RUN: samba-opt %s -samba-interpret="function=step segments=1,9,0,3 weights=seeded print=all" -o /dev/null > %t.f32
// RUN: samba-opt %s -samba-quantize-kv=type=bf16 \
// RUN:   -samba-interpret="function=step segments=1,9,0,3 weights=seeded print=all" -o /dev/null > %t.bf16
// RUN: not cmp -s %t.f32 %t.bf16
// RUN: samba-opt %s -samba-quantize-kv=type=bf16 -samba-fuse=fusions=all \
// RUN:   -samba-interpret="function=step segments=1,9,0,3 weights=seeded print=all" -o /dev/null | cmp %t.bf16 -
// RUN: samba-opt %s -samba-quantize-kv=type=int8 \
// RUN:   -samba-interpret="function=step segments=1,9,0,3 weights=seeded print=all" -o /dev/null > %t.int8
// RUN: not cmp -s %t.bf16 %t.int8
// RUN: samba-opt %s -samba-quantize-kv=type=int8 -samba-fuse=fusions=all \
// RUN:   -samba-interpret="function=step segments=1,9,0,3 weights=seeded print=all" -o /dev/null | cmp %t.int8 -
// RUN: samba-opt %s --check-each-pass --check-segments=1,9,0,3 -o /dev/null -samba-quantize-kv=type=bf16 -samba-fuse \
// RUN:   -samba-pack-weights -samba-plan-memory -samba-lower-to-cpu=target=native 2>&1 | FileCheck %s --check-prefix=EXECUTED
// RUN: samba-opt %s --check-each-pass --check-segments=1,9,0,3 -o /dev/null -samba-quantize-kv=type=int8 -samba-fuse \
// RUN:   -samba-pack-weights -samba-plan-memory -samba-lower-to-cpu=target=native 2>&1 | FileCheck %s --check-prefix=EXECUTED
// EXECUTED: check: samba-quantize-kv {{ *}}changed, largest error
// EXECUTED: check: samba-fuse-rotary {{ *}}changed, the same to the last bit
// EXECUTED: check: samba-lower-to-cpu {{ *}}changed, largest error

// Attention that reads the rings of another layer goes along.
// CHECK-LABEL: func.func private @across
// BF16: samba.sliding_window_attention {{.*}}, <1x4x8xbf16>
// BF16: samba.cross_attention {{.*}}, <1x4x8xbf16>
// INT8: samba.sliding_window_attention {{.*}}, <1x4x8xi8>
// INT8: samba.cross_attention {{.*}}, <1x4x8xi8>
func.func private @across(%q: tensor<?x8xf32>, %rows: tensor<?xi64>, %segments: tensor<?xi64>, %positions: tensor<?xi64>,
    %keys: !samba.state<1x4x8xf32>, %values: !samba.state<1x4x8xf32>)
    -> (tensor<?x8xf32>, !samba.state<1x4x8xf32>, !samba.state<1x4x8xf32>) {
  %y, %nk, %nv = samba.sliding_window_attention %q, %q, %q segments %segments positions %positions state %keys, %values
    : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<1x4x8xf32>
  %z, %ck, %cv = samba.cross_attention %y rows %rows segments %segments positions %positions state %nk, %nv
    : tensor<?x8xf32>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, !samba.state<1x4x8xf32>
  return %z, %ck, %cv : tensor<?x8xf32>, !samba.state<1x4x8xf32>, !samba.state<1x4x8xf32>
}
