// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-head))' | FileCheck %s
// Twice is no different from once.
// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-head))' -mlir-print-debuginfo > %t.once
// RUN: samba-opt %t.once -pass-pipeline='builtin.module(func.func(samba-fuse-head))' -mlir-print-debuginfo | diff %t.once -

// A probe between the norm and the logits is no obstacle: the logits move up.
// CHECK-LABEL: func.func @head
func.func @head(%x: tensor<?x32xf32>, %rows: tensor<?xi64>, %n: tensor<32xf32>, %w: tensor<16x32xf32>) -> tensor<?x16xf32> {
  // CHECK: %[[K:.*]]:2 = samba.kernel "gather_rows+rms_norm+linear"
  // CHECK-NEXT: samba.gather_rows
  // CHECK-NEXT: %[[H:.*]] = samba.rms_norm
  // CHECK-NEXT: %[[L:.*]] = samba.linear
  // CHECK-NEXT: samba.yield %[[H]], %[[L]]
  // CHECK-NEXT: }
  // CHECK-NEXT: samba.probe %[[K]]#0
  // CHECK-NEXT: return %[[K]]#1
  %0 = samba.gather_rows %x, %rows : tensor<?x32xf32>, tensor<?xi64> -> tensor<?x32xf32>
  %1 = samba.rms_norm %0, %n {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<32xf32>
  samba.probe %1, "norm_f", 0 : tensor<?x32xf32>
  %2 = samba.linear %1, %w : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  return %2 : tensor<?x16xf32>
}

// The logits are products of rounded rows, and the probe sees them before: the rounding comes along.
// CHECK-LABEL: func.func @rounded
func.func @rounded(%x: tensor<?x32xf32>, %rows: tensor<?xi64>, %n: tensor<32xf32>, %w: tensor<16x32xbf16>) -> tensor<?x16xf32> {
  // CHECK: %[[K:.*]]:2 = samba.kernel "gather_rows+rms_norm+truncf+linear"
  // CHECK-NEXT: samba.gather_rows
  // CHECK-NEXT: %[[H:.*]] = samba.rms_norm
  // CHECK-NEXT: arith.truncf %[[H]]
  // CHECK-NEXT: %[[L:.*]] = samba.linear
  // CHECK-NEXT: samba.yield %[[H]], %[[L]]
  // CHECK: samba.probe %[[K]]#0
  %0 = samba.gather_rows %x, %rows : tensor<?x32xf32>, tensor<?xi64> -> tensor<?x32xf32>
  %1 = samba.rms_norm %0, %n {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<32xf32>
  samba.probe %1, "norm_f", 0 : tensor<?x32xf32>
  %2 = arith.truncf %1 : tensor<?x32xf32> to tensor<?x32xbf16>
  %3 = samba.linear %2, %w : tensor<?x32xbf16>, tensor<16x32xbf16> -> tensor<?x16xf32>
  return %3 : tensor<?x16xf32>
}

// CHECK-LABEL: func.func private @block
func.func private @block(%x: tensor<?x32xf32>, %n: tensor<32xf32>, %w: tensor<16x32xf32>) -> tensor<?x16xf32> {
  // CHECK: samba.kernel "rms_norm"
  // CHECK: samba.kernel "linear"
  %0 = samba.rms_norm %x, %n {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<32xf32>
  %1 = samba.linear %0, %w : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  return %1 : tensor<?x16xf32>
}

// Rows that do not become logits are not the head's.
// CHECK-LABEL: func.func @other
func.func @other(%x: tensor<?x32xf32>, %n: tensor<32xf32>, %w: tensor<16x32xf32>) -> tensor<?x16xf32> {
  // CHECK: samba.kernel "rms_norm"
  // CHECK: samba.kernel "linear"
  // CHECK: samba.kernel "swiglu"
  %0 = samba.rms_norm %x, %n {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<32xf32>
  %1 = samba.linear %0, %w : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  %2 = samba.swiglu %1, %1 : tensor<?x16xf32>
  return %2 : tensor<?x16xf32>
}
