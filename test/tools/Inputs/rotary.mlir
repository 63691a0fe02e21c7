// Rotations of one head.
func.func @rotate(%x: tensor<?x8xf32>, %s: tensor<?xi64>, %p: tensor<?xi64>) -> tensor<?x8xf32> {
  %table = samba.rotary_table %s, %p {theta = 100.0 : f64} : tensor<?xi64>, tensor<?xi64> -> tensor<?x8xf32>
  %0 = samba.rotary %x, %table : tensor<?x8xf32>, tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
