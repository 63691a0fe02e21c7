// RUN: samba-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{expected a tensor type of static shape, got 'tensor<?x4xf32>'}}
samba.weight @w from "w" : tensor<?x4xf32>

// -----

// expected-error @+1 {{expected between 1 and 2^40 elements, got shape [0, 4]}}
samba.weight @w from "w" : tensor<0x4xf32>

// -----

// expected-error @+1 {{expected between 1 and 2^40 elements, got shape [4294967296, 4294967296]}}
samba.weight @w from "w" : tensor<4294967296x4294967296xf32>

// -----

// expected-error @+1 {{expected f32, bf16 or f16 elements, got 'index'}}
samba.weight @w from "w" : tensor<4xindex>

// -----

// expected-error @+1 {{expected a #samba.layout or #samba.quant encoding, got "dense"}}
samba.weight @w from "w" : tensor<4x4xf32, "dense">

// -----

// expected-error @+1 {{expected a matrix for a packed layout, got shape [4]}}
samba.weight @w from "w" : tensor<4xf32, #samba.layout<transposed>>

// -----

// expected-error @+1 {{expected f32 for the transform neg_exp, got 'bf16'}}
samba.weight @w from "w" transform neg_exp : tensor<4x4xbf16>

// -----

// expected-error @+1 {{expected a non-negative offset, got -64}}
samba.weight @w from "w" {offset = -64 : i64} : tensor<4x4xf32>

// -----

func.func @load_weight() {
  // expected-error @+1 {{expected a samba.weight named 'missing', found none}}
  %0 = samba.load_weight @missing : tensor<4xf32>
  return
}

// -----

func.func @load_weight() {
  // expected-error @+1 {{expected a samba.weight named 'load_weight', found none}}
  %0 = samba.load_weight @load_weight : tensor<4xf32>
  return
}

// -----

samba.weight @w from "w" : tensor<4xf32>
func.func @load_weight() {
  // expected-error @+1 {{expected the type of 'w', 'tensor<4xf32>', got 'tensor<5xf32>'}}
  %0 = samba.load_weight @w : tensor<5xf32>
  return
}

// -----

samba.weight @w from "w" : tensor<4x4xf32>
func.func @load_weight() {
  // expected-error @+1 {{expected the type of 'w', 'tensor<4x4xf32>', got 'tensor<4x4xf32, #samba.layout<transposed>>'}}
  %0 = samba.load_weight @w : tensor<4x4xf32, #samba.layout<transposed>>
  return
}
