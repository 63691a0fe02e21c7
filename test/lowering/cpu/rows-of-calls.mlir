// A called function may have rows of other tokens than those it is given: its results have as many as what selects them.
// RUN: samba-opt %s -pass-pipeline='builtin.module(func.func(samba-form-kernels),samba-pack-weights,samba-plan-memory,samba-lower-to-cpu{target=native})' \
// RUN:   --check-each-pass -o /dev/null 2>&1 | FileCheck %s
// CHECK: check: samba-lower-to-cpu changed, {{the same|largest error}}
// CHECK-NOT: broke
samba.weight @w from "w" : tensor<8x8xf32>
samba.weight @v from "v" : tensor<8x8xf32>
func.func private @select(%x: tensor<?x8xf32>, %rows: tensor<?xi64>, %w: tensor<8x8xf32>) -> tensor<?x8xf32> {
  %0 = samba.linear %x, %w : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  %1 = samba.gather_rows %0, %rows : tensor<?x8xf32>, tensor<?xi64> -> tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}
func.func private @more(%x: tensor<?x8xf32>, %w: tensor<8x8xf32>) -> tensor<?x8xf32> {
  %0 = samba.linear %x, %w : tensor<?x8xf32>, tensor<8x8xf32> -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
func.func @step(%x: tensor<?x8xf32>, %rows: tensor<?xi64>) -> tensor<?x8xf32> {
  %w = samba.load_weight @w : tensor<8x8xf32>
  %v = samba.load_weight @v : tensor<8x8xf32>
  %0 = call @select(%x, %rows, %w) : (tensor<?x8xf32>, tensor<?xi64>, tensor<8x8xf32>) -> tensor<?x8xf32>
  %1 = call @more(%0, %v) : (tensor<?x8xf32>, tensor<8x8xf32>) -> tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}
