// RUN: samba-opt %s -split-input-file -samba-set-precision=precision=bf16 | FileCheck %s
// RUN: samba-opt %s -split-input-file -samba-set-precision=precision=bf16 -samba-set-precision=precision=f32 \
// RUN:   | FileCheck %s --check-prefix=BACK
// RUN: samba-opt %s -split-input-file -samba-set-precision=precision=bf16 > %t.once
// RUN: samba-opt %s -split-input-file -samba-set-precision=precision=bf16 -samba-set-precision=precision=bf16 \
// RUN:   | diff %t.once -
// RUN: samba-opt %s -split-input-file > %t.before
// RUN: samba-opt %s -split-input-file -samba-set-precision | diff %t.before -

// The matrices of a linear and of an embedding become narrower; a bias and what else is f32 do not.
// BACK-NOT: bf16
// CHECK: samba.weight @table {{.*}} : tensor<64x32xbf16>
// CHECK: samba.weight @head {{.*}} : tensor<64x32xbf16, #samba.layout<panel, 8>>
// CHECK: samba.weight @bias {{.*}} : tensor<64xf32>
// CHECK: samba.weight @norm {{.*}} : tensor<32xf32>
// CHECK: samba.weight @unused {{.*}} : tensor<64x32xf32>
samba.weight @table from "table" : tensor<64x32xf32>
samba.weight @head from "head" : tensor<64x32xf32, #samba.layout<panel, 8>>
samba.weight @bias from "bias" : tensor<64xf32>
samba.weight @norm from "norm" : tensor<32xf32>
samba.weight @unused from "unused" : tensor<64x32xf32>
// CHECK-LABEL: func.func @direct
func.func @direct(%tokens: tensor<?xi32>) -> tensor<?x64xf32> {
  // CHECK: samba.load_weight @table : tensor<64x32xbf16>
  %table = samba.load_weight @table : tensor<64x32xf32>
  %head = samba.load_weight @head : tensor<64x32xf32, #samba.layout<panel, 8>>
  %bias = samba.load_weight @bias : tensor<64xf32>
  %norm = samba.load_weight @norm : tensor<32xf32>
  // CHECK: samba.embedding {{.*}} : tensor<?xi32>, tensor<64x32xbf16> -> tensor<?x32xf32>
  %x = samba.embedding %tokens, %table : tensor<?xi32>, tensor<64x32xf32> -> tensor<?x32xf32>
  %y = samba.rms_norm %x, %norm {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<32xf32>
  // CHECK: samba.linear {{.*}} bias {{.*}} : tensor<64xf32> : tensor<?x32xf32>, tensor<64x32xbf16, #samba.layout<panel, 8>>
  %z = samba.linear %y, %head bias %bias : tensor<64xf32>
    : tensor<?x32xf32>, tensor<64x32xf32, #samba.layout<panel, 8>> -> tensor<?x64xf32>
  return %z : tensor<?x64xf32>
}

// -----

// Through the calls of a shared function, into a kernel and out of a second load.
// CHECK: samba.weight @a {{.*}} : tensor<32x32xbf16>
// CHECK: samba.weight @b {{.*}} : tensor<32x32xbf16>
samba.weight @a from "a" : tensor<32x32xf32>
samba.weight @b from "b" : tensor<32x32xf32>
// CHECK-LABEL: func.func private @block(
// CHECK-SAME: %{{.*}}: tensor<?x32xf32>, %[[W:.*]]: tensor<32x32xbf16>)
func.func private @block(%x: tensor<?x32xf32>, %w: tensor<32x32xf32>) -> tensor<?x32xf32> {
  // CHECK: samba.kernel {{.*}}, %[[IN:.*]] = %[[W]] : tensor<32x32xbf16>)
  // CHECK: samba.linear %{{.*}}, %[[IN]] : tensor<?x32xf32>, tensor<32x32xbf16> ->
  %0 = samba.kernel "linear" ins(%i = %x : tensor<?x32xf32>, %m = %w : tensor<32x32xf32>) -> tensor<?x32xf32> {
    %1 = samba.linear %i, %m : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
    samba.yield %1 : tensor<?x32xf32>
  }
  return %0 : tensor<?x32xf32>
}
// CHECK-LABEL: func.func @shared
func.func @shared(%x: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %a = samba.load_weight @a : tensor<32x32xf32>
  %b = samba.load_weight @b : tensor<32x32xf32>
  // CHECK-COUNT-2: call @block(%{{.*}}, %{{.*}}) : (tensor<?x32xf32>, tensor<32x32xbf16>) -> tensor<?x32xf32>
  %0 = call @block(%x, %a) : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  %1 = call @block(%0, %b) : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  // CHECK: samba.load_weight @a : tensor<32x32xbf16>
  %again = samba.load_weight @a : tensor<32x32xf32>
  %2 = samba.linear %1, %again : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  return %2 : tensor<?x32xf32>
}

// -----

// Left alone: a matrix that another operation reads too, one that leaves the module's private functions, and one that
// is computed when it is packed.
// CHECK: samba.weight @taps {{.*}} : tensor<32x4xf32>
// CHECK: samba.weight @returned {{.*}} : tensor<32x32xf32>
// CHECK: samba.weight @external {{.*}} : tensor<32x32xf32>
// CHECK: samba.weight @A {{.*}} transform neg_exp : tensor<32x32xf32>
samba.weight @taps from "taps" : tensor<32x4xf32>
samba.weight @returned from "returned" : tensor<32x32xf32>
samba.weight @external from "external" : tensor<32x32xf32>
samba.weight @A from "A" transform neg_exp : tensor<32x32xf32>
func.func private @declared(tensor<32x32xf32>)
// CHECK-LABEL: func.func @kept
func.func @kept(%x: tensor<?x32xf32>, %y: tensor<?x4xf32>, %segments: tensor<?xi64>, %state: !samba.state<3x32xf32>)
    -> (tensor<32x32xf32>, !samba.state<3x32xf32>) {
  %taps = samba.load_weight @taps : tensor<32x4xf32>
  %0, %1 = samba.causal_conv1d %x, %taps segments %segments state %state
    : tensor<?x32xf32>, tensor<32x4xf32>, tensor<?xi64>, !samba.state<3x32xf32>
  %2 = samba.linear %y, %taps : tensor<?x4xf32>, tensor<32x4xf32> -> tensor<?x32xf32>
  %returned = samba.load_weight @returned : tensor<32x32xf32>
  %3 = samba.linear %x, %returned : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  %external = samba.load_weight @external : tensor<32x32xf32>
  %4 = samba.linear %x, %external : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  call @declared(%external) : (tensor<32x32xf32>) -> ()
  %A = samba.load_weight @A : tensor<32x32xf32>
  %5 = samba.linear %x, %A : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  return %returned, %1 : tensor<32x32xf32>, !samba.state<3x32xf32>
}

// -----

// A recursive function is no trap.
// CHECK: samba.weight @w {{.*}} : tensor<32x32xbf16>
samba.weight @w from "w" : tensor<32x32xf32>
// CHECK-LABEL: func.func private @again(
// CHECK-SAME: tensor<32x32xbf16>
func.func private @again(%x: tensor<?x32xf32>, %w: tensor<32x32xf32>) -> tensor<?x32xf32> {
  %0 = samba.linear %x, %w : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  %1 = call @again(%0, %w) : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  return %1 : tensor<?x32xf32>
}
func.func @recursive(%x: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %w = samba.load_weight @w : tensor<32x32xf32>
  %0 = call @again(%x, %w) : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}
