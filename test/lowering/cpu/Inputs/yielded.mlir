func.func @same(%x: tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
  %0:2 = samba.kernel "same" ins(%a = %x : tensor<?x8xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>) {
    %1 = samba.swiglu %a, %a : tensor<?x8xf32>
    samba.yield %1, %a : tensor<?x8xf32>, tensor<?x8xf32>
  }
  return %0#0, %0#1 : tensor<?x8xf32>, tensor<?x8xf32>
}
