samba.weight @A from "A" transform neg_exp : tensor<8x2xf32>
func.func @scan(%u: tensor<?x8xf32>, %delta: tensor<?x8xf32>, %B: tensor<?x2xf32>, %C: tensor<?x2xf32>,
    %s: tensor<?xi64>, %state: !samba.state<2x8xf32>) -> (tensor<?x8xf32>, !samba.state<2x8xf32>) {
  %A = samba.load_weight @A : tensor<8x2xf32>
  %0, %1 = samba.selective_scan %u, %delta, %A, %B, %C segments %s state %state {delta_softplus}
    : tensor<?x8xf32>, tensor<8x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?xi64>, !samba.state<2x8xf32>
  return %0, %1 : tensor<?x8xf32>, !samba.state<2x8xf32>
}
