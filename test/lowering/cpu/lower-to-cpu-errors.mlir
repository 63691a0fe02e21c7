// REQUIRES: x86_64
// RUN: samba-opt %s -split-input-file -verify-diagnostics -samba-lower-to-cpu=target=x86-64-v3
// RUN: not samba-opt %S/../../passes/Inputs/empty.mlir -samba-lower-to-cpu=target=pentium 2>&1 | FileCheck %s
// CHECK: error: CPU 'pentium' is not supported: AVX2 and FMA are needed (x86-64-v3)

// expected-error @+1 {{expected a samba.offset on argument 1 of type '!samba.state<3x24xf32>' (run samba-plan-memory)}}
func.func @state_without_place(%x: tensor<?x24xf32>, %state: !samba.state<3x24xf32>) -> !samba.state<3x24xf32> {
  return %state : !samba.state<3x24xf32>
}

// -----

samba.weight @norm from "norm" : tensor<8xf32>
func.func @weight_without_place(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{expected an offset on 'norm' (run samba-plan-memory)}}
  %norm = samba.load_weight @norm : tensor<8xf32>
  %y = samba.rms_norm %x, %norm {eps = 1.0e-5 : f32} : tensor<?x8xf32>, tensor<8xf32>
  return %y : tensor<?x8xf32>
}

// -----

samba.weight @matrix from "matrix" {offset = 0 : i64} : tensor<40x8xf32>
func.func @matrix_not_in_panels(%x: tensor<?x8xf32>) -> tensor<?x40xf32> {
  %matrix = samba.load_weight @matrix : tensor<40x8xf32>
  // expected-error-re @+1 {{expected the weight in {{.*}}panel{{.*}}, got 'tensor<40x8xf32>' (run samba-pack-weights)}}
  %y = samba.linear %x, %matrix : tensor<?x8xf32>, tensor<40x8xf32> -> tensor<?x40xf32>
  return %y : tensor<?x40xf32>
}

// -----

samba.weight @taps from "taps" {offset = 0 : i64} : tensor<24x4xf32>
func.func @taps_not_transposed(%x: tensor<?x24xf32>, %segments: tensor<?xi64>,
    %state: !samba.state<3x24xf32> {samba.offset = 0 : i64}) -> (tensor<?x24xf32>, !samba.state<3x24xf32>) {
  %taps = samba.load_weight @taps : tensor<24x4xf32>
  // expected-error @+1 {{expected the weight in the layout transposed, got 'tensor<24x4xf32>' (run samba-pack-weights)}}
  %y, %new = samba.causal_conv1d %x, %taps segments %segments state %state
    : tensor<?x24xf32>, tensor<24x4xf32>, tensor<?xi64>, !samba.state<3x24xf32>
  return %y, %new : tensor<?x24xf32>, !samba.state<3x24xf32>
}

// -----

samba.weight @A from "A" {offset = 0 : i64} : tensor<24x4xf32>
func.func @A_not_transposed(%u: tensor<?x24xf32>, %B: tensor<?x4xf32>, %segments: tensor<?xi64>,
    %state: !samba.state<4x24xf32> {samba.offset = 0 : i64}) -> (tensor<?x24xf32>, !samba.state<4x24xf32>) {
  %A = samba.load_weight @A : tensor<24x4xf32>
  // expected-error @+1 {{expected A in the layout transposed, got 'tensor<24x4xf32>' (run samba-pack-weights)}}
  %y, %new = samba.selective_scan %u, %u, %A, %B, %B segments %segments state %state
    : tensor<?x24xf32>, tensor<24x4xf32>, tensor<?x4xf32>, tensor<?x4xf32>, tensor<?xi64>, !samba.state<4x24xf32>
  return %y, %new : tensor<?x24xf32>, !samba.state<4x24xf32>
}

// -----

func.func @unknown_operation(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  // expected-error @+1 {{'arith.divf' op has no lowering to the CPU}}
  %y = arith.divf %x, %x : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

func.func @addition_of_no_rows(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  // expected-error @+1 {{expected rows of activations, got 'tensor<4x8xf32>'}}
  %y = arith.addf %x, %x : tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

func.func @slice_of_rows(%x: tensor<?x8xf32>) -> tensor<4x8xf32> {
  // expected-error @+1 {{expected a slice of columns of a matrix of rows}}
  %y = tensor.extract_slice %x[0, 0] [4, 8] [1, 1] : tensor<?x8xf32> to tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

func.func private @block(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = arith.addf %x, %x : tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}
func.func @slice_to_a_call(%x: tensor<?x16xf32>) -> tensor<?x8xf32> {
  %zero = arith.constant 0 : index
  %rows = tensor.dim %x, %zero : tensor<?x16xf32>
  %left = tensor.extract_slice %x[0, 0] [%rows, 8] [1, 1] : tensor<?x16xf32> to tensor<?x8xf32>
  // expected-error @+1 {{expected a dense argument, got a slice of columns}}
  %y = call @block(%left) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

func.func private @block(%segments: tensor<?xi64>) -> tensor<?x16xf32> {
  %y = samba.rotary_table %segments, %segments {theta = 1.0 : f64} : tensor<?xi64>, tensor<?xi64> -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}
func.func @call_without_rows(%segments: tensor<?xi64>) -> tensor<?x16xf32> {
  // expected-error @+1 {{expected a matrix among the arguments, to know the rows of the result}}
  %y = call @block(%segments) : (tensor<?xi64>) -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}

// -----

func.func @call_swaps_states(%x: tensor<?x8xf32>, %0: !samba.state<3x8xf32> {samba.offset = 0 : i64},
    %1: !samba.state<4x8xf32> {samba.offset = 128 : i64}) {
  // expected-error @+1 {{expected to return its states in the order of its arguments}}
  %new:2 = call @block(%x, %0, %1) : (tensor<?x8xf32>, !samba.state<3x8xf32>, !samba.state<4x8xf32>)
    -> (!samba.state<4x8xf32>, !samba.state<3x8xf32>)
  return
}
func.func private @block(%x: tensor<?x8xf32>, %0: !samba.state<3x8xf32>, %1: !samba.state<4x8xf32>)
    -> (!samba.state<4x8xf32>, !samba.state<3x8xf32>) {
  return %1, %0 : !samba.state<4x8xf32>, !samba.state<3x8xf32>
}

// -----

func.func @states_swapped(%0: !samba.state<3x8xf32> {samba.offset = 0 : i64},
    %1: !samba.state<3x8xf32> {samba.offset = 128 : i64}) -> (!samba.state<3x8xf32>, !samba.state<3x8xf32>) {
  // expected-error @+1 {{expected to return the states in the order of the arguments}}
  return %1, %0 : !samba.state<3x8xf32>, !samba.state<3x8xf32>
}

// -----

func.func @probe_of_a_slice(%x: tensor<?x16xf32>) {
  %zero = arith.constant 0 : index
  %rows = tensor.dim %x, %zero : tensor<?x16xf32>
  %left = tensor.extract_slice %x[0, 0] [%rows, 8] [1, 1] : tensor<?x16xf32> to tensor<?x8xf32>
  // expected-error @+1 {{expected in a public function, on a value that is no slice}}
  samba.probe %left, "left", 0 : tensor<?x8xf32>
  return
}

// -----

func.func private @block(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{expected in a public function, on a value that is no slice}}
  samba.probe %x, "inside", 0 : tensor<?x8xf32>
  return
}
func.func @probe_in_a_private_function(%x: tensor<?x8xf32>) {
  call @block(%x) : (tensor<?x8xf32>) -> ()
  return
}

// -----

// expected-error @+1 {{expected no recursion}}
func.func private @block(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %y = call @block(%x) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %y : tensor<?x8xf32>
}

// -----

func.func private @elsewhere(%x: tensor<?x8xf32>)
func.func @call_of_a_declaration(%x: tensor<?x8xf32>) {
  // expected-error @+1 {{expected 'elsewhere' to be a private function of samba IR}}
  call @elsewhere(%x) : (tensor<?x8xf32>) -> ()
  return
}
