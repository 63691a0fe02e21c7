// RUN: samba-opt %s -load-pass-plugin=%plugins/CountKernels.so \
// RUN:   -pass-pipeline='builtin.module(func.func(samba-form-kernels,test-count-kernels))' | FileCheck %s

// CHECK: func.func @two({{.*}}) -> tensor<?x32xf32> attributes {test.kernels = 2 : i64}
func.func @two(%x: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %0 = samba.swiglu %x, %x : tensor<?x32xf32>
  %1 = samba.swiglu %0, %x : tensor<?x32xf32>
  return %1 : tensor<?x32xf32>
}
