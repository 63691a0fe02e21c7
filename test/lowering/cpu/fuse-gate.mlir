// A SwiGLU in the kernel of its products has no loop of its own: one item multiplies a panel of gate and one of up, and
// writes the gate of their sums. No buffer holds the products.
// REQUIRES: x86_64
// RUN: samba-opt %s -split-input-file -samba-pack-weights=panel-width=16 -samba-plan-memory \
// RUN:   -samba-lower-to-cpu=target=x86-64-v3 -cse | FileCheck %s

// Both halves of one matrix: panels 0 to 1 and 2 to 3.
// CHECK: samba.arena_bytes_per_token = 0
// CHECK-LABEL: func.func @one_matrix(
// CHECK: scf.forall (%[[PANEL:.*]]) in (%c2) {
// CHECK: vector.load %[[W:.*]][%[[PANEL]], %{{.*}}, %{{.*}}] : memref<4x8x16xf32>
// CHECK: %[[UP:.*]] = arith.addi %[[PANEL]], %c2
// CHECK: vector.load %[[W]][%[[UP]], %{{.*}}, %{{.*}}] : memref<4x8x16xf32>
// CHECK: arith.divf
// CHECK: vector.store %{{.*}} : memref<?x32xf32>
// CHECK-NOT: scf.forall
// CHECK: return
samba.weight @w from ["g" : 32, "u" : 32] : tensor<64x8xf32>
func.func @one_matrix(%x: tensor<?x8xf32>) -> tensor<?x32xf32> {
  %w = samba.load_weight @w : tensor<64x8xf32>
  %0 = samba.kernel "gate" ins(%a = %x : tensor<?x8xf32>, %b = %w : tensor<64x8xf32>) -> tensor<?x32xf32> {
    %1 = samba.linear %a, %b : tensor<?x8xf32>, tensor<64x8xf32> -> tensor<?x64xf32>
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %1, %c0 : tensor<?x64xf32>
    %2 = tensor.extract_slice %1[0, 0] [%rows, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
    %3 = tensor.extract_slice %1[0, 32] [%rows, 32] [1, 1] : tensor<?x64xf32> to tensor<?x32xf32>
    %4 = samba.swiglu %2, %3 : tensor<?x32xf32>
    samba.yield %4 : tensor<?x32xf32>
  }
  return %0 : tensor<?x32xf32>
}

// -----

// Two matrices of any width, and a result that is stored rounded. 20 outputs are a panel and a quarter.
// CHECK: samba.arena_bytes_per_token = 0
// CHECK-LABEL: func.func @two_matrices(
// CHECK: scf.forall (%{{.*}}) in (%c2) {
// CHECK: vector.store %{{.*}} : memref<?x20xbf16>
// CHECK-NOT: scf.forall
// CHECK: return
samba.weight @g from "g" : tensor<20x8xf32>
samba.weight @u from "u" : tensor<20x8xf32>
func.func @two_matrices(%x: tensor<?x8xf32>) -> tensor<?x20xbf16> {
  %g = samba.load_weight @g : tensor<20x8xf32>
  %u = samba.load_weight @u : tensor<20x8xf32>
  %0 = samba.kernel "gate" ins(%a = %x : tensor<?x8xf32>, %b = %g : tensor<20x8xf32>, %c = %u : tensor<20x8xf32>) -> tensor<?x20xbf16> {
    %1 = samba.linear %a, %b : tensor<?x8xf32>, tensor<20x8xf32> -> tensor<?x20xf32>
    %2 = samba.linear %a, %c : tensor<?x8xf32>, tensor<20x8xf32> -> tensor<?x20xf32>
    %3 = samba.swiglu %1, %2 : tensor<?x20xf32>
    %4 = arith.truncf %3 : tensor<?x20xf32> to tensor<?x20xbf16>
    samba.yield %4 : tensor<?x20xbf16>
  }
  return %0 : tensor<?x20xbf16>
}

// -----

// Up begins inside of a panel: two loops, the second elementwise.
// CHECK-LABEL: func.func @no_whole_panels(
// CHECK: scf.forall
// CHECK: scf.forall
// CHECK: return
samba.weight @w from ["g" : 20, "u" : 20] : tensor<40x8xf32>
func.func @no_whole_panels(%x: tensor<?x8xf32>) -> tensor<?x20xf32> {
  %w = samba.load_weight @w : tensor<40x8xf32>
  %0 = samba.kernel "gate" ins(%a = %x : tensor<?x8xf32>, %b = %w : tensor<40x8xf32>) -> tensor<?x20xf32> {
    %1 = samba.linear %a, %b : tensor<?x8xf32>, tensor<40x8xf32> -> tensor<?x40xf32>
    %c0 = arith.constant 0 : index
    %rows = tensor.dim %1, %c0 : tensor<?x40xf32>
    %2 = tensor.extract_slice %1[0, 0] [%rows, 20] [1, 1] : tensor<?x40xf32> to tensor<?x20xf32>
    %3 = tensor.extract_slice %1[0, 20] [%rows, 20] [1, 1] : tensor<?x40xf32> to tensor<?x20xf32>
    %4 = samba.swiglu %2, %3 : tensor<?x20xf32>
    samba.yield %4 : tensor<?x20xf32>
  }
  return %0 : tensor<?x20xf32>
}

// -----

// Gate is read by others too.
// CHECK-LABEL: func.func @other_reader(
// CHECK-COUNT-4: scf.forall
// CHECK: return
samba.weight @g from "g" : tensor<16x8xf32>
samba.weight @u from "u" : tensor<16x8xf32>
func.func @other_reader(%x: tensor<?x8xf32>) -> tensor<?x16xf32> {
  %g = samba.load_weight @g : tensor<16x8xf32>
  %u = samba.load_weight @u : tensor<16x8xf32>
  %0 = samba.kernel "gate" ins(%a = %x : tensor<?x8xf32>, %b = %g : tensor<16x8xf32>, %c = %u : tensor<16x8xf32>) -> tensor<?x16xf32> {
    %1 = samba.linear %a, %b : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32>
    %2 = samba.linear %a, %c : tensor<?x8xf32>, tensor<16x8xf32> -> tensor<?x16xf32>
    %3 = samba.swiglu %1, %2 : tensor<?x16xf32>
    %4 = arith.addf %3, %1 : tensor<?x16xf32>
    samba.yield %4 : tensor<?x16xf32>
  }
  return %0 : tensor<?x16xf32>
}

// -----

// Outside of kernels every operation has its own loop. The sum is written by the product's loop, so its place is taken
// from there on.
// CHECK: samba.arena_bytes_per_token = 96
// CHECK-LABEL: func.func @early_write(
// CHECK: return
samba.weight @w from "w" : tensor<8x8xf32>
func.func @early_write(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %w = samba.load_weight @w : tensor<8x8xf32>
  %a = samba.swiglu %x, %x : tensor<?x8xf32>
  %product = samba.linear %x, %w : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  %b = samba.swiglu %a, %a : tensor<?x8xf32>
  %sum = arith.addf %x, %product : tensor<?x8xf32>
  %c = samba.swiglu %sum, %b : tensor<?x8xf32>
  %d = samba.swiglu %c, %sum : tensor<?x8xf32>
  return %d : tensor<?x8xf32>
}
