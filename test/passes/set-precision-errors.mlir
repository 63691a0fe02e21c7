// RUN: samba-opt %s -split-input-file -verify-diagnostics -samba-set-precision=precision=bf16
// RUN: not samba-opt %S/Inputs/empty.mlir -samba-set-precision=precision=int3 2>&1 | FileCheck %s --check-prefix=OPTION

// RUN: not samba-opt %S/Inputs/empty.mlir -samba-set-precision="precision=int8 group=12" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=GROUP

// OPTION: error: expected the precision f32, bf16, int8 or int4, got 'int3'
// GROUP: error: expected a group of a multiple of 8 between 8 and 1024 elements, got 12

// @second is computed when it is packed, so it stays f32.
samba.weight @first from "a" : tensor<32x32xf32>
// expected-error @+1 {{weights 'first' and 'second' are passed to the same argument, #1 of 'block', but need different types: 'tensor<32x32xbf16>' and 'tensor<32x32xf32>'}}
samba.weight @second from "b" transform neg_exp : tensor<32x32xf32>
func.func private @block(%x: tensor<?x32xf32>, %w: tensor<32x32xf32>) -> tensor<?x32xf32> {
  %0 = samba.linear %x, %w : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}
func.func @two_types(%x: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %first = samba.load_weight @first : tensor<32x32xf32>
  %second = samba.load_weight @second : tensor<32x32xf32>
  %0 = call @block(%x, %first) : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  %1 = call @block(%0, %second) : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  return %1 : tensor<?x32xf32>
}

// -----

samba.weight @w from "w" : tensor<32x32xf32>
func.func private @block(%x: tensor<?x32xf32>, %w: tensor<32x32xf32>) -> tensor<?x32xf32> {
  %0 = samba.linear %x, %w : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}
func.func @no_weight(%x: tensor<?x32xf32>, %m: tensor<32x32xf32>) -> tensor<?x32xf32> {
  %w = samba.load_weight @w : tensor<32x32xf32>
  %0 = call @block(%x, %w) : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  // expected-error @+1 {{expected argument #1 of 'block' to be a weight, as in the call with 'w'}}
  %1 = call @block(%0, %m) : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  return %1 : tensor<?x32xf32>
}
