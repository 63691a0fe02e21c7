// RUN: samba-opt %s -split-input-file -verify-diagnostics -samba-pack-weights
// RUN: not samba-opt %S/Inputs/empty.mlir -samba-pack-weights=panel-width=-1 2>&1 | FileCheck %s --check-prefix=NEGATIVE
// RUN: not samba-opt %S/Inputs/empty.mlir -samba-pack-weights=panel-width=5000 2>&1 | FileCheck %s --check-prefix=WIDE

// NEGATIVE: error: expected a panel width between 1 and 4096, got -1
// WIDE: error: expected a panel width between 1 and 4096, got 5000

// expected-error @+1 {{expected uses of weight 'w' that want one layout, got samba.linear (#samba.layout<panel, 32>) and samba.causal_conv1d (#samba.layout<transposed>)}}
samba.weight @w from "w" : tensor<32x4xf32>
func.func @two_layouts(%x: tensor<?x32xf32>, %y: tensor<?x4xf32>, %segments: tensor<?xi64>,
    %state: !samba.state<3x32xf32>) -> !samba.state<3x32xf32> {
  %w = samba.load_weight @w : tensor<32x4xf32>
  %0, %1 = samba.causal_conv1d %x, %w segments %segments state %state
    : tensor<?x32xf32>, tensor<32x4xf32>, tensor<?xi64>, !samba.state<3x32xf32>
  %2 = samba.linear %y, %w : tensor<?x4xf32>, tensor<32x4xf32> -> tensor<?x32xf32>
  return %1 : !samba.state<3x32xf32>
}

// -----

// expected-error @+1 {{expected uses of weight 'w' that want one layout, got func.return (row-major) and samba.linear (#samba.layout<panel, 32>)}}
samba.weight @w from "w" : tensor<32x32xf32>
func.func @escapes(%x: tensor<?x32xf32>) -> tensor<32x32xf32> {
  %w = samba.load_weight @w : tensor<32x32xf32>
  %0 = samba.linear %x, %w : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  return %w : tensor<32x32xf32>
}

// -----

// What is not a weight cannot be packed.
samba.weight @first from "a" : tensor<32x32xf32>
func.func private @block(%x: tensor<?x32xf32>, %w: tensor<32x32xf32>) -> tensor<?x32xf32> {
  %0 = samba.linear %x, %w : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}
func.func @no_weight(%x: tensor<?x32xf32>, %m: tensor<32x32xf32>) -> tensor<?x32xf32> {
  %w = samba.load_weight @first : tensor<32x32xf32>
  %0 = call @block(%x, %w) : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  // expected-error @+1 {{expected argument #1 of 'block' to be a weight, as in the call with 'first'}}
  %1 = call @block(%0, %m) : (tensor<?x32xf32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  return %1 : tensor<?x32xf32>
}

// -----

// An embedding reads a shared argument in any layout, but only one of the weights passed to it is a matrix as well.
samba.weight @tied from "a" : tensor<32x32xf32>
// expected-error @+1 {{weights 'tied' and 'table' are passed to the same argument, #1 of 'block', but need different types: 'tensor<32x32xf32, #samba.layout<panel, 32>>' and 'tensor<32x32xf32>'}}
samba.weight @table from "b" : tensor<32x32xf32>
func.func private @block(%tokens: tensor<?xi32>, %w: tensor<32x32xf32>) -> tensor<?x32xf32> {
  %0 = samba.embedding %tokens, %w : tensor<?xi32>, tensor<32x32xf32> -> tensor<?x32xf32>
  return %0 : tensor<?x32xf32>
}
func.func @two_types(%tokens: tensor<?xi32>) -> tensor<?x32xf32> {
  %tied = samba.load_weight @tied : tensor<32x32xf32>
  %table = samba.load_weight @table : tensor<32x32xf32>
  %0 = call @block(%tokens, %tied) : (tensor<?xi32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  %1 = call @block(%tokens, %table) : (tensor<?xi32>, tensor<32x32xf32>) -> tensor<?x32xf32>
  %2 = samba.linear %0, %tied : tensor<?x32xf32>, tensor<32x32xf32> -> tensor<?x32xf32>
  return %2 : tensor<?x32xf32>
}
