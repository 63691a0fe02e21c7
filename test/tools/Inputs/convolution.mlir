samba.weight @taps from "taps" : tensor<8x4xf32>
func.func @convolve(%x: tensor<?x8xf32>, %s: tensor<?xi64>, %state: !samba.state<3x8xf32>)
    -> (tensor<?x8xf32>, !samba.state<3x8xf32>) {
  %taps = samba.load_weight @taps : tensor<8x4xf32>
  %0, %1 = samba.causal_conv1d %x, %taps segments %s state %state activation silu
    : tensor<?x8xf32>, tensor<8x4xf32>, tensor<?xi64>, !samba.state<3x8xf32>
  return %0, %1 : tensor<?x8xf32>, !samba.state<3x8xf32>
}
