// Powers of two look up in registers where the machine can, for whole vectors; a strip of fewer channels takes the long
// polynomial. What they compute is tested against golden results.
// REQUIRES: x86_64
// RUN: samba-opt %s -samba-form-kernels -samba-pack-weights -samba-plan-memory -samba-lower-to-cpu=target=x86-64-v4 -cse \
// RUN:   | FileCheck %s
// RUN: samba-opt %s -samba-form-kernels -samba-pack-weights -samba-plan-memory -samba-lower-to-cpu=target=x86-64-v3 -cse \
// RUN:   | FileCheck %s --check-prefix=NONE
// NONE-NOT: call_intrinsic

// CHECK-LABEL: func.func @selective_scan(
// The second of the loops of a tile is that of the states.
// CHECK: scf.for
// CHECK: scf.for
// CHECK: scf.for
// CHECK: memref.prefetch %{{.*}}, read, locality<2>
// CHECK: memref.prefetch %{{.*}}, write, locality<2>
// CHECK: arith.minui {{.*}} : vector<16xi32>
// CHECK: %[[SUM:.*]] = arith.addf {{.*}} : vector<16xf32>
// CHECK: %[[NUMBER:.*]] = arith.bitcast %[[SUM]] : vector<16xf32> to vector<16xi32>
// CHECK: %[[EXPONENT:.*]] = arith.shli %[[NUMBER]]
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpermi2var.ps.512"(%{{.*}}, %[[NUMBER]], %{{.*}})
// CHECK: arith.addi %{{.*}}, %[[EXPONENT]]
// CHECK: math.roundeven {{.*}} : vector<8xf32>
samba.weight @A from "A" transform neg_exp : tensor<24x4xf32>
func.func @selective_scan(%u: tensor<?x24xf32>, %delta: tensor<?x24xf32>, %B: tensor<?x4xf32>, %C: tensor<?x4xf32>,
    %segments: tensor<?xi64>, %state: !samba.state<4x24xf32>) -> (tensor<?x24xf32>, !samba.state<4x24xf32>) {
  %A = samba.load_weight @A : tensor<24x4xf32>
  %y, %new = samba.selective_scan %u, %delta, %A, %B, %C segments %segments state %state {delta_softplus}
    : tensor<?x24xf32>, tensor<24x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?xi64>, !samba.state<4x24xf32>
  return %y, %new : tensor<?x24xf32>, !samba.state<4x24xf32>
}
