// RUN: samba-opt %s -split-input-file -verify-diagnostics -samba-quantize-kv=type=int8
// RUN: not samba-opt %S/Inputs/empty.mlir -samba-quantize-kv=type=int4 2>&1 | FileCheck %s --check-prefix=OPTION
// OPTION: error: expected keys and values of type f32, bf16 or int8, got 'int4'

func.func @heads(%q: tensor<?x12xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>,
    %keys: !samba.state<1x4x12xf32>, %values: !samba.state<1x4x12xf32>)
    -> (tensor<?x12xf32>, !samba.state<1x4x12xf32>, !samba.state<1x4x12xf32>) {
  // expected-error @+1 {{expected heads of a multiple of 8 lanes between 8 and 1024 for keys and values of int8, got 12}}
  %y, %nk, %nv = samba.sliding_window_attention %q, %q, %q segments %segments positions %positions
    state %keys, %values {window = 4 : i64}
    : tensor<?x12xf32>, tensor<?x12xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<1x4x12xf32>
  return %y, %nk, %nv : tensor<?x12xf32>, !samba.state<1x4x12xf32>, !samba.state<1x4x12xf32>
}

// -----

// What a function without a body does with a ring is not known.
func.func private @elsewhere(!samba.state<1x4x8xf32>)
func.func @other_use(%q: tensor<?x8xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>,
    %keys: !samba.state<1x4x8xf32>, %values: !samba.state<1x4x8xf32>) -> tensor<?x8xf32> {
  %y, %nk, %nv = samba.sliding_window_attention %q, %q, %q segments %segments positions %positions
    state %keys, %values {window = 4 : i64}
    : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<1x4x8xf32>
  // expected-error @+1 {{expected only attention, kernels and calls of functions of samba IR to pass keys and values on, got func.call}}
  call @elsewhere(%nk) : (!samba.state<1x4x8xf32>) -> ()
  return %y : tensor<?x8xf32>
}

// -----

func.func @wide_values(%q: tensor<?x16xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>,
    %keys: !samba.state<2x4x8xf32>, %values: !samba.state<1x4x16xf32>) -> tensor<?x32xf32> {
  // expected-error @+1 {{expected values as wide as keys for keys and values of int8, got 16 lanes and 8}}
  %y, %nk, %nv = samba.sliding_window_attention %q, %q, %q segments %segments positions %positions state %keys, %values
    : tensor<?x16xf32>, tensor<?x16xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x4x8xf32>,
    !samba.state<1x4x16xf32> -> tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}
