// Small enough to be compiled quickly.
func.func @gate(%x: tensor<?x32xf32>, %y: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %0 = samba.swiglu %x, %y : tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}
