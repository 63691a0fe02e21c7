// Two groups of 64 inputs.
samba.weight @w from "w" : tensor<64x128xf32, #samba.quant<8, 64>>
func.func @multiply(%x: tensor<?x128xf32>) -> tensor<?x64xf32> {
  %w = samba.load_weight @w : tensor<64x128xf32, #samba.quant<8, 64>>
  %rows = samba.quantize_rows %x : tensor<?x128xf32> -> tensor<?x128xf32, #samba.quant<8, 64>>
  %0 = samba.linear %rows, %w
    : tensor<?x128xf32, #samba.quant<8, 64>>, tensor<64x128xf32, #samba.quant<8, 64>> -> tensor<?x64xf32>
  return %0 : tensor<?x64xf32>
}
