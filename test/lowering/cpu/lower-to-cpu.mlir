// Every operation as parallel loops of vector code: what is checked is the shape of the loops, and that nothing is
// allocated or copied. What the loops compute is tested against golden results.
// REQUIRES: x86_64
// RUN: samba-opt %s -split-input-file -samba-form-kernels -samba-pack-weights=panel-width=16 -samba-plan-memory \
// RUN:   -samba-lower-to-cpu=target=x86-64-v3 -cse > %t
// RUN: FileCheck %s < %t
// RUN: not grep -E "= samba\.|tensor<|memref\.(alloc\(|copy )" %t

// CHECK-LABEL: func.func @embedding(%{{.*}}: !llvm.ptr, %{{.*}}: !llvm.ptr {samba.team})
// CHECK: %[[TABLE:.*]] = memref.view %{{.*}}[%{{.*}}][] : memref<?xi8> to memref<20x8xf32>
// CHECK: scf.forall (%[[ROW:.*]]) in (%{{.*}}) {
// CHECK: vector.load %[[TABLE]][%{{.*}}, %{{.*}}] : memref<20x8xf32>, vector<8xf32>
// CHECK: vector.store %{{.*}}[%[[ROW]], %{{.*}}] : memref<?x8xf32>, vector<8xf32>
samba.weight @table from "table" : tensor<20x8xf32>
func.func @embedding(%tokens: tensor<?xi32>) -> tensor<?x8xf32> {
  %table = samba.load_weight @table : tensor<20x8xf32>
  %y = samba.embedding %tokens, %table : tensor<?xi32>, tensor<20x8xf32> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// CHECK-LABEL: func.func @gather_rows(
// CHECK: scf.forall (%[[ROW:[a-z0-9]+]], %{{.*}}) in (%{{.*}}, %c1) {
// CHECK: vector.store %{{.*}}[%[[ROW]], %{{.*}}] : memref<?x8xf32>, vector<8xf32>
func.func @gather_rows(%x: tensor<?x8xf32>, %rows: tensor<?xi64>) -> tensor<?x8xf32> {
  %y = samba.gather_rows %x, %rows : tensor<?x8xf32>, tensor<?xi64> -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

// The tail of a row that is no whole number of vectors: no element beyond the row is touched.
// CHECK-LABEL: func.func @rms_norm(
// CHECK: scf.forall (%[[ROW:.*]]) in (%{{.*}}) {
// CHECK: vector.load %[[X:.*]][%[[ROW]], %{{.*}}] : memref<?x20xf32>, vector<16xf32>
// CHECK: vector.load %[[X]][%[[ROW]], %c16] : memref<?x20xf32>, vector<4xf32>
// CHECK: vector.reduction <add>
// CHECK: math.sqrt
samba.weight @norm from "norm" : tensor<20xf32>
func.func @rms_norm(%x: tensor<?x20xf32>) -> tensor<?x20xf32> {
  %norm = samba.load_weight @norm : tensor<20xf32>
  %y = samba.rms_norm %x, %norm {eps = 1.0e-5 : f32} : tensor<?x20xf32>, tensor<20xf32>
  return %y : tensor<?x20xf32>
}

// -----

// One item for each panel of 16 outputs. Tiles of at most four rows by two vectors: code for one row (with two sets of
// accumulators), two and four. What the sums are added to is asked for early, and the addition is part of the loop.
// CHECK: samba.arena_bytes_per_token = 0
// CHECK-LABEL: func.func @linear(
// CHECK: %[[SUMS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<1x4x16xf32>
// CHECK: scf.forall (%[[PANEL:.*]]) in (%c3) {
// CHECK: scf.index_switch
// CHECK-NEXT: case 0 {
// CHECK: iter_args({{([^=]+= ){4}[^=]+}}) -> (vector<8xf32>
// CHECK: case 1 {
// CHECK: iter_args({{([^=]+= ){4}[^=]+}}) -> (vector<8xf32>
// CHECK: default {
// CHECK-COUNT-4: memref.prefetch {{.*}} write, locality<3>
// CHECK: iter_args({{([^=]+= ){8}[^=]+}}) -> (vector<8xf32>
// CHECK: vector.load %{{.*}}[%[[PANEL]], %{{.*}}] : memref<3x8x16xf32>, vector<8xf32>
// CHECK-COUNT-8: math.fma {{.*}} : vector<8xf32>
// CHECK-COUNT-8: vector.store %{{.*}}, %[[SUMS]]
// CHECK: scf.for
// CHECK: vector.load %[[SUMS]]
// CHECK: arith.addf {{.*}} : vector<8xf32>
// CHECK-NOT: scf.forall
// CHECK: return
samba.weight @matrix from "matrix" : tensor<40x8xf32>
func.func @linear(%x: tensor<?x8xf32>, %y: tensor<?x40xf32>) -> tensor<?x40xf32> {
  %matrix = samba.load_weight @matrix : tensor<40x8xf32>
  %z = samba.kernel "linear" ins(%a = %x : tensor<?x8xf32>, %w = %matrix : tensor<40x8xf32>, %b = %y : tensor<?x40xf32>)
      -> tensor<?x40xf32> {
    %p = samba.linear %a, %w : tensor<?x8xf32>, tensor<40x8xf32> -> tensor<?x40xf32>
    %sum = arith.addf %p, %b : tensor<?x40xf32>
    samba.yield %sum : tensor<?x40xf32>
  }
  return %z : tensor<?x40xf32>
}

// -----

// A bf16 is widened to f32 and multiplied as that.
// CHECK-LABEL: func.func @linear_bf16(
// CHECK: scf.forall (%[[PANEL:.*]]) in (%c3) {
// CHECK: vector.load {{.*}} : memref<{{.*}}xbf16>
// CHECK: math.fma {{.*}} : vector<8xf32>
samba.weight @matrix from "matrix" : tensor<40x9xbf16>
func.func @linear_bf16(%x: tensor<?x9xf32>) -> tensor<?x40xf32> {
  %matrix = samba.load_weight @matrix : tensor<40x9xbf16>
  %y = samba.linear %x, %matrix : tensor<?x9xf32>, tensor<40x9xbf16> -> tensor<?x40xf32>
  return %y : tensor<?x40xf32>
}

// -----

// No exponential of a library.
// CHECK-LABEL: func.func @swiglu(
// CHECK: scf.forall
// CHECK-NOT: math.exp
// CHECK: math.roundeven {{.*}} : vector<16xf32>
// CHECK: math.fma {{.*}} : vector<16xf32>
// CHECK: math.roundeven {{.*}} : vector<8xf32>
func.func @swiglu(%gate: tensor<?x24xf32>, %up: tensor<?x24xf32>) -> tensor<?x24xf32> {
  %y = samba.swiglu %gate, %up : tensor<?x24xf32>
  return %y : tensor<?x24xf32>
}

// -----

// The table in double, once; then rows by heads.
// CHECK-LABEL: func.func @rotary(
// CHECK: scf.forall
// CHECK-NOT: math.{{sin|cos|pow}}
// CHECK: math.fma {{.*}} : vector<4xf64>
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (%{{.*}}, %c2) {
// CHECK: math.fma {{.*}} : vector<8xf32>
func.func @rotary(%x: tensor<?x32xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>) -> tensor<?x32xf32> {
  %table = samba.rotary_table %segments, %positions {theta = 10000.0 : f64} : tensor<?xi64>, tensor<?xi64> -> tensor<?x16xf32>
  %y = samba.rotary %x, %table : tensor<?x32xf32>, tensor<?x16xf32>
  return %y : tensor<?x32xf32>
}

// -----

// Sequences by groups of channels; time runs inside, with the state in registers.
// CHECK-LABEL: func.func @causal_conv1d(
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (%{{.*}}, %c3) {
// CHECK: vector.load {{.*}} : memref<4x24xf32>, vector<8xf32>
// CHECK: vector.load {{.*}} : memref<3x24xf32>, vector<8xf32>
// CHECK: scf.for {{.*}} iter_args({{.*}}) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>) {
// CHECK-COUNT-4: math.fma
// CHECK: vector.store {{.*}} : memref<3x24xf32>, vector<8xf32>
samba.weight @taps from "taps" : tensor<24x4xf32>
func.func @causal_conv1d(%x: tensor<?x24xf32>, %segments: tensor<?xi64>, %state: !samba.state<3x24xf32>)
    -> (tensor<?x24xf32>, !samba.state<3x24xf32>) {
  %taps = samba.load_weight @taps : tensor<24x4xf32>
  %y, %new = samba.causal_conv1d %x, %taps segments %segments state %state activation silu
    : tensor<?x24xf32>, tensor<24x4xf32>, tensor<?xi64>, !samba.state<3x24xf32>
  return %y, %new : tensor<?x24xf32>, !samba.state<3x24xf32>
}

// -----

// CHECK-LABEL: func.func @selective_scan(
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (%{{.*}}, %c3) {
// CHECK-COUNT-4: vector.load {{.*}} : memref<4x24xf32>, vector<8xf32>
// CHECK: scf.for
// CHECK-NOT: math.{{exp|log}}
// CHECK: vector.store {{.*}} : memref<4x24xf32>, vector<8xf32>
samba.weight @A from "A" transform neg_exp : tensor<24x4xf32>
func.func @selective_scan(%u: tensor<?x24xf32>, %delta: tensor<?x24xf32>, %B: tensor<?x4xf32>, %C: tensor<?x4xf32>,
    %segments: tensor<?xi64>, %state: !samba.state<4x24xf32>) -> (tensor<?x24xf32>, !samba.state<4x24xf32>) {
  %A = samba.load_weight @A : tensor<24x4xf32>
  %y, %new = samba.selective_scan %u, %delta, %A, %B, %C segments %segments state %state {delta_softplus}
    : tensor<?x24xf32>, tensor<24x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?xi64>, !samba.state<4x24xf32>
  return %y, %new : tensor<?x24xf32>, !samba.state<4x24xf32>
}

// -----

// The results first, then the rings: a loop reads what the other one overwrites.
// CHECK-LABEL: func.func @sliding_window_attention(
// CHECK: scf.forall
// CHECK: math.fma
// CHECK: scf.forall
// CHECK: vector.store {{.*}} : memref<2x5x16xf32>
// CHECK: return
func.func @sliding_window_attention(%q: tensor<?x64xf32>, %k: tensor<?x32xf32>, %v: tensor<?x32xf32>,
    %segments: tensor<?xi64>, %positions: tensor<?xi64>, %keys: !samba.state<2x5x16xf32>,
    %values: !samba.state<2x5x16xf32>) -> (tensor<?x64xf32>, !samba.state<2x5x16xf32>, !samba.state<2x5x16xf32>) {
  %y, %nk, %nv = samba.sliding_window_attention %q, %k, %v segments %segments positions %positions
    state %keys, %values {window = 5 : i64}
    : tensor<?x64xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x5x16xf32>
  return %y, %nk, %nv : tensor<?x64xf32>, !samba.state<2x5x16xf32>, !samba.state<2x5x16xf32>
}

// -----

// Rings of integers: a row is its integers and their scale, and bytes are copied. Eight integers are widened in a
// register; for a tile, a block of keys is widened first.
// CHECK-LABEL: func.func @narrow_rings(
// CHECK: memref.alloca() {alignment = 64 : i64} : memref<64x16xf32>
// CHECK: scf.forall
// CHECK: %[[BYTES:.*]] = vector.load {{.*}} : memref<2x5x20xi8>, vector<8xi8>
// CHECK-NEXT: arith.sitofp %[[BYTES]] : vector<8xi8> to vector<8xf32>
// CHECK: %[[SCALE:.*]] = vector.load {{.*}} : memref<2x5x20xi8>, vector<4xi8>
// CHECK-NEXT: vector.bitcast %[[SCALE]] : vector<4xi8> to vector<1xf32>
// CHECK: vector.store {{.*}} : memref<64x16xf32>, vector<8xf32>
// CHECK: scf.forall
// CHECK: %[[ROW:.*]] = vector.load {{.*}} : memref<?x48xi8>, vector<8xi8>
// CHECK-NEXT: vector.store %[[ROW]], {{.*}} : memref<2x5x20xi8>, vector<8xi8>
// CHECK: %[[ROW:.*]] = vector.load {{.*}} : memref<?x48xi8>, vector<4xi8>
// CHECK-NEXT: vector.store %[[ROW]], {{.*}} : memref<2x5x20xi8>, vector<4xi8>
// CHECK: return
func.func @narrow_rings(%q: tensor<?x64xf32>, %k: tensor<?x32xf32>, %v: tensor<?x32xf32>,
    %segments: tensor<?xi64>, %positions: tensor<?xi64>, %keys: !samba.state<2x5x16xi8>,
    %values: !samba.state<2x5x16xi8>) -> (tensor<?x64xf32>, !samba.state<2x5x16xi8>, !samba.state<2x5x16xi8>) {
  %k8 = samba.quantize_rows %k : tensor<?x32xf32> -> tensor<?x32xf32, #samba.quant<8, 16>>
  %v8 = samba.quantize_rows %v : tensor<?x32xf32> -> tensor<?x32xf32, #samba.quant<8, 16>>
  %y, %nk, %nv = samba.sliding_window_attention %q, %k8, %v8 segments %segments positions %positions
    state %keys, %values {window = 5 : i64}
    : tensor<?x64xf32>, tensor<?x32xf32, #samba.quant<8, 16>>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x5x16xi8>
  return %y, %nk, %nv : tensor<?x64xf32>, !samba.state<2x5x16xi8>, !samba.state<2x5x16xi8>
}

// -----

// Keys are rotated and rounded, and values rounded, in one loop: two loops in all, and the one of the rings.
// CHECK-LABEL: func.func @rounded_keys(
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (%{{.*}}, %c8) {
// CHECK-COUNT-4: vector.store {{.*}} : memref<?x48xi8>, vector<4xi8>
// CHECK-NOT: vector.store {{.*}} : memref<?x48xi8>
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (%{{.*}}, %c4) {
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (%{{.*}}, %c2) {
// CHECK-NOT: scf.forall
// CHECK: return
func.func @rounded_keys(%q: tensor<?x64xf32>, %k: tensor<?x32xf32>, %v: tensor<?x32xf32>, %table: tensor<?x16xf32>,
    %segments: tensor<?xi64>, %positions: tensor<?xi64>, %keys: !samba.state<2x5x16xi8>,
    %values: !samba.state<2x5x16xi8>) -> (tensor<?x64xf32>, !samba.state<2x5x16xi8>, !samba.state<2x5x16xi8>) {
  %0:3 = samba.kernel "attention" ins(%a = %q : tensor<?x64xf32>, %b = %k : tensor<?x32xf32>, %c = %v : tensor<?x32xf32>,
      %d = %table : tensor<?x16xf32>, %s = %segments : tensor<?xi64>, %p = %positions : tensor<?xi64>,
      %ks = %keys : !samba.state<2x5x16xi8>, %vs = %values : !samba.state<2x5x16xi8>)
      -> (tensor<?x64xf32>, !samba.state<2x5x16xi8>, !samba.state<2x5x16xi8>) {
    %qr = samba.rotary %a, %d : tensor<?x64xf32>, tensor<?x16xf32>
    %kr = samba.rotary %b, %d : tensor<?x32xf32>, tensor<?x16xf32>
    %k8 = samba.quantize_rows %kr : tensor<?x32xf32> -> tensor<?x32xf32, #samba.quant<8, 16>>
    %v8 = samba.quantize_rows %c : tensor<?x32xf32> -> tensor<?x32xf32, #samba.quant<8, 16>>
    %y, %nk, %nv = samba.sliding_window_attention %qr, %k8, %v8 segments %s positions %p
      state %ks, %vs {window = 5 : i64}
      : tensor<?x64xf32>, tensor<?x32xf32, #samba.quant<8, 16>>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x5x16xi8>
    samba.yield %y, %nk, %nv : tensor<?x64xf32>, !samba.state<2x5x16xi8>, !samba.state<2x5x16xi8>
  }
  return %0#0, %0#1, %0#2 : tensor<?x64xf32>, !samba.state<2x5x16xi8>, !samba.state<2x5x16xi8>
}

// -----

// A private function gets the team, the states, the weights, the arena and its offsets, and then the buffers.
// CHECK-LABEL: func.func private @twice(
// CHECK-SAME: !llvm.ptr {samba.team}, %{{[a-z0-9]+}}: !llvm.ptr, %{{[a-z0-9]+}}: memref<?xi8>
// CHECK-SAME: memref<?xi8>, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index, %{{.*}}: index
// CHECK-SAME: memref<?x8xf32>, %{{.*}}: memref<?x8xf32>) {
// CHECK-LABEL: func.func @call_and_probe(
// CHECK: call @twice(
// CHECK: call @samba_probe_8(
// CHECK: call @twice(
// CHECK-LABEL: func.func private @samba_probe_8(
// CHECK: scf.if
// CHECK: scf.forall (%{{.*}}) in (%c1) {
// CHECK: llvm.call %{{.*}}(%{{.*}}) : !llvm.ptr, (!llvm.ptr, i32, !llvm.ptr, i64, i64) -> ()
func.func private @twice(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = arith.addf %x, %x : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
func.func @call_and_probe(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = call @twice(%x) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  samba.probe %y, "here", 3 : tensor<?x8xf32>
  %z = call @twice(%y) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %z : tensor<?x8xf32>
}
