// The function without a swiglu does not interest the tester, so it goes.
// RUN: samba-reduce %s -reduction-tree='traversal-mode=0 test=%S/Inputs/has-swiglu.sh' | FileCheck %s

// CHECK-NOT: @other
// CHECK: samba.swiglu
// CHECK-NOT: @other
func.func @other(%x: tensor<?x32xf32>) -> tensor<?x32xf32> {
  return %x : tensor<?x32xf32>
}
func.func @interesting(%x: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %0 = samba.swiglu %x, %x : tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}
