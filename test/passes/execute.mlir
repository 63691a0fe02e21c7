// A small model means the same, to the last bit, after each pass and after all of them.
// RUN: samba-opt %s --samba-interpret="segments=3,0,5 print=all" -o /dev/null > %t.before
// RUN: samba-opt %s -samba-set-precision -samba-interpret="segments=3,0,5 print=all" -o /dev/null | cmp %t.before -
// RUN: samba-opt %s -samba-form-kernels -samba-interpret="segments=3,0,5 print=all" -o /dev/null | cmp %t.before -
// RUN: samba-opt %s -samba-pack-weights -samba-interpret="segments=3,0,5 print=all" -o /dev/null | cmp %t.before -
// RUN: samba-opt %s -samba-plan-memory -samba-interpret="segments=3,0,5 print=all" -o /dev/null | cmp %t.before -
// RUN: samba-opt %s -samba-form-kernels -samba-pack-weights=panel-width=8 -samba-plan-memory -o %t.all.mlir
// RUN: samba-opt %t.all.mlir -samba-interpret="segments=3,0,5 print=all" -o /dev/null | cmp %t.before -
// RUN: FileCheck %s < %t.all.mlir

// Each fusion alone, and all together.
// RUN: samba-opt %s -samba-fuse=fusions=none -samba-interpret="segments=3,0,5 print=all" -o /dev/null | cmp %t.before -
// RUN: samba-opt %s -samba-fuse=fusions=default -samba-interpret="segments=3,0,5 print=all" -o /dev/null | cmp %t.before -
// RUN: samba-opt %s -samba-fuse=fusions=all -samba-interpret="segments=3,0,5 print=all" -o /dev/null | cmp %t.before -
// RUN: samba-opt %s -samba-fuse=fusions=none,projections -samba-interpret="segments=3,0,5 print=all" -o /dev/null | cmp %t.before -
// RUN: samba-opt %s -samba-fuse=fusions=none,norm -samba-interpret="segments=3,0,5 print=all" -o /dev/null | cmp %t.before -
// RUN: samba-opt %s -samba-fuse=fusions=none,swiglu -samba-interpret="segments=3,0,5 print=all" -o /dev/null | cmp %t.before -
// RUN: samba-opt %s -samba-fuse=fusions=none,conv -samba-interpret="segments=3,0,5 print=all" -o /dev/null | cmp %t.before -
// RUN: samba-opt %s -samba-fuse=fusions=none,scan -samba-interpret="segments=3,0,5 print=all" -o /dev/null | cmp %t.before -
// RUN: samba-opt %s -samba-fuse=fusions=none,rotary -samba-interpret="segments=3,0,5 print=all" -o /dev/null | cmp %t.before -
// RUN: samba-opt %s -samba-fuse=fusions=none,attention -samba-interpret="segments=3,0,5 print=all" -o /dev/null | cmp %t.before -
// RUN: samba-opt %s -samba-fuse=fusions=none,residual -samba-interpret="segments=3,0,5 print=all" -o /dev/null | cmp %t.before -
// RUN: samba-opt %s -samba-fuse=fusions=none,head -samba-interpret="segments=3,0,5 print=all" -o /dev/null | cmp %t.before -
// RUN: samba-opt %s -samba-fuse=fusions=none,block -samba-interpret="segments=3,0,5 print=all" -o /dev/null | cmp %t.before -
// RUN: samba-opt %s -samba-fuse=fusions=all,-projections -samba-interpret="segments=3,0,5 print=all" -o /dev/null | cmp %t.before -
// RUN: samba-opt %s -samba-fuse=fusions=projections,block -samba-interpret="segments=3,0,5 print=all" -o /dev/null | cmp %t.before -

// The order of the passes does not matter.
// RUN: samba-opt %s -samba-pack-weights=panel-width=8 -samba-plan-memory -samba-form-kernels | cmp %t.all.mlir -

// Only the narrower type changes results.
// RUN: samba-opt %s -samba-set-precision=precision=bf16 -samba-interpret="segments=3,0,5 print=all" -o /dev/null \
// RUN:   | not cmp -s %t.before -
// RUN: samba-opt %s -samba-set-precision=precision=bf16 -samba-interpret="segments=3,0,5 print=all" -o /dev/null \
// RUN:   | count 88

// CHECK: samba.weight @table from "table" {offset = {{[0-9]+}} : i64} : tensor<24x16xf32, #samba.layout<panel, 8>>
// CHECK: samba.weight @mamba.A from "A_log" transform neg_exp {{.*}} : tensor<32x4xf32, #samba.layout<transposed>>

samba.weight @table from "table" : tensor<24x16xf32>
samba.weight @mamba.norm from "mixer_norm.0" : tensor<16xf32>
samba.weight @mamba.in_proj from "in_proj" : tensor<64x16xf32>
samba.weight @mamba.taps from "conv1d.weight" : tensor<32x4xf32>
samba.weight @mamba.conv_bias from "conv1d.bias" : tensor<32xf32>
samba.weight @mamba.x_proj from "x_proj" : tensor<10x32xf32>
samba.weight @mamba.dt_proj from "dt_proj.weight" : tensor<32x2xf32>
samba.weight @mamba.dt_bias from "dt_proj.bias" : tensor<32xf32>
samba.weight @mamba.A from "A_log" transform neg_exp : tensor<32x4xf32>
samba.weight @mamba.D from "D" : tensor<32xf32>
samba.weight @mamba.out_proj from "out_proj" : tensor<16x32xf32>
samba.weight @attention.norm from "mixer_norm.1" : tensor<16xf32>
samba.weight @attention.q from "q_proj" : tensor<16x16xf32>
samba.weight @attention.k from "k_proj" : tensor<8x16xf32>
samba.weight @attention.v from "v_proj" : tensor<8x16xf32>
samba.weight @attention.o from "o_proj" : tensor<16x16xf32>
samba.weight @mlp.0.norm from "mlp_norm.0" : tensor<16xf32>
samba.weight @mlp.0.gate from "gate.0" : tensor<24x16xf32>
samba.weight @mlp.0.up from "up.0" : tensor<24x16xf32>
samba.weight @mlp.0.down from "down.0" : tensor<16x24xf32>
samba.weight @mlp.1.norm from "mlp_norm.1" : tensor<16xf32>
samba.weight @mlp.1.gate from "gate.1" : tensor<24x16xf32>
samba.weight @mlp.1.up from "up.1" : tensor<24x16xf32>
samba.weight @mlp.1.down from "down.1" : tensor<16x24xf32>

func.func private @mamba(%x: tensor<?x16xf32>, %segments: tensor<?xi64>, %norm: tensor<16xf32>,
    %in_proj: tensor<64x16xf32>, %taps: tensor<32x4xf32>, %conv_bias: tensor<32xf32>, %x_proj: tensor<10x32xf32>,
    %dt_proj: tensor<32x2xf32>, %dt_bias: tensor<32xf32>, %A: tensor<32x4xf32>, %D: tensor<32xf32>,
    %out_proj: tensor<16x32xf32>, %conv: !samba.state<3x32xf32>, %ssm: !samba.state<4x32xf32>)
    -> (tensor<?x16xf32>, !samba.state<3x32xf32>, !samba.state<4x32xf32>) {
  %c0 = arith.constant 0 : index
  %t = tensor.dim %x, %c0 : tensor<?x16xf32>
  %h = samba.rms_norm %x, %norm {eps = 1.0e-5 : f32} : tensor<?x16xf32>, tensor<16xf32>
  %xz = samba.linear %h, %in_proj : tensor<?x16xf32>, tensor<64x16xf32> -> tensor<?x64xf32>
  %u = tensor.extract_slice %xz[0, 0] [%t, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
  %z = tensor.extract_slice %xz[0, 32] [%t, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
  %c, %new_conv = samba.causal_conv1d %u, %taps bias %conv_bias : tensor<32xf32> segments %segments state %conv
    activation silu : tensor<?x32xf32>, tensor<32x4xf32>, tensor<?xi64>, !samba.state<3x32xf32>
  %p = samba.linear %c, %x_proj : tensor<?x32xf32>, tensor<10x32xf32> -> tensor<?x10xf32>
  %dt = tensor.extract_slice %p[0, 0] [%t, 2] [1, 1] : tensor<?x10xf32> to tensor<?x2xf32>
  %B = tensor.extract_slice %p[0, 2] [%t, 4] [1, 1] : tensor<?x10xf32> to tensor<?x4xf32>
  %C = tensor.extract_slice %p[0, 6] [%t, 4] [1, 1] : tensor<?x10xf32> to tensor<?x4xf32>
  %delta = samba.linear %dt, %dt_proj : tensor<?x2xf32>, tensor<32x2xf32> -> tensor<?x32xf32>
  %y, %new_ssm = samba.selective_scan %c, %delta, %A, %B, %C segments %segments state %ssm skip %D : tensor<32xf32>
    gate %z : tensor<?x32xf32> delta_bias %dt_bias : tensor<32xf32> {delta_softplus}
    : tensor<?x32xf32>, tensor<32x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?xi64>, !samba.state<4x32xf32>
  %o = samba.linear %y, %out_proj : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  %r = arith.addf %x, %o : tensor<?x16xf32>
  return %r, %new_conv, %new_ssm : tensor<?x16xf32>, !samba.state<3x32xf32>, !samba.state<4x32xf32>
}

func.func private @attention(%x: tensor<?x16xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>,
    %rotary: tensor<?x4xf32>, %norm: tensor<16xf32>, %q_proj: tensor<16x16xf32>, %k_proj: tensor<8x16xf32>,
    %v_proj: tensor<8x16xf32>, %o_proj: tensor<16x16xf32>, %keys: !samba.state<2x4x4xf32>,
    %values: !samba.state<2x4x4xf32>) -> (tensor<?x16xf32>, !samba.state<2x4x4xf32>, !samba.state<2x4x4xf32>) {
  %h = samba.rms_norm %x, %norm {eps = 1.0e-5 : f32} : tensor<?x16xf32>, tensor<16xf32>
  %q = samba.linear %h, %q_proj : tensor<?x16xf32>, tensor<16x16xf32> -> tensor<?x16xf32>
  %k = samba.linear %h, %k_proj : tensor<?x16xf32>, tensor<8x16xf32> -> tensor<?x8xf32>
  %v = samba.linear %h, %v_proj : tensor<?x16xf32>, tensor<8x16xf32> -> tensor<?x8xf32>
  %qr = samba.rotary %q, %rotary : tensor<?x16xf32>, tensor<?x4xf32>
  %kr = samba.rotary %k, %rotary : tensor<?x8xf32>, tensor<?x4xf32>
  %a, %new_keys, %new_values = samba.sliding_window_attention %qr, %kr, %v segments %segments positions %positions
    state %keys, %values {window = 4 : i64}
    : tensor<?x16xf32>, tensor<?x8xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x4x4xf32>
  %o = samba.linear %a, %o_proj : tensor<?x16xf32>, tensor<16x16xf32> -> tensor<?x16xf32>
  %r = arith.addf %x, %o : tensor<?x16xf32>
  return %r, %new_keys, %new_values : tensor<?x16xf32>, !samba.state<2x4x4xf32>, !samba.state<2x4x4xf32>
}

func.func private @mlp(%x: tensor<?x16xf32>, %norm: tensor<16xf32>, %gate: tensor<24x16xf32>, %up: tensor<24x16xf32>,
    %down: tensor<16x24xf32>) -> tensor<?x16xf32> {
  %h = samba.rms_norm %x, %norm {eps = 1.0e-5 : f32} : tensor<?x16xf32>, tensor<16xf32>
  %g = samba.linear %h, %gate : tensor<?x16xf32>, tensor<24x16xf32> -> tensor<?x24xf32>
  %u = samba.linear %h, %up : tensor<?x16xf32>, tensor<24x16xf32> -> tensor<?x24xf32>
  %s = samba.swiglu %g, %u : tensor<?x24xf32>
  %d = samba.linear %s, %down : tensor<?x24xf32>, tensor<16x24xf32> -> tensor<?x16xf32>
  %r = arith.addf %x, %d : tensor<?x16xf32>
  return %r : tensor<?x16xf32>
}

func.func @step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %rows: tensor<?xi64>,
    %conv: !samba.state<3x32xf32>, %ssm: !samba.state<4x32xf32>, %keys: !samba.state<2x4x4xf32>,
    %values: !samba.state<2x4x4xf32>) -> (tensor<?x24xf32>, !samba.state<3x32xf32>, !samba.state<4x32xf32>,
    !samba.state<2x4x4xf32>, !samba.state<2x4x4xf32>) {
  %table = samba.load_weight @table : tensor<24x16xf32>
  %x0 = samba.embedding %tokens, %table : tensor<?xi32>, tensor<24x16xf32> -> tensor<?x16xf32>
  %rotary = samba.rotary_table %segments, %positions {theta = 10000.0 : f64}
    : tensor<?xi64>, tensor<?xi64> -> tensor<?x4xf32>
  %0 = samba.load_weight @mamba.norm : tensor<16xf32>
  %1 = samba.load_weight @mamba.in_proj : tensor<64x16xf32>
  %2 = samba.load_weight @mamba.taps : tensor<32x4xf32>
  %3 = samba.load_weight @mamba.conv_bias : tensor<32xf32>
  %4 = samba.load_weight @mamba.x_proj : tensor<10x32xf32>
  %5 = samba.load_weight @mamba.dt_proj : tensor<32x2xf32>
  %6 = samba.load_weight @mamba.dt_bias : tensor<32xf32>
  %7 = samba.load_weight @mamba.A : tensor<32x4xf32>
  %8 = samba.load_weight @mamba.D : tensor<32xf32>
  %9 = samba.load_weight @mamba.out_proj : tensor<16x32xf32>
  %x1, %new_conv, %new_ssm = call @mamba(%x0, %segments, %0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %conv, %ssm)
    : (tensor<?x16xf32>, tensor<?xi64>, tensor<16xf32>, tensor<64x16xf32>, tensor<32x4xf32>, tensor<32xf32>,
       tensor<10x32xf32>, tensor<32x2xf32>, tensor<32xf32>, tensor<32x4xf32>, tensor<32xf32>, tensor<16x32xf32>,
       !samba.state<3x32xf32>, !samba.state<4x32xf32>)
    -> (tensor<?x16xf32>, !samba.state<3x32xf32>, !samba.state<4x32xf32>)
  %10 = samba.load_weight @mlp.0.norm : tensor<16xf32>
  %11 = samba.load_weight @mlp.0.gate : tensor<24x16xf32>
  %12 = samba.load_weight @mlp.0.up : tensor<24x16xf32>
  %13 = samba.load_weight @mlp.0.down : tensor<16x24xf32>
  %x2 = call @mlp(%x1, %10, %11, %12, %13)
    : (tensor<?x16xf32>, tensor<16xf32>, tensor<24x16xf32>, tensor<24x16xf32>, tensor<16x24xf32>) -> tensor<?x16xf32>
  samba.probe %x2, "layers.0", 0 : tensor<?x16xf32>
  %14 = samba.load_weight @attention.norm : tensor<16xf32>
  %15 = samba.load_weight @attention.q : tensor<16x16xf32>
  %16 = samba.load_weight @attention.k : tensor<8x16xf32>
  %17 = samba.load_weight @attention.v : tensor<8x16xf32>
  %18 = samba.load_weight @attention.o : tensor<16x16xf32>
  %x3, %new_keys, %new_values = call @attention(%x2, %segments, %positions, %rotary, %14, %15, %16, %17, %18, %keys, %values)
    : (tensor<?x16xf32>, tensor<?xi64>, tensor<?xi64>, tensor<?x4xf32>, tensor<16xf32>, tensor<16x16xf32>,
       tensor<8x16xf32>, tensor<8x16xf32>, tensor<16x16xf32>, !samba.state<2x4x4xf32>, !samba.state<2x4x4xf32>)
    -> (tensor<?x16xf32>, !samba.state<2x4x4xf32>, !samba.state<2x4x4xf32>)
  %19 = samba.load_weight @mlp.1.norm : tensor<16xf32>
  %20 = samba.load_weight @mlp.1.gate : tensor<24x16xf32>
  %21 = samba.load_weight @mlp.1.up : tensor<24x16xf32>
  %22 = samba.load_weight @mlp.1.down : tensor<16x24xf32>
  %x4 = call @mlp(%x3, %19, %20, %21, %22)
    : (tensor<?x16xf32>, tensor<16xf32>, tensor<24x16xf32>, tensor<24x16xf32>, tensor<16x24xf32>) -> tensor<?x16xf32>
  %last = samba.gather_rows %x4, %rows : tensor<?x16xf32>, tensor<?xi64> -> tensor<?x16xf32>
  %logits = samba.linear %last, %table : tensor<?x16xf32>, tensor<24x16xf32> -> tensor<?x24xf32>
  return %logits, %new_conv, %new_ssm, %new_keys, %new_values : tensor<?x24xf32>, !samba.state<3x32xf32>,
    !samba.state<4x32xf32>, !samba.state<2x4x4xf32>, !samba.state<2x4x4xf32>
}
