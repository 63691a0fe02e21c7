// The operations along time: causal_conv1d, selective_scan, sliding_window_attention, cross_attention.
// RUN: samba-opt %s -split-input-file -verify-diagnostics

func.func @conv_x(%x: tensor<64xf32>, %weight: tensor<64x4xf32>, %bias: tensor<64xf32>, %segments: tensor<?xi64>, %state: !samba.state<3x64xf32>) {
  // expected-error @+1 {{expected x of shape [T, D], got [64]}}
  %0, %1 = samba.causal_conv1d %x, %weight bias %bias : tensor<64xf32> segments %segments state %state
    : tensor<64xf32>, tensor<64x4xf32>, tensor<?xi64>, !samba.state<3x64xf32>
  return
}

// -----

func.func @conv_dynamic_weight(%x: tensor<?x64xf32>, %weight: tensor<64x?xf32>, %bias: tensor<64xf32>, %segments: tensor<?xi64>, %state: !samba.state<3x64xf32>) {
  // expected-error @+1 {{expected weight of a static shape, got [64, ?]}}
  %0, %1 = samba.causal_conv1d %x, %weight bias %bias : tensor<64xf32> segments %segments state %state
    : tensor<?x64xf32>, tensor<64x?xf32>, tensor<?xi64>, !samba.state<3x64xf32>
  return
}

// -----

func.func @conv_weight(%x: tensor<?x64xf32>, %weight: tensor<4x64xf32>, %bias: tensor<64xf32>, %segments: tensor<?xi64>, %state: !samba.state<3x64xf32>) {
  // expected-error @+1 {{expected weight of shape [64, ?], got [4, 64]}}
  %0, %1 = samba.causal_conv1d %x, %weight bias %bias : tensor<64xf32> segments %segments state %state
    : tensor<?x64xf32>, tensor<4x64xf32>, tensor<?xi64>, !samba.state<3x64xf32>
  return
}

// -----

func.func @conv_taps(%x: tensor<?x64xf32>, %weight: tensor<64x1xf32>, %bias: tensor<64xf32>, %segments: tensor<?xi64>, %state: !samba.state<3x64xf32>) {
  // expected-error @+1 {{expected at least 2 taps, got 1}}
  %0, %1 = samba.causal_conv1d %x, %weight bias %bias : tensor<64xf32> segments %segments state %state
    : tensor<?x64xf32>, tensor<64x1xf32>, tensor<?xi64>, !samba.state<3x64xf32>
  return
}

// -----

func.func @conv_bias(%x: tensor<?x64xf32>, %weight: tensor<64x4xf32>, %bias: tensor<4xf32>, %segments: tensor<?xi64>, %state: !samba.state<3x64xf32>) {
  // expected-error @+1 {{expected bias of shape [64], got [4]}}
  %0, %1 = samba.causal_conv1d %x, %weight bias %bias : tensor<4xf32> segments %segments state %state
    : tensor<?x64xf32>, tensor<64x4xf32>, tensor<?xi64>, !samba.state<3x64xf32>
  return
}

// -----

func.func @conv_segments(%x: tensor<?x64xf32>, %weight: tensor<64x4xf32>, %bias: tensor<64xf32>, %segments: tensor<?x1xi64>, %state: !samba.state<3x64xf32>) {
  // expected-error @+1 {{expected segments of shape [?], got [?, 1]}}
  %0, %1 = samba.causal_conv1d %x, %weight bias %bias : tensor<64xf32> segments %segments state %state
    : tensor<?x64xf32>, tensor<64x4xf32>, tensor<?x1xi64>, !samba.state<3x64xf32>
  return
}

// -----

func.func @conv_state(%x: tensor<?x64xf32>, %weight: tensor<64x4xf32>, %bias: tensor<64xf32>, %segments: tensor<?xi64>, %state: !samba.state<4x64xf32>) {
  // expected-error @+1 {{expected state of shape [3, 64], got [4, 64]}}
  %0, %1 = samba.causal_conv1d %x, %weight bias %bias : tensor<64xf32> segments %segments state %state
    : tensor<?x64xf32>, tensor<64x4xf32>, tensor<?xi64>, !samba.state<4x64xf32>
  return
}

// -----

func.func @conv_state_rank(%x: tensor<?x64xf32>, %weight: tensor<64x4xf32>, %bias: tensor<64xf32>, %segments: tensor<?xi64>, %state: !samba.state<192xf32>) {
  // expected-error @+1 {{expected state of shape [3, 64], got [192]}}
  %0, %1 = samba.causal_conv1d %x, %weight bias %bias : tensor<64xf32> segments %segments state %state
    : tensor<?x64xf32>, tensor<64x4xf32>, tensor<?xi64>, !samba.state<192xf32>
  return
}

// -----

func.func @conv_state_elements(%x: tensor<?x64xf32>, %weight: tensor<64x4xf32>, %bias: tensor<64xf32>, %segments: tensor<?xi64>, %state: !samba.state<3x64xbf16>) {
  // expected-error @+1 {{expected state of f32, got 'bf16'}}
  %0, %1 = samba.causal_conv1d %x, %weight bias %bias : tensor<64xf32> segments %segments state %state
    : tensor<?x64xf32>, tensor<64x4xf32>, tensor<?xi64>, !samba.state<3x64xbf16>
  return
}

// -----

// A state that two operations consume could not be updated in place.
func.func @conv_state_uses(%x: tensor<?x64xf32>, %weight: tensor<64x4xf32>, %segments: tensor<?xi64>,
    %state: !samba.state<3x64xf32>) -> !samba.state<3x64xf32> {
  // expected-error @+1 {{expected state to have one use, because it is updated in place; it has 2}}
  %0, %1 = samba.causal_conv1d %x, %weight segments %segments state %state
    : tensor<?x64xf32>, tensor<64x4xf32>, tensor<?xi64>, !samba.state<3x64xf32>
  return %state : !samba.state<3x64xf32>
}

// -----

func.func @conv_result(%x: tensor<?x64xf32>, %weight: tensor<64x4xf32>, %segments: tensor<?xi64>,
    %state: !samba.state<3x64xf32>) {
  // expected-error @+2 {{failed to infer returned types}}
  // expected-error @+1 {{are incompatible with return type(s) of operation}}
  %0, %1 = "samba.causal_conv1d"(%x, %weight, %segments, %state)
    : (tensor<?x64xf32>, tensor<64x4xf32>, tensor<?xi64>, !samba.state<3x64xf32>)
    -> (tensor<?x64xf32>, !samba.state<4x64xf32>)
  return
}

// -----

func.func @scan_u(%u: tensor<64xf32>, %A: tensor<64x16xf32>, %B: tensor<?x16xf32>, %C: tensor<?x16xf32>, %D: tensor<64xf32>, %z: tensor<?x64xf32>, %b: tensor<64xf32>, %segments: tensor<?xi64>, %state: !samba.state<16x64xf32>) {
  // expected-error @+1 {{expected u of shape [T, D], got [64]}}
  %0, %1 = samba.selective_scan %u, %u, %A, %B, %C segments %segments state %state
    skip %D : tensor<64xf32> gate %z : tensor<?x64xf32> delta_bias %b : tensor<64xf32>
    : tensor<64xf32>, tensor<64x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<?xi64>, !samba.state<16x64xf32>
  return
}

// -----

func.func @scan_dynamic_A(%u: tensor<?x64xf32>, %A: tensor<64x?xf32>, %B: tensor<?x16xf32>, %C: tensor<?x16xf32>, %D: tensor<64xf32>, %z: tensor<?x64xf32>, %b: tensor<64xf32>, %segments: tensor<?xi64>, %state: !samba.state<16x64xf32>) {
  // expected-error @+1 {{expected A of a static shape, got [64, ?]}}
  %0, %1 = samba.selective_scan %u, %u, %A, %B, %C segments %segments state %state
    skip %D : tensor<64xf32> gate %z : tensor<?x64xf32> delta_bias %b : tensor<64xf32>
    : tensor<?x64xf32>, tensor<64x?xf32>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<?xi64>, !samba.state<16x64xf32>
  return
}

// -----

func.func @scan_A(%u: tensor<?x64xf32>, %A: tensor<16x64xf32>, %B: tensor<?x16xf32>, %C: tensor<?x16xf32>, %D: tensor<64xf32>, %z: tensor<?x64xf32>, %b: tensor<64xf32>, %segments: tensor<?xi64>, %state: !samba.state<16x64xf32>) {
  // expected-error @+1 {{expected A of shape [64, ?], got [16, 64]}}
  %0, %1 = samba.selective_scan %u, %u, %A, %B, %C segments %segments state %state
    skip %D : tensor<64xf32> gate %z : tensor<?x64xf32> delta_bias %b : tensor<64xf32>
    : tensor<?x64xf32>, tensor<16x64xf32>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<?xi64>, !samba.state<16x64xf32>
  return
}

// -----

func.func @scan_B(%u: tensor<?x64xf32>, %A: tensor<64x16xf32>, %B: tensor<?x8xf32>, %C: tensor<?x16xf32>, %D: tensor<64xf32>, %z: tensor<?x64xf32>, %b: tensor<64xf32>, %segments: tensor<?xi64>, %state: !samba.state<16x64xf32>) {
  // expected-error @+1 {{expected B of shape [?, 16], got [?, 8]}}
  %0, %1 = samba.selective_scan %u, %u, %A, %B, %C segments %segments state %state
    skip %D : tensor<64xf32> gate %z : tensor<?x64xf32> delta_bias %b : tensor<64xf32>
    : tensor<?x64xf32>, tensor<64x16xf32>, tensor<?x8xf32>, tensor<?x16xf32>, tensor<?xi64>, !samba.state<16x64xf32>
  return
}

// -----

func.func @scan_C(%u: tensor<?x64xf32>, %A: tensor<64x16xf32>, %B: tensor<?x16xf32>, %C: tensor<?x8xf32>, %D: tensor<64xf32>, %z: tensor<?x64xf32>, %b: tensor<64xf32>, %segments: tensor<?xi64>, %state: !samba.state<16x64xf32>) {
  // expected-error @+1 {{expected C of shape [?, 16], got [?, 8]}}
  %0, %1 = samba.selective_scan %u, %u, %A, %B, %C segments %segments state %state
    skip %D : tensor<64xf32> gate %z : tensor<?x64xf32> delta_bias %b : tensor<64xf32>
    : tensor<?x64xf32>, tensor<64x16xf32>, tensor<?x16xf32>, tensor<?x8xf32>, tensor<?xi64>, !samba.state<16x64xf32>
  return
}

// -----

func.func @scan_C_tokens(%u: tensor<4x64xf32>, %A: tensor<64x16xf32>, %B: tensor<?x16xf32>, %C: tensor<5x16xf32>, %D: tensor<64xf32>, %z: tensor<4x64xf32>, %b: tensor<64xf32>, %segments: tensor<?xi64>, %state: !samba.state<16x64xf32>) {
  // expected-error @+1 {{expected C of shape [4, 16], got [5, 16]}}
  %0, %1 = samba.selective_scan %u, %u, %A, %B, %C segments %segments state %state
    skip %D : tensor<64xf32> gate %z : tensor<4x64xf32> delta_bias %b : tensor<64xf32>
    : tensor<4x64xf32>, tensor<64x16xf32>, tensor<?x16xf32>, tensor<5x16xf32>, tensor<?xi64>, !samba.state<16x64xf32>
  return
}

// -----

func.func @scan_dynamic_B(%u: tensor<?x64xf32>, %A: tensor<64x16xf32>, %B: tensor<?x?xf32>, %C: tensor<?x16xf32>, %D: tensor<64xf32>, %z: tensor<?x64xf32>, %b: tensor<64xf32>, %segments: tensor<?xi64>, %state: !samba.state<16x64xf32>) {
  // expected-error @+1 {{expected B of a static positive width, got [?, ?]}}
  %0, %1 = samba.selective_scan %u, %u, %A, %B, %C segments %segments state %state
    skip %D : tensor<64xf32> gate %z : tensor<?x64xf32> delta_bias %b : tensor<64xf32>
    : tensor<?x64xf32>, tensor<64x16xf32>, tensor<?x?xf32>, tensor<?x16xf32>, tensor<?xi64>, !samba.state<16x64xf32>
  return
}

// -----

func.func @scan_dynamic_C(%u: tensor<?x64xf32>, %A: tensor<64x16xf32>, %B: tensor<?x16xf32>, %C: tensor<?x?xf32>, %D: tensor<64xf32>, %z: tensor<?x64xf32>, %b: tensor<64xf32>, %segments: tensor<?xi64>, %state: !samba.state<16x64xf32>) {
  // expected-error @+1 {{expected C of a static positive width, got [?, ?]}}
  %0, %1 = samba.selective_scan %u, %u, %A, %B, %C segments %segments state %state
    skip %D : tensor<64xf32> gate %z : tensor<?x64xf32> delta_bias %b : tensor<64xf32>
    : tensor<?x64xf32>, tensor<64x16xf32>, tensor<?x16xf32>, tensor<?x?xf32>, tensor<?xi64>, !samba.state<16x64xf32>
  return
}

// -----

func.func @scan_D(%u: tensor<?x64xf32>, %A: tensor<64x16xf32>, %B: tensor<?x16xf32>, %C: tensor<?x16xf32>, %D: tensor<16xf32>, %z: tensor<?x64xf32>, %b: tensor<64xf32>, %segments: tensor<?xi64>, %state: !samba.state<16x64xf32>) {
  // expected-error @+1 {{expected D of shape [64], got [16]}}
  %0, %1 = samba.selective_scan %u, %u, %A, %B, %C segments %segments state %state
    skip %D : tensor<16xf32> gate %z : tensor<?x64xf32> delta_bias %b : tensor<64xf32>
    : tensor<?x64xf32>, tensor<64x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<?xi64>, !samba.state<16x64xf32>
  return
}

// -----

func.func @scan_delta_bias(%u: tensor<?x64xf32>, %A: tensor<64x16xf32>, %B: tensor<?x16xf32>, %C: tensor<?x16xf32>, %D: tensor<64xf32>, %z: tensor<?x64xf32>, %b: tensor<16xf32>, %segments: tensor<?xi64>, %state: !samba.state<16x64xf32>) {
  // expected-error @+1 {{expected delta_bias of shape [64], got [16]}}
  %0, %1 = samba.selective_scan %u, %u, %A, %B, %C segments %segments state %state
    skip %D : tensor<64xf32> gate %z : tensor<?x64xf32> delta_bias %b : tensor<16xf32>
    : tensor<?x64xf32>, tensor<64x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<?xi64>, !samba.state<16x64xf32>
  return
}

// -----

func.func @scan_z(%u: tensor<?x64xf32>, %A: tensor<64x16xf32>, %B: tensor<?x16xf32>, %C: tensor<?x16xf32>, %D: tensor<64xf32>, %z: tensor<?x16xf32>, %b: tensor<64xf32>, %segments: tensor<?xi64>, %state: !samba.state<16x64xf32>) {
  // expected-error @+1 {{expected z of shape [?, 64], got [?, 16]}}
  %0, %1 = samba.selective_scan %u, %u, %A, %B, %C segments %segments state %state
    skip %D : tensor<64xf32> gate %z : tensor<?x16xf32> delta_bias %b : tensor<64xf32>
    : tensor<?x64xf32>, tensor<64x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<?xi64>, !samba.state<16x64xf32>
  return
}

// -----

func.func @scan_segments(%u: tensor<?x64xf32>, %A: tensor<64x16xf32>, %B: tensor<?x16xf32>, %C: tensor<?x16xf32>, %D: tensor<64xf32>, %z: tensor<?x64xf32>, %b: tensor<64xf32>, %segments: tensor<i64>, %state: !samba.state<16x64xf32>) {
  // expected-error @+1 {{expected segments of shape [?], got []}}
  %0, %1 = samba.selective_scan %u, %u, %A, %B, %C segments %segments state %state
    skip %D : tensor<64xf32> gate %z : tensor<?x64xf32> delta_bias %b : tensor<64xf32>
    : tensor<?x64xf32>, tensor<64x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<i64>, !samba.state<16x64xf32>
  return
}

// -----

func.func @scan_state(%u: tensor<?x64xf32>, %A: tensor<64x16xf32>, %B: tensor<?x16xf32>, %C: tensor<?x16xf32>, %D: tensor<64xf32>, %z: tensor<?x64xf32>, %b: tensor<64xf32>, %segments: tensor<?xi64>, %state: !samba.state<64x16xf32>) {
  // expected-error @+1 {{expected state of shape [16, 64], got [64, 16]}}
  %0, %1 = samba.selective_scan %u, %u, %A, %B, %C segments %segments state %state
    skip %D : tensor<64xf32> gate %z : tensor<?x64xf32> delta_bias %b : tensor<64xf32>
    : tensor<?x64xf32>, tensor<64x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<?xi64>, !samba.state<64x16xf32>
  return
}

// -----

func.func @scan_state_elements(%u: tensor<?x64xf32>, %A: tensor<64x16xf32>, %B: tensor<?x16xf32>, %C: tensor<?x16xf32>, %D: tensor<64xf32>, %z: tensor<?x64xf32>, %b: tensor<64xf32>, %segments: tensor<?xi64>, %state: !samba.state<16x64xi8>) {
  // expected-error @+1 {{expected state of f32, got 'i8'}}
  %0, %1 = samba.selective_scan %u, %u, %A, %B, %C segments %segments state %state
    skip %D : tensor<64xf32> gate %z : tensor<?x64xf32> delta_bias %b : tensor<64xf32>
    : tensor<?x64xf32>, tensor<64x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<?xi64>, !samba.state<16x64xi8>
  return
}

// -----

func.func @scan_state_uses(%u: tensor<?x64xf32>, %A: tensor<64x16xf32>, %B: tensor<?x16xf32>, %segments: tensor<?xi64>,
    %state: !samba.state<16x64xf32>) -> !samba.state<16x64xf32> {
  // expected-error @+1 {{expected state to have one use, because it is updated in place; it has 2}}
  %0, %1 = samba.selective_scan %u, %u, %A, %B, %B segments %segments state %state
    : tensor<?x64xf32>, tensor<64x16xf32>, tensor<?x16xf32>, tensor<?x16xf32>, tensor<?xi64>, !samba.state<16x64xf32>
  return %state : !samba.state<16x64xf32>
}

// -----

func.func @attention_state(%q: tensor<?x64xf32>, %k: tensor<?x32xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %keys: !samba.state<8x32xf32>, %values: !samba.state<8x32xf32>) {
  // expected-error @+1 {{expected states of shape [?, ?, ?], got [8, 32]}}
  %0, %1, %2 = samba.sliding_window_attention %q, %k, %k segments %segments positions %positions state %keys, %values
    {window = 8 : i64} : tensor<?x64xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<8x32xf32>
  return
}

// -----

func.func @attention_q(%q: tensor<64xf32>, %k: tensor<?x32xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %keys: !samba.state<2x8x16xf32>, %values: !samba.state<2x8x16xf32>) {
  // expected-error @+1 {{expected q of shape [T, D], got [64]}}
  %0, %1, %2 = samba.sliding_window_attention %q, %k, %k segments %segments positions %positions state %keys, %values
    {window = 8 : i64} : tensor<64xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x16xf32>
  return
}

// -----

func.func @attention_k_rank(%q: tensor<?x64xf32>, %k: tensor<32xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %keys: !samba.state<2x8x16xf32>, %values: !samba.state<2x8x16xf32>) {
  // expected-error @+1 {{expected k and v of shape [T, D], got [32]}}
  %0, %1, %2 = samba.sliding_window_attention %q, %k, %k segments %segments positions %positions state %keys, %values
    {window = 8 : i64} : tensor<?x64xf32>, tensor<32xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x16xf32>
  return
}

// -----

func.func @attention_k(%q: tensor<?x64xf32>, %k: tensor<?x64xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %keys: !samba.state<2x8x16xf32>, %values: !samba.state<2x8x16xf32>) {
  // expected-error @+1 {{expected k and v of shape [?, 32], got [?, 64]}}
  %0, %1, %2 = samba.sliding_window_attention %q, %k, %k segments %segments positions %positions state %keys, %values
    {window = 8 : i64} : tensor<?x64xf32>, tensor<?x64xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x16xf32>
  return
}

// -----

func.func @attention_k_tokens(%q: tensor<4x64xf32>, %k: tensor<5x32xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %keys: !samba.state<2x8x16xf32>, %values: !samba.state<2x8x16xf32>) {
  // expected-error @+1 {{expected k and v of shape [4, 32], got [5, 32]}}
  %0, %1, %2 = samba.sliding_window_attention %q, %k, %k segments %segments positions %positions state %keys, %values
    {window = 8 : i64} : tensor<4x64xf32>, tensor<5x32xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x16xf32>
  return
}

// -----

func.func @attention_heads(%q: tensor<?x48xf32>, %k: tensor<?x32xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %keys: !samba.state<2x8x16xf32>, %values: !samba.state<2x8x16xf32>) {
  // expected-error @+1 {{expected the width of q to be a multiple of 32 (2 key/value heads of 16 lanes), got 48}}
  %0, %1, %2 = samba.sliding_window_attention %q, %k, %k segments %segments positions %positions state %keys, %values
    {window = 8 : i64} : tensor<?x48xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x16xf32>
  return
}

// -----

func.func @attention_window_sign(%q: tensor<?x64xf32>, %k: tensor<?x32xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %keys: !samba.state<2x8x16xf32>, %values: !samba.state<2x8x16xf32>) {
  // expected-error @+1 {{expected a positive window, got -1}}
  %0, %1, %2 = samba.sliding_window_attention %q, %k, %k segments %segments positions %positions state %keys, %values
    {window = -1 : i64} : tensor<?x64xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x16xf32>
  return
}

// -----

func.func @attention_window(%q: tensor<?x64xf32>, %k: tensor<?x32xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %keys: !samba.state<2x8x16xf32>, %values: !samba.state<2x8x16xf32>) {
  // expected-error @+1 {{expected as many ring slots as the window, 4, got 8}}
  %0, %1, %2 = samba.sliding_window_attention %q, %k, %k segments %segments positions %positions state %keys, %values
    {window = 4 : i64} : tensor<?x64xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x16xf32>
  return
}

// -----

func.func @attention_segments(%q: tensor<?x64xf32>, %k: tensor<?x32xf32>, %segments: tensor<?x1xi64>, %positions: tensor<?xi64>, %keys: !samba.state<2x8x16xf32>, %values: !samba.state<2x8x16xf32>) {
  // expected-error @+1 {{expected segments of shape [?], got [?, 1]}}
  %0, %1, %2 = samba.sliding_window_attention %q, %k, %k segments %segments positions %positions state %keys, %values
    {window = 8 : i64} : tensor<?x64xf32>, tensor<?x32xf32>, tensor<?x1xi64>, tensor<?xi64>, !samba.state<2x8x16xf32>
  return
}

// -----

func.func @attention_positions(%q: tensor<?x64xf32>, %k: tensor<?x32xf32>, %segments: tensor<?xi64>, %positions: tensor<?x1xi64>, %keys: !samba.state<2x8x16xf32>, %values: !samba.state<2x8x16xf32>) {
  // expected-error @+1 {{expected positions of shape [?], got [?, 1]}}
  %0, %1, %2 = samba.sliding_window_attention %q, %k, %k segments %segments positions %positions state %keys, %values
    {window = 8 : i64} : tensor<?x64xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?x1xi64>, !samba.state<2x8x16xf32>
  return
}

// -----

func.func @attention_key_uses(%q: tensor<?x32xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>,
    %keys: !samba.state<2x8x16xf32>, %values: !samba.state<2x8x16xf32>) -> !samba.state<2x8x16xf32> {
  // expected-error @+1 {{expected key_state to have one use, because it is updated in place; it has 2}}
  %0, %1, %2 = samba.sliding_window_attention %q, %q, %q segments %segments positions %positions state %keys, %values
    : tensor<?x32xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x16xf32>
  return %keys : !samba.state<2x8x16xf32>
}

// -----

func.func @attention_value_uses(%q: tensor<?x32xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>,
    %keys: !samba.state<2x8x16xf32>, %values: !samba.state<2x8x16xf32>) -> !samba.state<2x8x16xf32> {
  // expected-error @+1 {{expected value_state to have one use, because it is updated in place; it has 2}}
  %0, %1, %2 = samba.sliding_window_attention %q, %q, %q segments %segments positions %positions state %keys, %values
    : tensor<?x32xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x16xf32>
  return %values : !samba.state<2x8x16xf32>
}

// -----

func.func @attention_bf16_states(%q: tensor<?x32xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %keys: !samba.state<2x8x16xbf16>, %values: !samba.state<2x8x16xbf16>) {
  // expected-error @+1 {{expected k and v as the states hold them, 'tensor<?x32xbf16>', got 'tensor<?x32xf32>'}}
  %0, %1, %2 = samba.sliding_window_attention %q, %q, %q segments %segments positions %positions state %keys, %values
    {window = 8 : i64} : tensor<?x32xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x16xbf16>
  return
}

// -----

func.func @attention_value_slots(%q: tensor<?x32xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>,
    %keys: !samba.state<2x8x16xf32>, %values: !samba.state<1x4x32xf32>) {
  // expected-error @+1 {{expected the value state of shape [?, 8, ?], got [1, 4, 32]}}
  %0, %1, %2 = samba.sliding_window_attention %q, %q, %q segments %segments positions %positions state %keys, %values
    : tensor<?x32xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x16xf32>,
    !samba.state<1x4x32xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @attention_f32_states(%q: tensor<?x32xf32>, %k: tensor<?x32xbf16>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %keys: !samba.state<2x8x16xf32>, %values: !samba.state<2x8x16xf32>) {
  // expected-error @+1 {{expected k and v as the states hold them, 'tensor<?x32xf32>', got 'tensor<?x32xbf16>'}}
  %0, %1, %2 = samba.sliding_window_attention %q, %k, %k segments %segments positions %positions state %keys, %values
    {window = 8 : i64} : tensor<?x32xf32>, tensor<?x32xbf16>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x16xf32>
  return
}

// -----

// One scale for both heads.
func.func @attention_group(%q: tensor<?x32xf32>, %k: tensor<?x32xf32, #samba.quant<8, 32>>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %keys: !samba.state<2x8x16xi8>, %values: !samba.state<2x8x16xi8>) {
  // expected-error @+1 {{expected k and v as the states hold them, 'tensor<?x32xf32, #samba.quant<8, 16>>', got 'tensor<?x32xf32, #samba.quant<8, 32>>'}}
  %0, %1, %2 = samba.sliding_window_attention %q, %k, %k segments %segments positions %positions state %keys, %values
    {window = 8 : i64} : tensor<?x32xf32>, tensor<?x32xf32, #samba.quant<8, 32>>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x16xi8>
  return
}

// -----

func.func @attention_odd_heads(%q: tensor<?x12xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %keys: !samba.state<1x8x12xi8>, %values: !samba.state<1x8x12xi8>) {
  // expected-error @+1 {{expected heads of a multiple of 8 lanes between 8 and 1024 for states of i8, got 12}}
  %0, %1, %2 = samba.sliding_window_attention %q, %q, %q segments %segments positions %positions state %keys, %values
    {window = 8 : i64} : tensor<?x12xf32>, tensor<?x12xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<1x8x12xi8>
  return
}

// -----

func.func @attention_value_heads(%q: tensor<?x32xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>,
    %keys: !samba.state<2x8x16xf32>, %values: !samba.state<2x8x32xf32>) {
  // expected-error @+1 {{expected a value state of heads that hold one or several of 2 key heads of 16 lanes, got '!samba.state<2x8x32xf32>'}}
  %0, %1, %2 = samba.sliding_window_attention %q, %q, %q segments %segments positions %positions state %keys, %values
    : tensor<?x32xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x16xf32>,
    !samba.state<2x8x32xf32> -> tensor<?x64xf32>
  return
}

// -----

func.func @attention_result(%q: tensor<?x32xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>,
    %keys: !samba.state<2x8x16xf32>, %values: !samba.state<1x8x32xf32>) {
  // expected-error @+1 {{expected result of shape [?, 64], got [?, 32]}}
  %0, %1, %2 = samba.sliding_window_attention %q, %q, %q segments %segments positions %positions state %keys, %values
    : tensor<?x32xf32>, tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x16xf32>,
    !samba.state<1x8x32xf32> -> tensor<?x32xf32>
  return
}

// -----

func.func @cross_rows(%q: tensor<4x32xf32>, %rows: tensor<5xi64>, %segments: tensor<?xi64>, %positions: tensor<?xi64>,
    %keys: !samba.state<2x8x16xf32>, %values: !samba.state<2x8x16xf32>) {
  // expected-error @+1 {{expected rows of shape [4], got [5]}}
  %0, %1, %2 = samba.cross_attention %q rows %rows segments %segments positions %positions state %keys, %values
    : tensor<4x32xf32>, tensor<5xi64>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x16xf32>
  return
}

// -----

func.func @cross_heads(%q: tensor<?x48xf32>, %rows: tensor<?xi64>, %segments: tensor<?xi64>, %positions: tensor<?xi64>,
    %keys: !samba.state<2x8x16xf32>, %values: !samba.state<2x8x16xf32>) {
  // expected-error @+1 {{expected the width of q to be a multiple of 32 (2 key/value heads of 16 lanes), got 48}}
  %0, %1, %2 = samba.cross_attention %q rows %rows segments %segments positions %positions state %keys, %values
    : tensor<?x48xf32>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x16xf32>
  return
}

// -----

func.func @cross_key_uses(%q: tensor<?x32xf32>, %rows: tensor<?xi64>, %segments: tensor<?xi64>,
    %positions: tensor<?xi64>, %keys: !samba.state<2x8x16xf32>, %values: !samba.state<2x8x16xf32>)
    -> !samba.state<2x8x16xf32> {
  // expected-error @+1 {{expected key_state to have one use, because it is updated in place; it has 2}}
  %0, %1, %2 = samba.cross_attention %q rows %rows segments %segments positions %positions state %keys, %values
    : tensor<?x32xf32>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x16xf32>
  return %keys : !samba.state<2x8x16xf32>
}

// -----

func.func @attention_shared_integers(%q: tensor<?x16xf32>, %k: tensor<?x16xf32, #samba.quant<8, 8>>,
    %segments: tensor<?xi64>, %positions: tensor<?xi64>, %keys: !samba.state<2x8x8xi8>, %values: !samba.state<1x8x16xi8>) {
  // expected-error @+1 {{expected one value head for each of 2 key heads in states of i8, got 1}}
  %0, %1, %2 = samba.sliding_window_attention %q, %k, %k segments %segments positions %positions state %keys, %values
    : tensor<?x16xf32>, tensor<?x16xf32, #samba.quant<8, 8>>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x8x8xi8>,
    !samba.state<1x8x16xi8> -> tensor<?x32xf32>
  return
}
