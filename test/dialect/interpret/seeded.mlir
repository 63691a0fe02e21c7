// Without files, inputs and weights come from the seed: the same each time, in kernels and calls as without, and others
// for another seed.
// RUN: samba-opt %s --samba-interpret="segments=2,0,1 print=all" -o /dev/null > %t.first
// RUN: samba-opt %s --samba-interpret="segments=2,0,1 print=all seed=0" -o /dev/null > %t.second
// RUN: samba-opt %s --samba-interpret="segments=2,0,1 print=all seed=1" -o /dev/null > %t.third
// RUN: samba-opt %s --samba-interpret="segments=2,0,1 print=all" --samba-form-kernels \
// RUN:   --samba-interpret="segments=2,0,1 print=all" -o /dev/null > %t.kernels
// RUN: cmp %t.first %t.second
// RUN: not cmp %t.first %t.third
// RUN: cat %t.first %t.first | cmp - %t.kernels
// RUN: FileCheck %s < %t.first
// RUN: samba-opt %s --samba-interpret=tokens=20 -o /dev/null | FileCheck %s --check-prefix=ELIDED
// RUN: samba-opt %s --samba-interpret=print=none | FileCheck %s --check-prefix=UNCHANGED

// CHECK:      result 0: [3, 3]
// CHECK-NEXT:   [{{[-0-9.e]+}}, {{[-0-9.e]+}}, {{[-0-9.e]+}}]
// CHECK:      result 1: 3 states
// CHECK-NEXT: sequence 0: [1, 3]
// CHECK-NEXT:   [{{[-0-9.e]+}}, {{[-0-9.e]+}}, {{[-0-9.e]+}}]
// CHECK-NEXT: sequence 1: [1, 3]

// ELIDED:      result 0: [20, 3]
// ELIDED-NEXT:   [
// ELIDED-NEXT:   [
// ELIDED-NEXT:   [
// ELIDED-NEXT:   [
// ELIDED-NEXT:   ...
// ELIDED-NEXT:   [
// ELIDED-NEXT:   [
// ELIDED-NEXT:   [
// ELIDED-NEXT:   [
// ELIDED-NEXT: result 1: 1 states

// UNCHANGED-NOT: result {{[0-9]}}:
// UNCHANGED:     func.func @step
// UNCHANGED-NOT: samba.kernel
samba.weight @table from "embeddings" : tensor<11x3xbf16>
samba.weight @taps from "conv" : tensor<3x2xf32>
func.func private @convolve(%x: tensor<?x3xf32>, %segments: tensor<?xi64>, %taps: tensor<3x2xf32>,
    %s: !samba.state<1x3xf32>) -> (tensor<?x3xf32>, !samba.state<1x3xf32>) {
  %y, %n = samba.causal_conv1d %x, %taps segments %segments state %s activation silu
    : tensor<?x3xf32>, tensor<3x2xf32>, tensor<?xi64>, !samba.state<1x3xf32>
  %z = arith.addf %x, %y : tensor<?x3xf32>
  return %z, %n : tensor<?x3xf32>, !samba.state<1x3xf32>
}
func.func @step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %s: !samba.state<1x3xf32>)
    -> (tensor<?x3xf32>, !samba.state<1x3xf32>) {
  %table = samba.load_weight @table : tensor<11x3xbf16>
  %taps = samba.load_weight @taps : tensor<3x2xf32>
  %x = samba.embedding %tokens, %table : tensor<?xi32>, tensor<11x3xbf16> -> tensor<?x3xf32>
  %y, %n = call @convolve(%x, %segments, %taps, %s)
    : (tensor<?x3xf32>, tensor<?xi64>, tensor<3x2xf32>, !samba.state<1x3xf32>) -> (tensor<?x3xf32>, !samba.state<1x3xf32>)
  return %y, %n : tensor<?x3xf32>, !samba.state<1x3xf32>
}
