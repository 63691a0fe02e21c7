// What a step of few rows, or of single tokens, does without a barrier.
// REQUIRES: x86_64
// RUN: samba-opt %s -split-input-file -samba-pack-weights=panel-width=16 -samba-plan-memory \
// RUN:   -samba-lower-to-cpu=target=x86-64-v3 -cse | FileCheck %s

// A norm that only products read: of up to four rows every thread computes it on its own stack, of more it is a loop.
// CHECK: rows_above = 4 : i64
// CHECK-LABEL: func.func @norm(
// CHECK: %[[OWN:.*]] = memref.alloca() {alignment = 64 : i64} : memref<128xi8>
// CHECK: %[[FEW:.*]] = memref.view %[[OWN]]{{.*}} to memref<?x8xf32>
// CHECK: %[[MANY:.*]] = arith.cmpi sgt, %{{.*}}, %c4 : index
// CHECK: scf.if %[[MANY]] {
// CHECK: scf.forall
// CHECK: } else {
// CHECK-NOT: scf.forall
// CHECK: vector.store %{{.*}}, %[[FEW]]
// CHECK: }
// CHECK: %[[ROWS:.*]] = arith.select %[[MANY]], %{{.*}}, %[[FEW]] : memref<?x8xf32>
// CHECK: scf.forall
// CHECK: memref.load %[[ROWS]]
// CHECK-NOT: scf.forall
// CHECK: return
samba.weight @n from "n" : tensor<8xf32>
samba.weight @w from "w" : tensor<16x8xf32>
func.func @norm(%x: tensor<?x8xf32>) -> tensor<?x16xf32> {
  %n = samba.load_weight @n : tensor<8xf32>
  %w = samba.load_weight @w : tensor<16x8xf32>
  %0 = samba.kernel "norm+linear" ins(%a = %x : tensor<?x8xf32>, %b = %n : tensor<8xf32>, %c = %w : tensor<16x8xf32>) -> tensor<?x16xf32> {
    %1 = samba.rms_norm %a, %b {eps = 1.0e-5 : f32} : tensor<?x8xf32>, tensor<8xf32>
    %2 = samba.linear %1, %c : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32>
    samba.yield %2 : tensor<?x16xf32>
  }
  return %0 : tensor<?x16xf32>
}

// -----

// Others read the norm too: always a loop.
// CHECK-LABEL: func.func @read_by_others(
// CHECK-NOT: memref.alloca{{.*}}xi8>
// CHECK: return
samba.weight @n from "n" : tensor<8xf32>
samba.weight @w from "w" : tensor<16x8xf32>
func.func @read_by_others(%x: tensor<?x8xf32>) -> (tensor<?x16xf32>, tensor<?x8xf32>) {
  %n = samba.load_weight @n : tensor<8xf32>
  %w = samba.load_weight @w : tensor<16x8xf32>
  %0:2 = samba.kernel "norm+linear" ins(%a = %x : tensor<?x8xf32>, %b = %n : tensor<8xf32>, %c = %w : tensor<16x8xf32>) -> (tensor<?x16xf32>, tensor<?x8xf32>) {
    %1 = samba.rms_norm %a, %b {eps = 1.0e-5 : f32} : tensor<?x8xf32>, tensor<8xf32>
    %2 = samba.linear %1, %c : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32>
    samba.yield %2, %1 : tensor<?x16xf32>, tensor<?x8xf32>
  }
  return %0#0, %0#1 : tensor<?x16xf32>, tensor<?x8xf32>
}

// -----

// Two rotations of one kernel are one loop over the heads of both, and the ring is written in a second loop only if a
// sequence has several tokens.
// CHECK: tokens_above = 1 : i64
// CHECK-LABEL: func.func @rotary_attention(
// CHECK: scf.forall (%{{.*}}, %{{.*}}) in (%{{.*}}, %c3{{.*}}) {
// CHECK: scf.forall
// CHECK: %[[LONG:.*]] = arith.cmpi sgt, %{{.*}}, %c1{{.*}} : index
// CHECK-NEXT: scf.if %[[LONG]] {
// CHECK: scf.forall
// CHECK-NOT: scf.forall
// CHECK: return
func.func @rotary_attention(%q: tensor<?x16xf32>, %kv: tensor<?x16xf32>, %t: tensor<?x8xf32>, %s: tensor<?xi64>, %p: tensor<?xi64>,
    %key: !samba.state<1x5x8xf32>, %value: !samba.state<1x5x8xf32>)
    -> (tensor<?x16xf32>, !samba.state<1x5x8xf32>, !samba.state<1x5x8xf32>) {
  %0:3 = samba.kernel "rotary+attention" ins(%a = %q : tensor<?x16xf32>, %b = %kv : tensor<?x16xf32>, %c = %t : tensor<?x8xf32>,
      %d = %s : tensor<?xi64>, %e = %p : tensor<?xi64>, %f = %key : !samba.state<1x5x8xf32>, %g = %value : !samba.state<1x5x8xf32>)
      -> (tensor<?x16xf32>, !samba.state<1x5x8xf32>, !samba.state<1x5x8xf32>) {
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %b, %c0 : tensor<?x16xf32>
    %1 = samba.rotary %a, %c : tensor<?x16xf32>, tensor<?x8xf32>
    %k = tensor.extract_slice %b[0, 0] [%rows, 8] [1, 1] : tensor<?x16xf32> to tensor<?x8xf32>
    %v = tensor.extract_slice %b[0, 8] [%rows, 8] [1, 1] : tensor<?x16xf32> to tensor<?x8xf32>
    %2 = samba.rotary %k, %c : tensor<?x8xf32>, tensor<?x8xf32>
    %3, %4, %5 = samba.sliding_window_attention %1, %2, %v segments %d positions %e state %f, %g {window = 5 : i64}
      : tensor<?x16xf32>, tensor<?x8xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<1x5x8xf32>
    samba.yield %3, %4, %5 : tensor<?x16xf32>, !samba.state<1x5x8xf32>, !samba.state<1x5x8xf32>
  }
  return %0#0, %0#1, %0#2 : tensor<?x16xf32>, !samba.state<1x5x8xf32>, !samba.state<1x5x8xf32>
}
