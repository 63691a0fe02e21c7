// The operations on rows: embedding, gather_rows, rms_norm, layer_norm, differential_norm, linear, swiglu, rotary_table, rotary.
// RUN: samba-opt %s -split-input-file -verify-diagnostics

func.func @embedding_tokens(%tokens: tensor<?x1xi32>, %table: tensor<100x32xf32>) {
  // expected-error @+1 {{expected tokens of shape [?], got [?, 1]}}
  %0 = samba.embedding %tokens, %table : tensor<?x1xi32>, tensor<100x32xf32> -> tensor<?x32xf32>
  return
}

// -----

func.func @embedding_table_rank(%tokens: tensor<?xi32>, %table: tensor<32xf32>) {
  // expected-error @+1 {{expected table of shape [T, D], got [32]}}
  %0 = samba.embedding %tokens, %table : tensor<?xi32>, tensor<32xf32> -> tensor<?x32xf32>
  return
}

// -----

func.func @embedding_table_width(%tokens: tensor<?xi32>, %table: tensor<100x?xf32>) {
  // expected-error @+1 {{expected table of a static positive width, got [100, ?]}}
  %0 = samba.embedding %tokens, %table : tensor<?xi32>, tensor<100x?xf32> -> tensor<?x32xf32>
  return
}

// -----

func.func @embedding_table_rows(%tokens: tensor<?xi32>, %table: tensor<?x32xf32>) {
  // expected-error @+1 {{expected table of a static shape, got [?, 32]}}
  %0 = samba.embedding %tokens, %table : tensor<?xi32>, tensor<?x32xf32> -> tensor<?x32xf32>
  return
}

// -----

func.func @embedding_result(%tokens: tensor<?xi32>, %table: tensor<100x32xf32>) {
  // expected-error @+1 {{expected result of shape [?, 32], got [?, 33]}}
  %0 = samba.embedding %tokens, %table : tensor<?xi32>, tensor<100x32xf32> -> tensor<?x33xf32>
  return
}

// -----

func.func @embedding_result_rows(%tokens: tensor<4xi32>, %table: tensor<100x32xf32>) {
  // expected-error @+1 {{expected result of shape [4, 32], got [5, 32]}}
  %0 = samba.embedding %tokens, %table : tensor<4xi32>, tensor<100x32xf32> -> tensor<5x32xf32>
  return
}

// -----

func.func @gather_rows_x(%x: tensor<?xf32>, %rows: tensor<?xi64>) {
  // expected-error @+1 {{expected x of shape [T, D], got [?]}}
  %0 = samba.gather_rows %x, %rows : tensor<?xf32>, tensor<?xi64> -> tensor<?x32xf32>
  return
}

// -----

func.func @gather_rows_rows(%x: tensor<?x32xf32>, %rows: tensor<?x2xi64>) {
  // expected-error @+1 {{expected rows of shape [?], got [?, 2]}}
  %0 = samba.gather_rows %x, %rows : tensor<?x32xf32>, tensor<?x2xi64> -> tensor<?x32xf32>
  return
}

// -----

func.func @gather_rows_result(%x: tensor<?x32xf32>, %rows: tensor<3xi64>) {
  // expected-error @+1 {{expected result of shape [3, 32], got [4, 32]}}
  %0 = samba.gather_rows %x, %rows : tensor<?x32xf32>, tensor<3xi64> -> tensor<4x32xf32>
  return
}

// -----

func.func @rms_norm_x(%x: tensor<?x0xf32>, %weight: tensor<0xf32>) {
  // expected-error @+1 {{expected x of a static positive width, got [?, 0]}}
  %0 = samba.rms_norm %x, %weight {eps = 1.0e-5 : f32} : tensor<?x0xf32>, tensor<0xf32>
  return
}

// -----

func.func @rms_norm_weight(%x: tensor<?x32xf32>, %weight: tensor<31xf32>) {
  // expected-error @+1 {{expected weight of shape [32], got [31]}}
  %0 = samba.rms_norm %x, %weight {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<31xf32>
  return
}

// -----

func.func @rms_norm_zero_eps(%x: tensor<?x32xf32>, %weight: tensor<32xf32>) {
  // expected-error @+1 {{expected a positive eps, got 0.000000e+00}}
  %0 = samba.rms_norm %x, %weight {eps = 0.0 : f32} : tensor<?x32xf32>, tensor<32xf32>
  return
}

// -----

func.func @rms_norm_infinite_eps(%x: tensor<?x32xf32>, %weight: tensor<32xf32>) {
  // expected-error @+1 {{expected a positive eps, got 0x7F800000}}
  %0 = samba.rms_norm %x, %weight {eps = 0x7F800000 : f32} : tensor<?x32xf32>, tensor<32xf32>
  return
}

// -----

func.func @linear_x(%x: tensor<?x?xf32>, %weight: tensor<48x32xf32>) {
  // expected-error @+1 {{expected x of a static positive width, got [?, ?]}}
  %0 = samba.linear %x, %weight : tensor<?x?xf32>, tensor<48x32xf32> -> tensor<?x48xf32>
  return
}

// -----

func.func @linear_dynamic_weight(%x: tensor<?x32xf32>, %weight: tensor<?x32xf32>) {
  // expected-error @+1 {{expected weight of a static shape, got [?, 32]}}
  %0 = samba.linear %x, %weight : tensor<?x32xf32>, tensor<?x32xf32> -> tensor<?x48xf32>
  return
}

// -----

func.func @linear_weight(%x: tensor<?x32xf32>, %weight: tensor<48x31xf32>) {
  // expected-error @+1 {{expected weight of shape [?, 32], got [48, 31]}}
  %0 = samba.linear %x, %weight : tensor<?x32xf32>, tensor<48x31xf32> -> tensor<?x48xf32>
  return
}

// -----

func.func @linear_result(%x: tensor<?x32xf32>, %weight: tensor<48x32xf32>) {
  // expected-error @+1 {{expected result of shape [?, 48], got [?, 32]}}
  %0 = samba.linear %x, %weight : tensor<?x32xf32>, tensor<48x32xf32> -> tensor<?x32xf32>
  return
}

// -----

func.func @linear_bias(%x: tensor<?x32xf32>, %weight: tensor<48x32xf32>, %bias: tensor<32xf32>) {
  // expected-error @+1 {{expected bias of shape [48], got [32]}}
  %0 = samba.linear %x, %weight bias %bias : tensor<32xf32> : tensor<?x32xf32>, tensor<48x32xf32> -> tensor<?x48xf32>
  return
}

// -----

func.func @swiglu(%gate: tensor<64xf32>, %up: tensor<64xf32>) {
  // expected-error @+1 {{expected gate and up of shape [T, D], got [64]}}
  %0 = samba.swiglu %gate, %up : tensor<64xf32>
  return
}

// -----

func.func @rotary_table_segments(%segments: tensor<?x1xi64>, %positions: tensor<?xi64>) {
  // expected-error @+1 {{expected segments of shape [?], got [?, 1]}}
  %0 = samba.rotary_table %segments, %positions {theta = 1.0e4 : f64} : tensor<?x1xi64>, tensor<?xi64> -> tensor<?x16xf32>
  return
}

// -----

func.func @rotary_table_positions(%segments: tensor<?xi64>, %positions: tensor<i64>) {
  // expected-error @+1 {{expected positions of shape [?], got []}}
  %0 = samba.rotary_table %segments, %positions {theta = 1.0e4 : f64} : tensor<?xi64>, tensor<i64> -> tensor<?x16xf32>
  return
}

// -----

func.func @rotary_table_result(%segments: tensor<?xi64>, %positions: tensor<?xi64>) {
  // expected-error @+1 {{expected result of shape [T, D], got [16]}}
  %0 = samba.rotary_table %segments, %positions {theta = 1.0e4 : f64} : tensor<?xi64>, tensor<?xi64> -> tensor<16xf32>
  return
}

// -----

func.func @rotary_table_odd(%segments: tensor<?xi64>, %positions: tensor<?xi64>) {
  // expected-error @+1 {{expected an even head dimension, got 15}}
  %0 = samba.rotary_table %segments, %positions {theta = 1.0e4 : f64} : tensor<?xi64>, tensor<?xi64> -> tensor<?x15xf32>
  return
}

// -----

func.func @rotary_table_theta(%segments: tensor<?xi64>, %positions: tensor<?xi64>) {
  // expected-error @+1 {{expected a positive theta, got -1.000000e+04}}
  %0 = samba.rotary_table %segments, %positions {theta = -1.0e4 : f64} : tensor<?xi64>, tensor<?xi64> -> tensor<?x16xf32>
  return
}

// -----

func.func @rotary_x(%x: tensor<32xf32>, %table: tensor<?x16xf32>) {
  // expected-error @+1 {{expected x of shape [T, D], got [32]}}
  %0 = samba.rotary %x, %table : tensor<32xf32>, tensor<?x16xf32>
  return
}

// -----

func.func @rotary_table_rank(%x: tensor<?x32xf32>, %table: tensor<16xf32>) {
  // expected-error @+1 {{expected table of shape [T, D], got [16]}}
  %0 = samba.rotary %x, %table : tensor<?x32xf32>, tensor<16xf32>
  return
}

// -----

func.func @rotary_width(%x: tensor<?x40xf32>, %table: tensor<?x16xf32>) {
  // expected-error @+1 {{expected an even head dimension (the width of the table) that divides the width of x, 40; got 16}}
  %0 = samba.rotary %x, %table : tensor<?x40xf32>, tensor<?x16xf32>
  return
}

// -----

func.func @rotary_odd(%x: tensor<?x30xf32>, %table: tensor<?x15xf32>) {
  // expected-error @+1 {{expected an even head dimension (the width of the table) that divides the width of x, 30; got 15}}
  %0 = samba.rotary %x, %table : tensor<?x30xf32>, tensor<?x15xf32>
  return
}

// -----

func.func @quantize_rows_encoding(%x: tensor<?x64xf32>) {
  // expected-error @+1 {{expected a result of the encoding #samba.quant<8, group>, got 'tensor<?x64xf32>'}}
  %0 = samba.quantize_rows %x : tensor<?x64xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @quantize_rows_bits(%x: tensor<?x64xf32>) {
  // expected-error @+1 {{expected a result of the encoding #samba.quant<8, group>, got}}
  %0 = samba.quantize_rows %x : tensor<?x64xf32> -> tensor<?x64xf32, #samba.quant<4, 32>>
  return
}

// -----

func.func @quantize_rows_shape(%x: tensor<?x64xf32>) {
  // expected-error @+1 {{expected result of shape [?, 64], got [?, 32]}}
  %0 = samba.quantize_rows %x : tensor<?x64xf32> -> tensor<?x32xf32, #samba.quant<8, 32>>
  return
}

// -----

func.func @linear_only_rows_quantised(%x: tensor<?x64xf32, #samba.quant<8, 32>>, %w: tensor<16x64xf32>) {
  // expected-error @+1 {{expected quantised rows only with a weight quantised in groups of the same size, got}}
  %0 = samba.linear %x, %w : tensor<?x64xf32, #samba.quant<8, 32>>, tensor<16x64xf32> -> tensor<?x16xf32>
  return
}

// -----

func.func @linear_groups_differ(%x: tensor<?x64xf32, #samba.quant<8, 64>>, %w: tensor<16x64xf32, #samba.quant<4, 32>>) {
  // expected-error @+1 {{expected quantised rows only with a weight quantised in groups of the same size, got}}
  %0 = samba.linear %x, %w : tensor<?x64xf32, #samba.quant<8, 64>>, tensor<16x64xf32, #samba.quant<4, 32>> -> tensor<?x16xf32>
  return
}

// -----

func.func @layer_norm_weight(%x: tensor<?x32xf32>, %weight: tensor<16xf32>) {
  // expected-error @+1 {{expected weight of shape [32], got [16]}}
  %0 = samba.layer_norm %x, %weight {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<16xf32>
  return
}

// -----

func.func @layer_norm_bias(%x: tensor<?x32xf32>, %weight: tensor<32xf32>, %bias: tensor<33xf32>) {
  // expected-error @+1 {{expected bias of shape [32], got [33]}}
  %0 = samba.layer_norm %x, %weight bias %bias : tensor<33xf32> {eps = 1.0e-5 : f32} : tensor<?x32xf32>, tensor<32xf32>
  return
}

// -----

func.func @layer_norm_eps(%x: tensor<?x32xf32>, %weight: tensor<32xf32>) {
  // expected-error @+1 {{expected a positive eps, got 0.000000e+00 : f32}}
  %0 = samba.layer_norm %x, %weight {eps = 0.0 : f32} : tensor<?x32xf32>, tensor<32xf32>
  return
}

// -----

func.func @differential_lambda(%x: tensor<?x64xf32>, %lambda: tensor<6xf32>, %weight: tensor<8xf32>, %depth: index) {
  // expected-error @+1 {{expected a lambda of four vectors of one size, got 6 elements}}
  %0 = samba.differential_norm %x, %lambda, %weight depth %depth pairs 2 {eps = 1.0e-5 : f32}
    : tensor<?x64xf32>, tensor<6xf32>, tensor<8xf32> -> tensor<?x32xf32>
  return
}

// -----

func.func @differential_heads(%x: tensor<?x64xf32>, %lambda: tensor<16xf32>, %weight: tensor<8xf32>, %depth: index) {
  // expected-error @+1 {{expected x to have a multiple of 6 heads of 8 lanes, got a width of 64}}
  %0 = samba.differential_norm %x, %lambda, %weight depth %depth pairs 3 {eps = 1.0e-5 : f32}
    : tensor<?x64xf32>, tensor<16xf32>, tensor<8xf32> -> tensor<?x32xf32>
  return
}

// -----

func.func @differential_pairs(%x: tensor<?x64xf32>, %lambda: tensor<16xf32>, %weight: tensor<8xf32>, %depth: index) {
  // expected-error @+1 {{expected between 1 and 64 pairs, got 0}}
  %0 = samba.differential_norm %x, %lambda, %weight depth %depth pairs 0 {eps = 1.0e-5 : f32}
    : tensor<?x64xf32>, tensor<16xf32>, tensor<8xf32> -> tensor<?x32xf32>
  return
}

// -----

func.func @differential_result(%x: tensor<?x64xf32>, %lambda: tensor<16xf32>, %weight: tensor<8xf32>, %depth: index) {
  // expected-error @+1 {{expected result of shape [?, 32], got [?, 64]}}
  %0 = samba.differential_norm %x, %lambda, %weight depth %depth pairs 2 {eps = 1.0e-5 : f32}
    : tensor<?x64xf32>, tensor<16xf32>, tensor<8xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @differential_eps(%x: tensor<?x64xf32>, %lambda: tensor<16xf32>, %weight: tensor<8xf32>, %depth: index) {
  // expected-error @+1 {{expected a positive eps, got -1.000000e+00 : f32}}
  %0 = samba.differential_norm %x, %lambda, %weight depth %depth pairs 2 {eps = -1.0 : f32}
    : tensor<?x64xf32>, tensor<16xf32>, tensor<8xf32> -> tensor<?x32xf32>
  return
}
