// RUN: samba-opt %s -split-input-file -verify-diagnostics | samba-opt -split-input-file | FileCheck %s
// RUN: samba-opt %s -split-input-file -verify-diagnostics -o /dev/null

// CHECK: samba.weight @several from ["a" : 2, "b" : 1] : tensor<3x4xf32>
samba.weight @several from ["a" : 2, "b" : 1] : tensor<3x4xf32>
// CHECK: samba.weight @vector from ["a" : 2, "b" : 3] transform neg_exp : tensor<5xf32>
samba.weight @vector from ["a" : 2, "b" : 3] transform neg_exp : tensor<5xf32>
// CHECK: samba.weight @one from ["a" : 3] : tensor<3x4xf32>
samba.weight @one from ["a" : 3] : tensor<3x4xf32>
// CHECK: samba.weight @rows from ["a" at 2 : 2, "b" : 1, "a" at 0 : 1] : tensor<4x4xf32>
samba.weight @rows from ["a" at 2 : 2, "b" : 1, "a" at 0 : 1] : tensor<4x4xf32>
// CHECK: samba.weight @slice from ["a" at 5 : 3] : tensor<3x4xf32>
samba.weight @slice from ["a" at 5 : 3] : tensor<3x4xf32>

// -----

// expected-error @+1 {{expected a first row that is not negative}}
samba.weight @negative_row from ["a" at -1 : 3] : tensor<3x4xf32>

// -----

// expected-error @+1 {{expected first rows between 0 and 2^40, got 9223372036854775807}}
samba.weight @huge_row from ["a" at 9223372036854775807 : 3] : tensor<3x4xf32>

// -----

// expected-error @+1 {{expected first rows for each of 1 sources, got 2}}
"samba.weight"() {sym_name = "w", source = "a", source_rows = array<i64: 3>, source_first = array<i64: 1, 2>, type = tensor<3x4xf32>} : () -> ()

// -----

// expected-error @+1 {{expected rows for each of 1 sources, got 0}}
"samba.weight"() {sym_name = "w", source = "a", source_first = array<i64: 1>, type = tensor<3x4xf32>} : () -> ()

// -----

// expected-error @+1 {{expected sources with 3 rows together, got [2, 2]}}
samba.weight @too_many from ["a" : 2, "b" : 2] : tensor<3x4xf32>

// -----

// expected-error @+1 {{expected sources with 3 rows together, got [1, 1]}}
samba.weight @too_few from ["a" : 1, "b" : 1] : tensor<3x4xf32>

// -----

// expected-error @+1 {{expected sources with 3 rows together, got [3, 0]}}
samba.weight @none from ["a" : 3, "b" : 0] : tensor<3x4xf32>

// -----

// expected-error @+1 {{expected sources with 3 rows together, got [-9223372036854775807, 2]}}
samba.weight @negative from ["a" : -9223372036854775807, "b" : 2] : tensor<3x4xf32>

// -----

// expected-error @+1 {{expected rows for each of 2 sources, got 0}}
"samba.weight"() {sym_name = "w", source = "a", more_sources = ["b"], type = tensor<3x4xf32>} : () -> ()

// -----

// expected-error @+1 {{expected rows for each of 1 sources, got 2}}
"samba.weight"() {sym_name = "w", source = "a", source_rows = array<i64: 1, 2>, type = tensor<3x4xf32>} : () -> ()
