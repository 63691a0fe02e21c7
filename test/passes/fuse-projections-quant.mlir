// RUN: samba-opt %s -samba-set-precision=precision=int8 -samba-fuse-projections=force | FileCheck %s
// RUN: samba-opt %s -samba-set-precision=precision=int8 -samba-interpret="tokens=2 weights=seeded print=all" -o /dev/null > %t.before
// RUN: samba-opt %s -samba-set-precision=precision=int8 -samba-fuse-projections=force \
// RUN:   -samba-interpret="tokens=2 weights=seeded print=all" -o /dev/null | diff %t.before -

// Quantised matrices with groups of one size are put together too; one of another type is not.

// CHECK: samba.weight @{{.*}} from ["a" : 64, "b" : 80] : tensor<144x128xf32, #samba.quant<8, 128>>
// CHECK: samba.weight @small from "small" : tensor<16x128xbf16>
// CHECK: samba.linear %{{.*}} -> tensor<?x144xf32>
// CHECK: tensor.extract_slice {{.*}} to tensor<?x64xf32>
// CHECK: tensor.extract_slice {{.*}} to tensor<?x80xf32>
// CHECK: samba.linear %{{.*}} -> tensor<?x16xf32>
module {
  samba.weight @a from "a" : tensor<64x128xf32>
  samba.weight @b from "b" : tensor<80x128xf32>
  samba.weight @small from "small" : tensor<16x128xf32>
  func.func @f(%x: tensor<?x128xf32>) -> (tensor<?x64xf32>, tensor<?x80xf32>, tensor<?x16xf32>) {
    %wa = samba.load_weight @a : tensor<64x128xf32>
    %wb = samba.load_weight @b : tensor<80x128xf32>
    %ws = samba.load_weight @small : tensor<16x128xf32>
    %0 = samba.linear %x, %wa : tensor<?x128xf32>, tensor<64x128xf32> -> tensor<?x64xf32>
    %1 = samba.linear %x, %wb : tensor<?x128xf32>, tensor<80x128xf32> -> tensor<?x80xf32>
    %2 = samba.linear %x, %ws : tensor<?x128xf32>, tensor<16x128xf32> -> tensor<?x16xf32>
    return %0, %1, %2 : tensor<?x64xf32>, tensor<?x80xf32>, tensor<?x16xf32>
  }
}
