// RUN: samba-opt %s -split-input-file -samba-apply-numerics -verify-diagnostics
// RUN: not samba-opt %s -samba-apply-numerics=flags=attn_p=f64 2>&1 | FileCheck %s --check-prefix=OPTION
// OPTION: numerics: attn_p: expected f32 or model, found 'f64'

// expected-error @+1 {{numerics: residual: expected model or f32, found 'f64'}}
module attributes {samba.numerics = {residual = "f64"}} {}

// -----

// expected-error @+1 {{numerics: expected one of dtype, residual,}}
module attributes {samba.numerics = {speed = "high"}} {}

// -----

// expected-error @+1 {{numerics: dtype: expected a string}}
module attributes {samba.numerics = {dtype = 16 : i64}} {}

// -----

// expected-error @+1 {{numerics: expected a dictionary of flags}}
module attributes {samba.numerics = 3 : i64} {}
