// RUN: not samba-opt %s 2>&1 | FileCheck %s
// CHECK: 'samba.causal_conv1d' op expected state to have one use, because it is updated in place; it has 2
func.func @twice(%x: tensor<?x64xf32>, %weight: tensor<64x4xf32>, %bias: tensor<64xf32>, %segments: tensor<?xi64>,
                 %state: !samba.state<3x64xf32>) {
  %0, %1 = samba.causal_conv1d %x, %weight bias %bias : tensor<64xf32> segments %segments state %state
    : tensor<?x64xf32>, tensor<64x4xf32>, tensor<?xi64>, !samba.state<3x64xf32>
  %2, %3 = samba.causal_conv1d %x, %weight bias %bias : tensor<64xf32> segments %segments state %state
    : tensor<?x64xf32>, tensor<64x4xf32>, tensor<?xi64>, !samba.state<3x64xf32>
  return
}
