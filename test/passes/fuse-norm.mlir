// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-norm))' | FileCheck %s
// Twice is no different from once.
// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-norm))' -mlir-print-debuginfo > %t.once
// RUN: samba-opt %t.once -pass-pipeline='builtin.module(func.func(samba-fuse-norm))' -mlir-print-debuginfo | diff %t.once -

// CHECK-LABEL: func.func private @block
func.func private @block(%x: tensor<?x32xf32>, %n: tensor<32xf32>, %w: tensor<16x32xf32>) -> tensor<?x16xf32> {
  // CHECK-NEXT: %[[K:.*]] = samba.kernel "b.norm+proj" ins(%[[X:.*]] = %{{.*}} : tensor<?x32xf32>, %[[N:.*]] = %{{.*}} : tensor<32xf32>, %[[W:.*]] = %{{.*}} : tensor<16x32xf32>) -> tensor<?x16xf32> {
  // CHECK-NEXT: %[[H:.*]] = samba.rms_norm %[[X]], %[[N]]
  // CHECK-NEXT: %[[Y:.*]] = samba.linear %[[H]], %[[W]]
  // CHECK-NEXT: samba.yield %[[Y]]
  // CHECK-NEXT: }
  // CHECK-NEXT: return %[[K]]
  %0 = samba.rms_norm %x, %n {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<32xf32> loc("b.norm")
  %1 = samba.linear %0, %w : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32> loc("b.proj")
  return %1 : tensor<?x16xf32>
}

// Both of its readers join a norm; its rows do not leave.
// CHECK-LABEL: func.func private @two_readers
func.func private @two_readers(%x: tensor<?x32xf32>, %n: tensor<32xf32>, %w: tensor<16x32xf32>) -> (tensor<?x16xf32>, tensor<?x16xf32>) {
  // CHECK-NEXT: %[[K:.*]]:2 = samba.kernel "rms_norm+linear+linear"
  // CHECK-NEXT: %[[H:.*]] = samba.rms_norm
  // CHECK-NEXT: %[[A:.*]] = samba.linear %[[H]]
  // CHECK-NEXT: %[[B:.*]] = samba.linear %[[H]]
  // CHECK-NEXT: samba.yield %[[A]], %[[B]]
  // CHECK-NOT: samba.kernel
  %0 = samba.rms_norm %x, %n {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<32xf32>
  %1 = samba.linear %0, %w : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  %2 = samba.linear %0, %w : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  return %1, %2 : tensor<?x16xf32>, tensor<?x16xf32>
}

// Rows that are rounded on the way are the norm's all the same.
// CHECK-LABEL: func.func private @rounded
func.func private @rounded(%x: tensor<?x32xf32>, %n: tensor<32xf32>, %w: tensor<16x32xbf16>) -> tensor<?x16xf32> {
  // CHECK-NEXT: samba.kernel "rms_norm+linear"
  // CHECK-NEXT: samba.rms_norm
  // CHECK-NEXT: arith.truncf
  // CHECK-NEXT: samba.linear
  // CHECK-NOT: samba.kernel
  %0 = samba.rms_norm %x, %n {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<32xf32>
  %1 = arith.truncf %0 : tensor<?x32xf32> to tensor<?x32xbf16>
  %2 = samba.linear %1, %w : tensor<?x32xbf16>, tensor<16x32xbf16> -> tensor<?x16xf32>
  return %2 : tensor<?x16xf32>
}

// The norm before the logits is for samba-fuse-head.
// CHECK-LABEL: func.func @head
func.func @head(%x: tensor<?x32xf32>, %n: tensor<32xf32>, %w: tensor<16x32xf32>) -> tensor<?x16xf32> {
  // CHECK: samba.kernel "rms_norm"
  // CHECK: samba.kernel "linear"
  %0 = samba.rms_norm %x, %n {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<32xf32>
  %1 = samba.linear %0, %w : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  return %1 : tensor<?x16xf32>
}

// CHECK-LABEL: func.func private @centred
func.func private @centred(%x: tensor<?x32xf32>, %n: tensor<32xf32>, %w: tensor<16x32xf32>) -> tensor<?x16xf32> {
  // CHECK-NEXT: samba.kernel "layer_norm+linear"
  // CHECK-NEXT: %[[H:.*]] = samba.layer_norm
  // CHECK-NEXT: samba.linear %[[H]]
  // CHECK-NOT: samba.kernel
  %0 = samba.layer_norm %x, %n bias %n : tensor<32xf32> {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<32xf32>
  %1 = samba.linear %0, %w : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  return %1 : tensor<?x16xf32>
}
