// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-residual))' | FileCheck %s
// Twice is no different from once.
// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-residual))' -mlir-print-debuginfo > %t.once
// RUN: samba-opt %t.once -pass-pipeline='builtin.module(func.func(samba-fuse-residual))' -mlir-print-debuginfo | diff %t.once -

// The addition joins the linear, also across the operation between them, and at its own place.
// CHECK-LABEL: func.func @epilogue
func.func @epilogue(%x: tensor<?x32xf32>, %h: tensor<?x32xf32>, %w: tensor<32x32xf32>, %bias: tensor<32xf32>) -> tensor<?x32xf32> {
  %0 = samba.linear %h, %w bias %bias : tensor<32xf32> : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  // CHECK-NEXT: samba.probe
  samba.probe %x, "x", 0 : tensor<?x32xf32>
  // CHECK-NEXT: %[[Y:.*]] = samba.kernel "linear+addf" ins(%[[H:.*]] = %{{.*}} : tensor<?x32xf32>, %[[W:.*]] = %{{.*}} : tensor<32x32xf32>, %[[B:.*]] = %{{.*}} : tensor<32xf32>, %[[X:.*]] = %{{.*}} : tensor<?x32xf32>) -> tensor<?x32xf32> {
  // CHECK-NEXT: %[[L:.*]] = samba.linear %[[H]], %[[W]] bias %[[B]]
  // CHECK-NEXT: %[[A:.*]] = arith.addf %[[X]], %[[L]]
  // CHECK-NEXT: samba.yield %[[A]] : tensor<?x32xf32>
  // CHECK-NEXT: }
  %1 = arith.addf %x, %0 : tensor<?x32xf32>
  // CHECK-NEXT: return %[[Y]]
  return %1 : tensor<?x32xf32>
}

// The linear on the left joins too.
// CHECK-LABEL: func.func @epilogue_left
func.func @epilogue_left(%x: tensor<?x32xf32>, %w: tensor<32x32xf32>) -> tensor<?x32xf32> {
  // CHECK: samba.kernel "linear+addf"
  // CHECK-NEXT: %[[L:.*]] = samba.linear
  // CHECK-NEXT: arith.addf %[[L]], %{{.*}}
  // CHECK-NOT: samba.kernel
  %0 = samba.linear %x, %w : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  %1 = arith.addf %0, %x : tensor<?x32xf32>
  return %1 : tensor<?x32xf32>
}

// Of two linears the right one becomes the addition's.
// CHECK-LABEL: func.func @two_linears
func.func @two_linears(%x: tensor<?x32xf32>, %v: tensor<32x32xf32>, %w: tensor<32x32xf32>) -> tensor<?x32xf32> {
  // CHECK-NEXT: %[[V:.*]] = samba.kernel "linear"
  // CHECK-NEXT: samba.linear
  // CHECK-NEXT: samba.yield
  // CHECK-NEXT: }
  // CHECK-NEXT: samba.kernel "linear+addf" ins({{.*}} = %[[V]] : tensor<?x32xf32>)
  // CHECK-NEXT: %[[L:.*]] = samba.linear
  // CHECK-NEXT: arith.addf %{{.*}}, %[[L]]
  %0 = samba.linear %x, %v : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  %1 = samba.linear %x, %w : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  %2 = arith.addf %0, %1 : tensor<?x32xf32>
  return %2 : tensor<?x32xf32>
}

// A linear that a probe reads before the addition keeps its kernel only if the addition cannot come first. Here it can:
// the sum moves up, and the linear's rows leave the kernel too.
// CHECK-LABEL: func.func @linear_used_twice
func.func @linear_used_twice(%x: tensor<?x32xf32>, %w: tensor<32x32xf32>) -> tensor<?x32xf32> {
  // CHECK-NEXT: %[[K:.*]]:2 = samba.kernel "linear+addf"
  // CHECK: samba.yield %[[L:.*]], %[[A:.*]] : tensor<?x32xf32>, tensor<?x32xf32>
  // CHECK: samba.probe %[[K]]#0
  // CHECK-NEXT: return %[[K]]#1
  %0 = samba.linear %x, %w : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  samba.probe %0, "linear", 0 : tensor<?x32xf32>
  %1 = arith.addf %x, %0 : tensor<?x32xf32>
  return %1 : tensor<?x32xf32>
}
