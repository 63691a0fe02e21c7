// With all flags at their defaults the module stays as it is; each flag changes what it names.
// RUN: samba-opt %s -samba-apply-numerics | FileCheck %s --check-prefix=DEFAULT
// RUN: samba-opt %s -samba-apply-numerics=flags=dtype=bf16 | FileCheck %s --check-prefix=BF16
// RUN: samba-opt %s -samba-apply-numerics=flags=dtype=bf16,residual=f32 | FileCheck %s --check-prefix=RESIDUAL
// RUN: samba-opt %s -samba-apply-numerics=flags=dtype=bf16,residual=f32,norm_input=model | FileCheck %s --check-prefix=INPUT
// RUN: samba-opt %s -samba-apply-numerics=flags=dtype=bf16,norm_cast=hf | FileCheck %s --check-prefix=CAST
// RUN: samba-opt %s -samba-apply-numerics=flags=dtype=bf16,rope_table=f32 | FileCheck %s --check-prefix=WIDETABLES
// RUN: samba-opt %s -samba-apply-numerics=flags=dtype=bf16,logits=f32 | FileCheck %s --check-prefix=WIDEOUTPUT
// RUN: samba-opt %s -samba-apply-numerics=flags=dt_bias=fused | FileCheck %s --check-prefix=BIAS
// RUN: samba-opt %s -samba-apply-numerics=flags=gate_on=rounded | FileCheck %s --check-prefix=GATE
// RUN: samba-opt %s -samba-apply-numerics=flags=ssm_state=bf16,ssm_param_round=bf16 | FileCheck %s --check-prefix=STATE
// RUN: samba-opt %s -samba-apply-numerics=flags=softplus=log,rope_angle=f32,norm_offset=1 | FileCheck %s --check-prefix=FORMULA
// RUN: samba-opt %s -samba-apply-numerics=flags=dtype=bf16,scan_out=model,rope_math=model,attn_p=model | FileCheck %s --check-prefix=INSIDE
// RUN: samba-opt %s -samba-apply-numerics=flags=scan_out=model,rope_math=model,attn_p=model | FileCheck %s --check-prefix=DEFAULT

// FORMULA: samba.weight @w from "w" : tensor<4x4xf32>
// FORMULA: samba.weight @offset from "offset" {samba.plus_one} : tensor<4xf32>
// FORMULA: samba.selective_scan {{.*}}samba.plain_log
// FORMULA: samba.rotary_table {{.*}}samba.narrow_angles
// INSIDE: samba.selective_scan {{.*}}samba.round_output
// INSIDE: samba.rotary {{.*}}samba.round_products
// INSIDE: samba.sliding_window_attention {{.*}}samba.round_weights
// INSIDE: samba.cross_attention {{.*}}samba.round_weights

// DEFAULT-NOT: arith
// DEFAULT-NOT: samba.round
// DEFAULT: delta_bias
// DEFAULT-NOT: arith.truncf

// STATE: samba.weight @A from "A_log" transform neg_exp {samba.round_source} : tensor<4x2xf32>
// STATE: samba.weight @D from "D" {samba.round_source} : tensor<4xf32>
// STATE: samba.weight @w from "w" : tensor<4x4xf32>
samba.weight @A from "A_log" transform neg_exp : tensor<4x2xf32>
samba.weight @D from "D" : tensor<4xf32>
samba.weight @w from "w" : tensor<4x4xf32>
samba.weight @offset from "offset" : tensor<4xf32>

// BIAS-LABEL: func.func private @mixer
// BIAS: %[[DELTA:.*]] = samba.linear %{{.*}}, %{{.*}} bias %{{.*}} : tensor<4xf32>
// BIAS: samba.selective_scan %{{.*}}, %[[DELTA]]
// BIAS-NOT: delta_bias
// BIAS: return
// GATE-LABEL: func.func private @mixer
// GATE: %[[Y:.*]], %{{.*}} = samba.selective_scan
// GATE-NOT: gate %
// GATE: samba.swiglu %{{.*}}, %[[Y]]
// STATE-LABEL: func.func private @mixer
// STATE: samba.selective_scan {{.*}}samba.round_state
// BF16-LABEL: func.func private @mixer
// BF16: %[[DELTA:.*]] = samba.linear
// BF16: %[[NARROW:.*]] = arith.truncf %[[DELTA]] : tensor<?x4xf32> to tensor<?x4xbf16>
// BF16: %[[ROUNDED:.*]] = arith.extf %[[NARROW]] : tensor<?x4xbf16> to tensor<?x4xf32>
// BF16: %[[Y:.*]], %{{.*}} = samba.selective_scan %{{.*}}, %[[ROUNDED]]
// BF16: arith.truncf %[[Y]]
// BF16: %[[SUM:.*]] = arith.addf
// BF16: arith.truncf %[[SUM]]
// RESIDUAL-LABEL: func.func private @mixer
// RESIDUAL: %[[SUM:.*]] = arith.addf
// RESIDUAL-NEXT: return %[[SUM]]
func.func private @mixer(%x: tensor<?x4xf32>, %segments: tensor<?xi64>, %w: tensor<4x4xf32>, %bias: tensor<4xf32>, %A: tensor<4x2xf32>, %D: tensor<4xf32>, %B: tensor<?x2xf32>, %state: !samba.state<2x4xf32>) -> (tensor<?x4xf32>, !samba.state<2x4xf32>) {
  %delta = samba.linear %x, %w : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
  %y, %new = samba.selective_scan %x, %delta, %A, %B, %B segments %segments state %state skip %D : tensor<4xf32> gate %x : tensor<?x4xf32> delta_bias %bias : tensor<4xf32> {delta_softplus} : tensor<?x4xf32>, tensor<4x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?xi64>, !samba.state<2x4xf32>
  %sum = arith.addf %x, %y : tensor<?x4xf32>
  return %sum, %new : tensor<?x4xf32>, !samba.state<2x4xf32>
}

// BF16-LABEL: func.func @step
// BF16: %[[TABLE:.*]] = samba.rotary_table
// BF16: %[[NARROW:.*]] = arith.truncf %[[TABLE]]
// BF16: %[[ROUNDED:.*]] = arith.extf %[[NARROW]]
// BF16: %[[Q:.*]] = samba.rotary %{{.*}}, %[[ROUNDED]]
// BF16: arith.truncf %[[Q]]
// BF16: %[[LOGITS:.*]] = samba.linear
// BF16: arith.truncf %[[LOGITS]]
// INPUT-LABEL: func.func @step
// INPUT: %[[NARROW:.*]] = arith.truncf %{{.*}}
// INPUT: %[[ROUNDED:.*]] = arith.extf %[[NARROW]]
// INPUT: samba.rms_norm %[[ROUNDED]]
// CAST-LABEL: func.func @step
// CAST: samba.rms_norm {{.*}}samba.round_normalised
// WIDETABLES-LABEL: func.func @step
// WIDETABLES: %[[TABLE:.*]] = samba.rotary_table
// WIDETABLES: samba.rotary %{{.*}}, %[[TABLE]]
// WIDEOUTPUT-LABEL: func.func @step
// WIDEOUTPUT: %[[LOGITS:.*]] = samba.linear
// WIDEOUTPUT: return %[[LOGITS]]
func.func @step(%x: tensor<?x4xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %B: tensor<?x2xf32>, %norm: tensor<4xf32>, %bias: tensor<4xf32>, %state: !samba.state<2x4xf32>) -> (tensor<?x4xf32>, !samba.state<2x4xf32>) {
  %A = samba.load_weight @A : tensor<4x2xf32>
  %D = samba.load_weight @D : tensor<4xf32>
  %w = samba.load_weight @w : tensor<4x4xf32>
  %offset = samba.load_weight @offset : tensor<4xf32>
  %o = samba.rms_norm %x, %offset {eps = 1.0e-5 : f32} : tensor<?x4xf32>, tensor<4xf32>
  %h, %new = call @mixer(%x, %segments, %w, %bias, %A, %D, %B, %state) : (tensor<?x4xf32>, tensor<?xi64>, tensor<4x4xf32>, tensor<4xf32>, tensor<4x2xf32>, tensor<4xf32>, tensor<?x2xf32>, !samba.state<2x4xf32>) -> (tensor<?x4xf32>, !samba.state<2x4xf32>)
  %n = samba.rms_norm %h, %norm {eps = 1.0e-5 : f32} : tensor<?x4xf32>, tensor<4xf32>
  %table = samba.rotary_table %segments, %positions {theta = 1.0e4 : f64} : tensor<?xi64>, tensor<?xi64> -> tensor<?x4xf32>
  %q = samba.rotary %n, %table : tensor<?x4xf32>, tensor<?x4xf32>
  %logits = samba.linear %q, %w : tensor<?x4xf32>, tensor<4x4xf32> -> tensor<?x4xf32>
  return %logits, %new : tensor<?x4xf32>, !samba.state<2x4xf32>
}

func.func private @attend(%q: tensor<?x8xf32>, %segments: tensor<?xi64>, %positions: tensor<?xi64>, %rows: tensor<?xi64>, %keys: !samba.state<2x4x4xf32>, %values: !samba.state<2x4x4xf32>) -> (tensor<?x8xf32>, tensor<?x8xf32>, !samba.state<2x4x4xf32>, !samba.state<2x4x4xf32>) {
  %0, %1, %2 = samba.sliding_window_attention %q, %q, %q segments %segments positions %positions state %keys, %values
    : tensor<?x8xf32>, tensor<?x8xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x4x4xf32>
  %3, %4, %5 = samba.cross_attention %q rows %rows segments %segments positions %positions state %1, %2
    : tensor<?x8xf32>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, !samba.state<2x4x4xf32>
  return %0, %3, %4, %5 : tensor<?x8xf32>, tensor<?x8xf32>, !samba.state<2x4x4xf32>, !samba.state<2x4x4xf32>
}
