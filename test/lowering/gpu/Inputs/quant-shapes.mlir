// Products with weights of 8 and 4 bits, with tails everywhere: one with a gate and bias, one with a rounded result. With
// `tokens=8448` their tiles are 96 x 128 and 64 x 128, with the usual number 64 x 64.
module @shapes attributes {samba.cuda, samba.weight_bytes = 386560 : i64} {
  samba.weight @table from "table" {offset = 0 : i64} : tensor<100x440xf32>
  samba.weight @up from "up" {offset = 176128 : i64} : tensor<400x440xf32, #samba.quant<8, 64, 8>>
  samba.weight @bias from "bias" {offset = 366592 : i64} : tensor<400xf32>
  samba.weight @down from "down" {offset = 368384 : i64} : tensor<72x200xf32, #samba.quant<4, 64, 8>>
  samba.weight @head from "head" {offset = 378880 : i64} : tensor<50x72xf32, #samba.quant<8, 64, 8>>
  func.func @samba_step(%tokens: tensor<?xi32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %rows: tensor<?xi64>) -> tensor<?x50xf32> {
    %table = samba.load_weight @table : tensor<100x440xf32>
    %up = samba.load_weight @up : tensor<400x440xf32, #samba.quant<8, 64, 8>>
    %bias = samba.load_weight @bias : tensor<400xf32>
    %down = samba.load_weight @down : tensor<72x200xf32, #samba.quant<4, 64, 8>>
    %head = samba.load_weight @head : tensor<50x72xf32, #samba.quant<8, 64, 8>>
    %y = samba.kernel "all" ins(%t = %tokens : tensor<?xi32>, %e = %table : tensor<100x440xf32>, %u = %up : tensor<400x440xf32, #samba.quant<8, 64, 8>>, %b = %bias : tensor<400xf32>, %d = %down : tensor<72x200xf32, #samba.quant<4, 64, 8>>) -> tensor<?x72xbf16> {
      %c0 = arith.constant 0 : index
      %x = samba.embedding %t, %e : tensor<?xi32>, tensor<100x440xf32> -> tensor<?x440xf32> loc("embed")
      %r = arith.truncf %x : tensor<?x440xf32> to tensor<?x440xbf16>
      %0 = samba.linear %r, %u bias %b : tensor<400xf32> : tensor<?x440xbf16>, tensor<400x440xf32, #samba.quant<8, 64, 8>> -> tensor<?x400xf32> loc("up")
      %n = tensor.dim %0, %c0 : tensor<?x400xf32>
      %1 = tensor.extract_slice %0[0, 0] [%n, 200] [1, 1] : tensor<?x400xf32> to tensor<?x200xf32>
      %2 = tensor.extract_slice %0[0, 200] [%n, 200] [1, 1] : tensor<?x400xf32> to tensor<?x200xf32>
      %3 = samba.swiglu %1, %2 : tensor<?x200xf32> loc("swiglu")
      %4 = arith.truncf %3 : tensor<?x200xf32> to tensor<?x200xbf16>
      %5 = samba.linear %4, %d : tensor<?x200xbf16>, tensor<72x200xf32, #samba.quant<4, 64, 8>> -> tensor<?x72xf32> loc("down")
      %6 = arith.truncf %5 : tensor<?x72xf32> to tensor<?x72xbf16>
      samba.yield %6 : tensor<?x72xbf16>
    }
    %logits = samba.kernel "head" ins(%a = %y : tensor<?x72xbf16>, %b = %head : tensor<50x72xf32, #samba.quant<8, 64, 8>>) -> tensor<?x50xf32> {
      %0 = samba.linear %a, %b : tensor<?x72xbf16>, tensor<50x72xf32, #samba.quant<8, 64, 8>> -> tensor<?x50xf32> loc("head")
      samba.yield %0 : tensor<?x50xf32>
    }
    return %logits : tensor<?x50xf32>
  }
}
