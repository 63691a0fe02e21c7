// RUN: samba-opt %s -split-input-file -samba-plan-memory | FileCheck %s
// RUN: samba-opt %s -split-input-file -samba-plan-memory > %t.once
// RUN: samba-opt %t.once -split-input-file -samba-plan-memory | diff %t.once -

// The weights of a call lie together in the order of its arguments, whatever the order of declaration; those used
// directly follow, then unused ones. States likewise. Sizes are rounded up to 64 bytes.
// Bytes: 17x8xbf16 in panels of 16 takes 512, 10x8xf32 in panels of 32 1024. States: 3x4xf32 48, 2x8xbf16 32, 5xi8 5.
// CHECK: module attributes {samba.state_bytes = 320 : i64, samba.weight_bytes = 2368 : i64}
module {
  // CHECK-DAG: samba.weight @head {{.*}}offset = 1280 : i64
  samba.weight @head from "head" : tensor<10x8xf32, #samba.layout<panel, 32>>
  // CHECK-DAG: samba.weight @unused {{.*}}offset = 2304 : i64
  samba.weight @unused from "unused" : tensor<1xf32>
  // CHECK-DAG: samba.weight @norm {{.*}}offset = 1152 : i64
  samba.weight @norm from "norm" : tensor<17xf32>
  // CHECK-DAG: samba.weight @b.bias {{.*}}offset = 1088 : i64
  samba.weight @b.bias from "b.bias" : tensor<8xf32>
  // CHECK-DAG: samba.weight @b.matrix {{.*}}offset = 576 : i64
  samba.weight @b.matrix from "b.matrix" : tensor<17x8xbf16, #samba.layout<panel, 16>>
  // CHECK-DAG: samba.weight @a.bias {{.*}}offset = 512 : i64
  samba.weight @a.bias from "a.bias" : tensor<8xf32>
  // CHECK-DAG: samba.weight @a.matrix {{.*}}offset = 0 : i64
  samba.weight @a.matrix from "a.matrix" : tensor<17x8xbf16, #samba.layout<panel, 16>>

  func.func private @block(%x: tensor<?x8xf32>, %matrix: tensor<17x8xbf16, #samba.layout<panel, 16>>,
      %segments: tensor<?xi64>, %0: !samba.state<3x4xf32>, %bias: tensor<8xf32>, %1: !samba.state<2x8xbf16>)
      -> (!samba.state<3x4xf32>, !samba.state<2x8xbf16>) {
    return %0, %1 : !samba.state<3x4xf32>, !samba.state<2x8xbf16>
  }

  // CHECK: func.func @step(
  // CHECK-SAME: !samba.state<5xi8> {samba.name = "direct", samba.offset = 256 : i64}
  // CHECK-SAME: !samba.state<2x8xbf16> {samba.name = "b.1", samba.offset = 192 : i64}
  // CHECK-SAME: !samba.state<2x8xbf16> {samba.name = "a.1", samba.offset = 64 : i64}
  // CHECK-SAME: !samba.state<3x4xf32> {samba.name = "b.0", samba.offset = 128 : i64}
  // CHECK-SAME: !samba.state<3x4xf32> {samba.name = "a.0", samba.offset = 0 : i64}
  func.func @step(%x: tensor<?x8xf32>, %segments: tensor<?xi64>,
      %direct: !samba.state<5xi8> {samba.name = "direct"},
      %b1: !samba.state<2x8xbf16> {samba.name = "b.1"}, %a1: !samba.state<2x8xbf16> {samba.name = "a.1"},
      %b0: !samba.state<3x4xf32> {samba.name = "b.0"}, %a0: !samba.state<3x4xf32> {samba.name = "a.0"})
      -> !samba.state<5xi8> {
    %norm = samba.load_weight @norm : tensor<17xf32>
    %a.matrix = samba.load_weight @a.matrix : tensor<17x8xbf16, #samba.layout<panel, 16>>
    %a.bias = samba.load_weight @a.bias : tensor<8xf32>
    %0:2 = call @block(%x, %a.matrix, %segments, %a0, %a.bias, %a1)
      : (tensor<?x8xf32>, tensor<17x8xbf16, #samba.layout<panel, 16>>, tensor<?xi64>, !samba.state<3x4xf32>,
         tensor<8xf32>, !samba.state<2x8xbf16>) -> (!samba.state<3x4xf32>, !samba.state<2x8xbf16>)
    %b.matrix = samba.load_weight @b.matrix : tensor<17x8xbf16, #samba.layout<panel, 16>>
    %b.bias = samba.load_weight @b.bias : tensor<8xf32>
    %1:2 = call @block(%x, %b.matrix, %segments, %b0, %b.bias, %b1)
      : (tensor<?x8xf32>, tensor<17x8xbf16, #samba.layout<panel, 16>>, tensor<?xi64>, !samba.state<3x4xf32>,
         tensor<8xf32>, !samba.state<2x8xbf16>) -> (!samba.state<3x4xf32>, !samba.state<2x8xbf16>)
    %head = samba.load_weight @head : tensor<10x8xf32, #samba.layout<panel, 32>>
    return %direct : !samba.state<5xi8>
  }
}

// -----

// A tied weight has one place, loaded twice or not.
// CHECK: samba.state_bytes = 0 : i64, samba.weight_bytes = 128 : i64
module {
  // CHECK-DAG: samba.weight @other {{.*}}offset = 64 : i64
  samba.weight @other from "other" : tensor<4xf32>
  // CHECK-DAG: samba.weight @tied {{.*}}offset = 0 : i64
  samba.weight @tied from "tied" : tensor<4x4xf32, #samba.layout<transposed>>
  func.func @tied_weight() {
    %0 = samba.load_weight @tied : tensor<4x4xf32, #samba.layout<transposed>>
    %1 = samba.load_weight @other : tensor<4xf32>
    %2 = samba.load_weight @tied : tensor<4x4xf32, #samba.layout<transposed>>
    return
  }
}

// -----

// CHECK: samba.state_bytes = 0 : i64, samba.weight_bytes = 0 : i64
module {
}

// -----

// What a call has returned stays where it is.
// CHECK: samba.state_bytes = 192 : i64
module {
  func.func private @own(%s: !samba.state<4xf32>, %t: !samba.state<4xf32>)
      -> (!samba.state<4xf32>, !samba.state<4xf32>) {
    return %s, %t : !samba.state<4xf32>, !samba.state<4xf32>
  }
  func.func private @borrow(%s: !samba.state<4xf32>, %t: !samba.state<4xf32>)
      -> (!samba.state<4xf32>, !samba.state<4xf32>) {
    return %s, %t : !samba.state<4xf32>, !samba.state<4xf32>
  }
  // CHECK: func.func @shared(
  // CHECK-SAME: samba.offset = 64 : i64
  // CHECK-SAME: samba.offset = 0 : i64
  // CHECK-SAME: samba.offset = 128 : i64
  func.func @shared(%t: !samba.state<4xf32>, %s: !samba.state<4xf32>, %rest: !samba.state<4xf32>)
      -> (!samba.state<4xf32>, !samba.state<4xf32>, !samba.state<4xf32>) {
    %0, %1 = call @own(%s, %t)
      : (!samba.state<4xf32>, !samba.state<4xf32>) -> (!samba.state<4xf32>, !samba.state<4xf32>)
    %2, %3 = call @borrow(%0, %1)
      : (!samba.state<4xf32>, !samba.state<4xf32>) -> (!samba.state<4xf32>, !samba.state<4xf32>)
    return %3, %2, %rest : !samba.state<4xf32>, !samba.state<4xf32>, !samba.state<4xf32>
  }
}
