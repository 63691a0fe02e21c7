// Every operation, type and attribute, printed and parsed back in both forms.
// RUN: samba-opt %s | FileCheck %s
// RUN: samba-opt %s | samba-opt | FileCheck %s
// RUN: samba-opt %s --mlir-print-op-generic | samba-opt | FileCheck %s
// RUN: samba-opt %s --emit-bytecode -o %t.mlirbc && samba-opt %t.mlirbc | FileCheck %s

// CHECK: samba.weight @plain from "a.weight" : tensor<48x32xf32>
samba.weight @plain from "a.weight" : tensor<48x32xf32>
// CHECK: samba.weight @narrow from "b.weight" : tensor<48x32xbf16>
samba.weight @narrow from "b.weight" : tensor<48x32xbf16>
// CHECK: samba.weight @panels from "c.weight" : tensor<48x32xf16, #samba.layout<panel, 16>>
samba.weight @panels from "c.weight" : tensor<48x32xf16, #samba.layout<panel, 16>>
// CHECK: samba.weight @layers.0.mixer.A from "layers.0.A_log" transform neg_exp {offset = 64 : i64} : tensor<32x16xf32, #samba.layout<transposed>>
samba.weight @layers.0.mixer.A from "layers.0.A_log" transform neg_exp {offset = 64 : i64}
  : tensor<32x16xf32, #samba.layout<transposed>>

// CHECK-LABEL: func.func @load_weight
func.func @load_weight() -> tensor<32x16xf32, #samba.layout<transposed>> {
  // CHECK: samba.load_weight @plain : tensor<48x32xf32>
  %plain = samba.load_weight @plain : tensor<48x32xf32>
  // CHECK: samba.load_weight @layers.0.mixer.A : tensor<32x16xf32, #samba.layout<transposed>>
  %a = samba.load_weight @layers.0.mixer.A : tensor<32x16xf32, #samba.layout<transposed>>
  return %a : tensor<32x16xf32, #samba.layout<transposed>>
}

// CHECK-LABEL: func.func @embedding
func.func @embedding(%tokens: tensor<?xi32>, %table: tensor<100x32xbf16>) -> tensor<?x32xf32> {
  // CHECK: samba.embedding %{{.*}}, %{{.*}} : tensor<?xi32>, tensor<100x32xbf16> -> tensor<?x32xf32>
  %0 = samba.embedding %tokens, %table : tensor<?xi32>, tensor<100x32xbf16> -> tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// CHECK-LABEL: func.func @gather_rows
func.func @gather_rows(%x: tensor<?x32xf32>, %rows: tensor<?xi64>) -> tensor<?x32xf32> {
  // CHECK: samba.gather_rows %{{.*}}, %{{.*}} : tensor<?x32xf32>, tensor<?xi64> -> tensor<?x32xf32>
  %0 = samba.gather_rows %x, %rows : tensor<?x32xf32>, tensor<?xi64> -> tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// CHECK-LABEL: func.func @rms_norm_without_weight
func.func @rms_norm_without_weight(%x: tensor<?x32xf32>) -> tensor<?x32xf32> {
  // CHECK: samba.rms_norm %{{.*}} {eps = 9.99999974E-6 : f32} : tensor<?x32xf32>
  %0 = samba.rms_norm %x {eps = 1.0e-5 : f32} : tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// CHECK-LABEL: func.func @rms_norm(
func.func @rms_norm(%x: tensor<?x32xf32>, %weight: tensor<32xf32>) -> tensor<?x32xf32> {
  // CHECK: samba.rms_norm %{{.*}}, %{{.*}} {eps = 9.99999974E-6 : f32} : tensor<?x32xf32>, tensor<32xf32>
  %0 = samba.rms_norm %x, %weight {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<32xf32>
  return %0 : tensor<?x32xf32>
}

// CHECK-LABEL: func.func @layer_norm
func.func @layer_norm(%x: tensor<?x32xf32>, %weight: tensor<32xf32>) -> (tensor<?x32xf32>, tensor<?x32xf32>) {
  // CHECK: samba.layer_norm %{{[a-z0-9]+}}, %{{[a-z0-9]+}} {eps = 9.99999974E-6 : f32} : tensor<?x32xf32>, tensor<32xf32>
  %0 = samba.layer_norm %x, %weight {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<32xf32>
  // CHECK: samba.layer_norm %{{.*}}, %{{.*}} bias %{{.*}} : tensor<32xf32> {eps = 9.99999974E-6 : f32} : tensor<?x32xf32>, tensor<32xf32>
  %1 = samba.layer_norm %x, %weight bias %weight : tensor<32xf32> {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<32xf32>
  return %0, %1 : tensor<?x32xf32>, tensor<?x32xf32>
}

// CHECK-LABEL: func.func @differential_norm
func.func @differential_norm(%x: tensor<?x64xf32>, %lambda: tensor<16xf32>, %weight: tensor<8xf32>, %depth: index)
    -> tensor<?x32xf32> {
  // CHECK: samba.differential_norm %{{.*}}, %{{.*}}, %{{.*}} depth %{{.*}} pairs 2 {eps = 9.99999974E-6 : f32} : tensor<?x64xf32>, tensor<16xf32>, tensor<8xf32> -> tensor<?x32xf32>
  %0 = samba.differential_norm %x, %lambda, %weight depth %depth pairs 2 {eps = 1.0e-5 : f32}
    : tensor<?x64xf32>, tensor<16xf32>, tensor<8xf32> -> tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}

// CHECK-LABEL: func.func @wide_values
func.func @wide_values(%q: tensor<?x64xf32>, %k: tensor<?x32xf32>, %rows: tensor<?xi64>, %segments: tensor<?xi64>,
    %positions: tensor<?xi64>, %keys: !samba.state<4x16x8xf32>, %values: !samba.state<2x16x16xf32>)
    -> (tensor<?x128xf32>, tensor<?x128xf32>, !samba.state<4x16x8xf32>, !samba.state<2x16x16xf32>) {
  // CHECK: samba.sliding_window_attention {{.*}} : tensor<?x64xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, <4x16x8xf32>, <2x16x16xf32> -> tensor<?x128xf32>
  %0, %1, %2 = samba.sliding_window_attention %q, %k, %k segments %segments positions %positions state %keys, %values
    : tensor<?x64xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<4x16x8xf32>,
    !samba.state<2x16x16xf32> -> tensor<?x128xf32>
  // CHECK: samba.cross_attention %{{.*}} rows %{{.*}} segments %{{.*}} positions %{{.*}} state %{{.*}}, %{{.*}} : tensor<?x64xf32>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, <4x16x8xf32>, <2x16x16xf32> -> tensor<?x128xf32>
  %3, %4, %5 = samba.cross_attention %q rows %rows segments %segments positions %positions state %1, %2
    : tensor<?x64xf32>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, !samba.state<4x16x8xf32>,
    !samba.state<2x16x16xf32> -> tensor<?x128xf32>
  return %0, %3, %4, %5 : tensor<?x128xf32>, tensor<?x128xf32>, !samba.state<4x16x8xf32>, !samba.state<2x16x16xf32>
}

// CHECK-LABEL: func.func @cross_attention
func.func @cross_attention(%q: tensor<?x64xf32>, %rows: tensor<?xi64>, %segments: tensor<?xi64>,
    %positions: tensor<?xi64>, %keys: !samba.state<4x16x8xf32>, %values: !samba.state<4x16x8xf32>)
    -> (tensor<?x64xf32>, !samba.state<4x16x8xf32>, !samba.state<4x16x8xf32>) {
  // CHECK: samba.cross_attention {{.*}} : tensor<?x64xf32>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, <4x16x8xf32>{{$}}
  %0, %1, %2 = samba.cross_attention %q rows %rows segments %segments positions %positions state %keys, %values
    : tensor<?x64xf32>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, !samba.state<4x16x8xf32>
  return %0, %1, %2 : tensor<?x64xf32>, !samba.state<4x16x8xf32>, !samba.state<4x16x8xf32>
}

// CHECK-LABEL: func.func @linear
func.func @linear(%x: tensor<?x32xf32>, %weight: tensor<48x32xbf16>, %bias: tensor<48xf32>)
    -> (tensor<?x48xf32>, tensor<?x48xf32>) {
  // CHECK: samba.linear %{{[a-z0-9]+}}, %{{[a-z0-9]+}} : tensor<?x32xf32>, tensor<48x32xbf16> -> tensor<?x48xf32>
  %0 = samba.linear %x, %weight : tensor<?x32xf32>, tensor<48x32xbf16> -> tensor<?x48xf32>
  // CHECK: samba.linear %{{.*}}, %{{.*}} bias %{{.*}} : tensor<48xf32> : tensor<?x32xf32>, tensor<48x32xbf16> -> tensor<?x48xf32>
  %1 = samba.linear %x, %weight bias %bias : tensor<48xf32> : tensor<?x32xf32>, tensor<48x32xbf16> -> tensor<?x48xf32>
  return %0, %1 : tensor<?x48xf32>, tensor<?x48xf32>
}

// CHECK-LABEL: func.func @swiglu
func.func @swiglu(%gate: tensor<?x64xf32>, %up: tensor<?x64xf32>) -> tensor<?x64xf32> {
  // CHECK: samba.swiglu %{{.*}}, %{{.*}} : tensor<?x64xf32>
  %0 = samba.swiglu %gate, %up : tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @rotary
func.func @rotary(%x: tensor<?x32xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>) -> tensor<?x32xf32> {
  // CHECK: samba.rotary_table %{{.*}}, %{{.*}} {theta = 1.000000e+04 : f64} : tensor<?xi64>, tensor<?xi64> -> tensor<?x16xf32>
  %table = samba.rotary_table %segments, %positions {theta = 10000.0 : f64}
    : tensor<?xi64>, tensor<?xi64> -> tensor<?x16xf32>
  // CHECK: samba.rotary %{{.*}}, %{{.*}} : tensor<?x32xf32>, tensor<?x16xf32>
  %0 = samba.rotary %x, %table : tensor<?x32xf32>, tensor<?x16xf32>
  return %0 : tensor<?x32xf32>
}

// CHECK-LABEL: func.func @causal_conv1d
func.func @causal_conv1d(%x: tensor<?x64xf32>, %weight: tensor<64x4xf32>, %bias: tensor<64xf32>,
    %segments: tensor<?xi64>, %state: !samba.state<3x64xf32>) -> (tensor<?x64xf32>, !samba.state<3x64xf32>) {
  // CHECK: samba.causal_conv1d %{{[a-z0-9]+}}, %{{[a-z0-9]+}} segments %{{[a-z0-9]+}} state %{{[a-z0-9]+}} : tensor<?x64xf32>, tensor<64x4xf32>, tensor<?xi64>, <3x64xf32>
  %y, %next = samba.causal_conv1d %x, %weight segments %segments state %state
    : tensor<?x64xf32>, tensor<64x4xf32>, tensor<?xi64>, !samba.state<3x64xf32>
  // CHECK: samba.causal_conv1d %{{.*}}, %{{.*}} bias %{{.*}} : tensor<64xf32> segments %{{.*}} state %{{.*}} activation silu : tensor<?x64xf32>, tensor<64x4xf32>, tensor<?xi64>, <3x64xf32>
  %z, %last = samba.causal_conv1d %y, %weight bias %bias : tensor<64xf32> segments %segments state %next activation silu
    : tensor<?x64xf32>, tensor<64x4xf32>, tensor<?xi64>, !samba.state<3x64xf32>
  return %z, %last : tensor<?x64xf32>, !samba.state<3x64xf32>
}

// CHECK-LABEL: func.func @selective_scan
func.func @selective_scan(%u: tensor<?x64xf32>, %delta: tensor<?x64xf32>, %A: tensor<64x16xf32>, %B: tensor<?x16xf32>,
    %C: tensor<?x16xf32>, %D: tensor<64xf32>, %z: tensor<?x64xf32>, %delta_bias: tensor<64xf32>,
    %segments: tensor<?xi64>, %state: !samba.state<16x64xf32>) -> (tensor<?x64xf32>, !samba.state<16x64xf32>) {
  // CHECK: samba.selective_scan %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} segments %{{[a-z0-9]+}} state %{{[a-z0-9]+}} : tensor<?x64xf32>, tensor<64x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<?xi64>, <16x64xf32>
  %0, %1 = samba.selective_scan %u, %delta, %A, %B, %C segments %segments state %state
    : tensor<?x64xf32>, tensor<64x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<?xi64>, !samba.state<16x64xf32>
  // CHECK: samba.selective_scan %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} segments %{{.*}} state %{{.*}} skip %{{.*}} : tensor<64xf32> gate %{{.*}} : tensor<?x64xf32> delta_bias %{{.*}} : tensor<64xf32> {delta_softplus} :
  %2, %3 = samba.selective_scan %0, %delta, %A, %B, %C segments %segments state %1
    skip %D : tensor<64xf32> gate %z : tensor<?x64xf32> delta_bias %delta_bias : tensor<64xf32> {delta_softplus}
    : tensor<?x64xf32>, tensor<64x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<?xi64>, !samba.state<16x64xf32>
  // CHECK: samba.selective_scan %{{.*}} state %{{[a-z0-9#_]+}} gate %{{[a-z0-9]+}} : tensor<?x64xf32> : tensor<?x64xf32>,
  %4, %5 = samba.selective_scan %2, %delta, %A, %B, %C segments %segments state %3 gate %z : tensor<?x64xf32>
    : tensor<?x64xf32>, tensor<64x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<?xi64>, !samba.state<16x64xf32>
  return %4, %5 : tensor<?x64xf32>, !samba.state<16x64xf32>
}

// CHECK-LABEL: func.func @sliding_window_attention
func.func @sliding_window_attention(%q: tensor<?x64xf32>, %k: tensor<?x32xf32>, %v: tensor<?x32xf32>,
    %segments: tensor<?xi64>, %positions: tensor<?xi64>, %keys: !samba.state<2x8x16xf32>,
    %values: !samba.state<2x8x16xf32>) -> (tensor<?x64xf32>, !samba.state<2x8x16xf32>, !samba.state<2x8x16xf32>) {
  // CHECK: samba.sliding_window_attention %{{.*}}, %{{.*}}, %{{.*}} segments %{{.*}} positions %{{.*}} state %{{.*}}, %{{.*}} {window = 8 : i64} : tensor<?x64xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, <2x8x16xf32>
  %0, %1, %2 = samba.sliding_window_attention %q, %k, %v segments %segments positions %positions state %keys, %values
    {window = 8 : i64}
    : tensor<?x64xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x16xf32>
  // CHECK: samba.sliding_window_attention %{{.*}} state %{{[a-z0-9#_]+}}, %{{[a-z0-9#_]+}} : tensor<?x64xf32>
  %3, %4, %5 = samba.sliding_window_attention %0, %k, %v segments %segments positions %positions state %1, %2
    : tensor<?x64xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x16xf32>
  return %3, %4, %5 : tensor<?x64xf32>, !samba.state<2x8x16xf32>, !samba.state<2x8x16xf32>
}

// CHECK-LABEL: func.func @probe
func.func @probe(%x: tensor<?x32xf32>) {
  // CHECK: samba.probe %{{.*}}, "layers.0", 1 : tensor<?x32xf32>
  samba.probe %x, "layers.0", 1 : tensor<?x32xf32>
  return
}

// CHECK-LABEL: func.func @kernel
func.func @kernel(%x: tensor<?x32xf32>, %weight: tensor<48x32xf32>) -> (tensor<?x48xf32>, tensor<?x32xf32>) {
  // CHECK: %[[Y:.*]]:2 = samba.kernel "mlp.up_proj" ins(%[[A:.*]] = %{{.*}} : tensor<?x32xf32>, %[[W:.*]] = %{{.*}} : tensor<48x32xf32>) -> (tensor<?x48xf32>, tensor<?x32xf32>) {
  // CHECK-NEXT: %[[R:.*]] = samba.linear %[[A]], %[[W]]
  // CHECK-NEXT: samba.yield %[[R]], %[[A]] : tensor<?x48xf32>, tensor<?x32xf32>
  %0:2 = samba.kernel "mlp.up_proj" ins(%a = %x : tensor<?x32xf32>, %w = %weight : tensor<48x32xf32>)
      -> (tensor<?x48xf32>, tensor<?x32xf32>) {
    %1 = samba.linear %a, %w : tensor<?x32xf32>, tensor<48x32xf32> -> tensor<?x48xf32>
    samba.yield %1, %a : tensor<?x48xf32>, tensor<?x32xf32>
  }
  // CHECK: samba.kernel "empty" ins() attributes {note = 1 : i64} {
  // CHECK-NEXT: samba.yield
  // CHECK-NEXT: }
  samba.kernel "empty" ins() attributes {note = 1 : i64} {
    samba.yield
  }
  // CHECK: return %[[Y]]#0, %[[Y]]#1
  return %0#0, %0#1 : tensor<?x48xf32>, tensor<?x32xf32>
}

// CHECK-LABEL: func.func private @states(!samba.state<7xi8>, !samba.state<3x4xbf16>)
func.func private @states(!samba.state<7xi8>, !samba.state<3x4xbf16>)
