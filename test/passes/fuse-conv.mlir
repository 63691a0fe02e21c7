// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-conv))' | FileCheck %s
// Twice is no different from once.
// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels,samba-fuse-conv))' -mlir-print-debuginfo > %t.once
// RUN: samba-opt %t.once -pass-pipeline='builtin.module(func.func(samba-fuse-conv))' -mlir-print-debuginfo | diff %t.once -

// The scan reads the convolution's rows as well, so they leave the kernel, as the state does.
// CHECK-LABEL: func.func @mamba
// CHECK: %[[K:.*]]:3 = samba.kernel "causal_conv1d+linear"
// CHECK-NEXT: %[[U:.*]], %[[S:.*]] = samba.causal_conv1d
// CHECK-NEXT: %[[P:.*]] = samba.linear %[[U]]
// CHECK-NEXT: samba.yield %[[U]], %[[S]], %[[P]]
// CHECK: tensor.extract_slice %[[K]]#2
// CHECK: samba.kernel "linear"
// CHECK: samba.kernel "selective_scan" ins(%{{.*}} = %[[K]]#0
func.func @mamba(%x: tensor<?x32xf32>, %taps: tensor<32x4xf32>, %w: tensor<10x32xf32>, %dt: tensor<32x2xf32>, %A: tensor<32x4xf32>,
    %segments: tensor<?xi64>, %conv: !samba.state<3x32xf32>, %ssm: !samba.state<4x32xf32>)
    -> (tensor<?x32xf32>, !samba.state<3x32xf32>, !samba.state<4x32xf32>) {
  %u, %new_conv = samba.causal_conv1d %x, %taps segments %segments state %conv activation silu
    : tensor<?x32xf32>, tensor<32x4xf32>, tensor<?xi64>, !samba.state<3x32xf32>
  %p = samba.linear %u, %w : tensor<?x32xf32>, tensor<10x32xf32> -> tensor<?x10xf32>
  %c0 = arith.constant 0 : index
  %t = tensor.dim %x, %c0 : tensor<?x32xf32>
  %r = tensor.extract_slice %p[0, 0] [%t, 2] [1, 1] : tensor<?x10xf32> to tensor<?x2xf32>
  %B = tensor.extract_slice %p[0, 2] [%t, 4] [1, 1] : tensor<?x10xf32> to tensor<?x4xf32>
  %C = tensor.extract_slice %p[0, 6] [%t, 4] [1, 1] : tensor<?x10xf32> to tensor<?x4xf32>
  %delta = samba.linear %r, %dt : tensor<?x2xf32>, tensor<32x2xf32> -> tensor<?x32xf32>
  %y, %new_ssm = samba.selective_scan %u, %delta, %A, %B, %C segments %segments state %ssm {delta_softplus}
    : tensor<?x32xf32>, tensor<32x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?xi64>, !samba.state<4x32xf32>
  return %y, %new_conv, %new_ssm : tensor<?x32xf32>, !samba.state<3x32xf32>, !samba.state<4x32xf32>
}
