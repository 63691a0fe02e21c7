// A script chooses what the passes work on.
// RUN: samba-opt %s -samba-form-kernels -o %t.kernels
// RUN: samba-opt %t.kernels -samba-apply-schedule=file=%S/Inputs/schedule.mlir -o %t.scheduled
// RUN: FileCheck %s < %t.scheduled

// CHECK-LABEL: func.func private @mlp(
// CHECK-SAME: attributes {test.scheduled}
// CHECK-COUNT-1: samba.kernel
// CHECK-NOT: samba.kernel
// CHECK-LABEL: func.func private @other(
// CHECK-NOT: test.scheduled
// CHECK-COUNT-2: samba.kernel
// CHECK-NOT: samba.kernel
// CHECK-LABEL: func.func @step(

// The module computes what it computed, and the pass is checked as any other.
// RUN: samba-opt %t.kernels -samba-interpret="segments=3,0,5" -o /dev/null > %t.before
// RUN: samba-opt %t.scheduled -samba-interpret="segments=3,0,5" -o /dev/null | cmp %t.before -
// RUN: samba-opt %t.kernels -pass-pipeline='builtin.module(samba-apply-schedule{file=%S/Inputs/schedule.mlir})' \
// RUN:   --check-each-pass -o /dev/null 2>&1 | FileCheck %s --check-prefix=CHECKED
// CHECKED: check: samba-apply-schedule changed, the same to the last bit

// A second time there is nothing left to do; nor is there for a script that does nothing, or that finds nothing.
// RUN: samba-opt %t.scheduled -samba-apply-schedule=file=%S/Inputs/schedule.mlir | cmp %t.scheduled -
// RUN: samba-opt %t.kernels -samba-apply-schedule="file=%S/Inputs/schedule.mlir entry=nothing" | cmp %t.kernels -
// RUN: samba-opt %t.kernels -samba-apply-schedule="file=%S/Inputs/schedule.mlir entry=absent" | cmp %t.kernels -

func.func private @mlp(%x: tensor<?x8xf32>, %norm: tensor<8xf32>, %w: tensor<8x8xf32>) -> tensor<?x8xf32> {
  %0 = samba.rms_norm %x, %norm {eps = 1.0e-5 : f32} : tensor<?x8xf32>, tensor<8xf32>
  %1 = samba.linear %0, %w : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}
func.func private @other(%x: tensor<?x8xf32>, %norm: tensor<8xf32>, %w: tensor<8x8xf32>) -> tensor<?x8xf32> {
  %0 = samba.rms_norm %x, %norm {eps = 1.0e-5 : f32} : tensor<?x8xf32>, tensor<8xf32>
  %1 = samba.linear %0, %w : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}
samba.weight @n.0 from "n.0" : tensor<8xf32>
samba.weight @n.1 from "n.1" : tensor<8xf32>
samba.weight @w.0 from "w.0" : tensor<8x8xf32>
samba.weight @w.1 from "w.1" : tensor<8x8xf32>
func.func @step(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %n.0 = samba.load_weight @n.0 : tensor<8xf32>
  %n.1 = samba.load_weight @n.1 : tensor<8xf32>
  %w.0 = samba.load_weight @w.0 : tensor<8x8xf32>
  %w.1 = samba.load_weight @w.1 : tensor<8x8xf32>
  %0 = call @mlp(%x, %n.0, %w.0) : (tensor<?x8xf32>, tensor<8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
  %1 = call @other(%0, %n.1, %w.1) : (tensor<?x8xf32>, tensor<8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}
