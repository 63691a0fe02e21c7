// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-swiglu))' | FileCheck %s
// Twice is no different from once.
// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-swiglu))' -mlir-print-debuginfo > %t.once
// RUN: samba-opt %t.once -pass-pipeline='builtin.module(func.func(samba-fuse-swiglu))' -mlir-print-debuginfo | diff %t.once -

// Two projections and their gate: one kernel.
// CHECK-LABEL: func.func @separate
func.func @separate(%x: tensor<?x32xf32>, %g: tensor<16x32xf32>, %u: tensor<16x32xf32>) -> tensor<?x16xf32> {
  // CHECK: samba.kernel "linear+linear+swiglu"
  // CHECK-NEXT: %[[U:.*]] = samba.linear
  // CHECK-NEXT: %[[G:.*]] = samba.linear
  // CHECK-NEXT: samba.swiglu %[[G]], %[[U]]
  // CHECK-NEXT: samba.yield
  // CHECK-NOT: samba.kernel
  %0 = samba.linear %x, %g : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  %1 = samba.linear %x, %u : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  %2 = samba.swiglu %0, %1 : tensor<?x16xf32>
  return %2 : tensor<?x16xf32>
}

// One projection for both: the slices come inside, and the wide rows never leave.
// CHECK-LABEL: func.func @sliced
func.func @sliced(%x: tensor<?x32xf32>, %w: tensor<32x32xf32>) -> tensor<?x16xf32> {
  // CHECK: samba.kernel "linear+swiglu" ins(%[[X:.*]] = {{.*}}, %[[W:.*]] = {{.*}}) -> tensor<?x16xf32> {
  // CHECK-NEXT: %[[Y:.*]] = samba.linear %[[X]], %[[W]]
  // CHECK: %[[G:.*]] = tensor.extract_slice %[[Y]][0, 0] [%{{.*}}, 16]
  // CHECK: %[[U:.*]] = tensor.extract_slice %[[Y]][0, 16] [%{{.*}}, 16]
  // CHECK-NEXT: samba.swiglu %[[G]], %[[U]]
  // CHECK-NEXT: samba.yield
  // CHECK-NEXT: }
  // CHECK-NEXT: return
  %0 = samba.linear %x, %w : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  %c0 = arith.constant 0 : index
  %t = tensor.dim %0, %c0 : tensor<?x32xf32>
  %1 = tensor.extract_slice %0[0, 0] [%t, 16] [1, 1] : tensor<?x32xf32> to tensor<?x16xf32>
  %2 = tensor.extract_slice %0[0, 16] [%t, 16] [1, 1] : tensor<?x32xf32> to tensor<?x16xf32>
  %3 = samba.swiglu %1, %2 : tensor<?x16xf32>
  return %3 : tensor<?x16xf32>
}

// A slice of rows is no view of the kernel's rows as they are, so it stays outside.
// CHECK-LABEL: func.func @some_rows
func.func @some_rows(%x: tensor<?x32xf32>, %w: tensor<32x32xf32>, %n: index) -> tensor<?x32xf32> {
  // CHECK: samba.kernel "linear"
  // CHECK: tensor.extract_slice
  // CHECK: samba.kernel "swiglu"
  %0 = samba.linear %x, %w : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  %1 = tensor.extract_slice %0[0, 0] [%n, 32] [1, 1] : tensor<?x32xf32> to tensor<?x32xf32>
  %2 = samba.swiglu %1, %1 : tensor<?x32xf32>
  return %2 : tensor<?x32xf32>
}
