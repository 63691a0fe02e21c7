// One head, a window of five.
func.func @attend(%q: tensor<?x8xf32>, %k: tensor<?x8xf32>, %v: tensor<?x8xf32>, %s: tensor<?xi64>, %p: tensor<?xi64>,
    %key: !samba.state<1x5x8xf32>, %value: !samba.state<1x5x8xf32>)
    -> (tensor<?x8xf32>, !samba.state<1x5x8xf32>, !samba.state<1x5x8xf32>) {
  %0, %1, %2 = samba.sliding_window_attention %q, %k, %v segments %s positions %p state %key, %value {window = 5 : i64}
    : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<1x5x8xf32>
  return %0, %1, %2 : tensor<?x8xf32>, !samba.state<1x5x8xf32>, !samba.state<1x5x8xf32>
}
