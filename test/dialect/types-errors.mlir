// RUN: samba-opt %s -split-input-file -verify-diagnostics

// expected-error @+1 {{expected positive sizes in a state, got 0}}
func.func private @f(!samba.state<0x4xf32>)

// -----

// expected-error @+1 {{expected at most 2^40 elements in a state}}
func.func private @f(!samba.state<4294967296x4294967296xf32>)

// -----

// expected-error @+1 {{expected at most 2^40 elements in a state}}
func.func private @f(!samba.state<1048576x1048577xf32>)

// -----

// expected-error @+1 {{expected a state of at least one dimension}}
func.func private @f(!samba.state<f32>)

// -----

// expected-error @+1 {{expected f32, bf16 or i8 elements in a state, got 'f64'}}
func.func private @f(!samba.state<3x4xf64>)

// -----

// expected-error @+1 {{expected static shape}}
func.func private @f(!samba.state<?x4xf32>)

// -----

// expected-error @+1 {{expected a panel width between 1 and 4096, got 0}}
func.func private @f(tensor<4x4xf32, #samba.layout<panel>>)

// -----

// expected-error @+1 {{expected a panel width between 1 and 4096, got 4097}}
func.func private @f(tensor<4x4xf32, #samba.layout<panel, 4097>>)

// -----

// expected-error @+1 {{expected no width in a transposed layout, got 16}}
func.func private @f(tensor<4x4xf32, #samba.layout<transposed, 16>>)

// -----

// expected-error @+1 {{expected 4 or 8 bits, got 5}}
func.func private @f(tensor<4x4xf32, #samba.quant<5, 32>>)

// -----

// expected-error @+1 {{expected a group of a multiple of 8 between 8 and 1024 elements, got 20}}
func.func private @f(tensor<4x4xf32, #samba.quant<8, 20>>)

// -----

// expected-error @+1 {{expected a panel width between 0 and 4096, got -1}}
func.func private @f(tensor<4x4xf32, #samba.quant<8, 32, -1>>)
