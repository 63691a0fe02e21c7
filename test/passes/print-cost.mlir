// RUN: samba-opt %s -samba-print-cost=tokens=6 -o /dev/null | FileCheck %s
// RUN: samba-opt %s -samba-print-cost="tokens=6 format=json" -o /dev/null | FileCheck %s --check-prefix=JSON
// RUN: samba-opt %s -samba-print-cost="tokens=6 segments=2 context=1" -o /dev/null | FileCheck %s --check-prefix=TWO
// RUN: samba-opt %s -samba-print-cost -o %t > %t.txt && samba-opt %s | cmp %t -
// RUN: not samba-opt %s -samba-print-cost=format=xml 2>&1 | FileCheck %s --check-prefix=FORMAT
// RUN: not samba-opt %s -samba-print-cost=segments=0 2>&1 | FileCheck %s --check-prefix=SEGMENTS
// FORMAT: error: samba-print-cost: expected format text or json, got 'xml'
// SEGMENTS: error: samba-print-cost: expected tokens and context that are not negative, and segments that are positive

// Numbers are counted by hand, for T = 6 tokens.

// CHECK: cost of a step of 6 tokens in 1 segments after 1024 tokens, 1 rows of logits
// CHECK-NEXT: kernel activations weights state flops exps barriers

// Rows in 6*32*4 = 768 and out 6*16*4 = 384; the matrix 16*32*4 = 2048 once; 2*6*16*32 = 6144 flops.
// CHECK-LABEL: @linear, called 1 time
// CHECK-NEXT: linear (in no kernel) 1152 2048 0 6144 0 1
func.func @linear(%x: tensor<?x32xf32>, %w: tensor<16x32xf32>) -> tensor<?x16xf32> {
  %0 = samba.linear %x, %w : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}

// In bf16 the matrix is half as large. The bias is 16*4 bytes and 6*16 flops more.
// CHECK-LABEL: @narrow, called 1 time
// CHECK-NEXT: linear (in no kernel) 1152 1088 0 6240 0 1
func.func @narrow(%x: tensor<?x32xf32>, %w: tensor<16x32xbf16>, %b: tensor<16xf32>) -> tensor<?x16xf32> {
  %0 = samba.linear %x, %w bias %b : tensor<16xf32> : tensor<?x32xf32>, tensor<16x32xbf16> -> tensor<?x16xf32>
  return %0 : tensor<?x16xf32>
}

// The sum is the epilogue of the linear's loop: one barrier. Rows of 16: two in (x has 32), one out.
// CHECK-LABEL: @epilogue, called 1 time
// CHECK-NEXT: k 1536 2048 0 6240 0 1
func.func @epilogue(%x: tensor<?x32xf32>, %r: tensor<?x16xf32>, %w: tensor<16x32xf32>) -> tensor<?x16xf32> {
  %0 = samba.kernel "k" ins(%a = %x : tensor<?x32xf32>, %b = %r : tensor<?x16xf32>, %m = %w : tensor<16x32xf32>) -> tensor<?x16xf32> {
    %1 = samba.linear %a, %m : tensor<?x32xf32>, tensor<16x32xf32> -> tensor<?x16xf32>
    %2 = arith.addf %b, %1 : tensor<?x16xf32>
    samba.yield %2 : tensor<?x16xf32>
  }
  return %0 : tensor<?x16xf32>
}

// Of the input only the two slices of 8 columns are read: 6*16*4 in, 6*8*4 out. 3*48 flops, 48 exponentials.
// CHECK-LABEL: @sliced, called 1 time
// CHECK-NEXT: k 576 0 0 144 48 1
func.func @sliced(%x: tensor<?x32xf32>) -> tensor<?x8xf32> {
  %0 = samba.kernel "k" ins(%a = %x : tensor<?x32xf32>) -> tensor<?x8xf32> {
    %c0 = arith.constant 0 : index
    %t = tensor.dim %a, %c0 : tensor<?x32xf32>
    %g = tensor.extract_slice %a[0, 0] [%t, 8] [1, 1] : tensor<?x32xf32> to tensor<?x8xf32>
    %u = tensor.extract_slice %a[0, 16] [%t, 8] [1, 1] : tensor<?x32xf32> to tensor<?x8xf32>
    %1 = samba.swiglu %g, %u : tensor<?x8xf32>
    samba.yield %1 : tensor<?x8xf32>
  }
  return %0 : tensor<?x8xf32>
}

// Six rows of the table, 64 bytes each; tokens 6*4; rows out 6*16*4. One row is gathered; a vector of rows counts as
// one entry per sequence and one.
// CHECK-LABEL: @rows, called 1 time
// CHECK-NEXT: embedding (in no kernel) 408 384 0 0 0 1
// CHECK-NEXT: gather_rows (in no kernel) 144 0 0 0 0 1
// The norm sees the one row: 64 in, 64 out, the weight 64; 4*16 flops.
// CHECK-NEXT: rms_norm (in no kernel) 128 64 0 64 0 1
// CHECK-NEXT: one call 680 448 0 64 0 3
func.func @rows(%tokens: tensor<?xi32>, %table: tensor<24x16xf32>, %rows: tensor<?xi64>, %n: tensor<16xf32>) -> tensor<?x16xf32> {
  %0 = samba.embedding %tokens, %table : tensor<?xi32>, tensor<24x16xf32> -> tensor<?x16xf32>
  %1 = samba.gather_rows %0, %rows : tensor<?x16xf32>, tensor<?xi64> -> tensor<?x16xf32>
  %2 = samba.rms_norm %1, %n {eps = 1.0e-5 : f32} : tensor<?x16xf32>, tensor<16xf32>
  return %2 : tensor<?x16xf32>
}

// Rows 2*6*8*4, segments 2*8; taps 8*4*4 and bias 32; state 3*8*4 read and written; each of 48 elements takes
// 2*4 + 1 + 2 flops and one exponential.
// CHECK-LABEL: @conv, called 1 time
// CHECK-NEXT: causal_conv1d (in no kernel) 400 160 192 528 48 1
// Two sequences: three entries of segments, and twice the state.
// TWO-LABEL: @conv, called 1 time
// TWO-NEXT: causal_conv1d (in no kernel) 408 160 384 528 48 1
func.func @conv(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %b: tensor<8xf32>, %s: tensor<?xi64>, %state: !samba.state<3x8xf32>)
    -> (tensor<?x8xf32>, !samba.state<3x8xf32>) {
  %0, %1 = samba.causal_conv1d %x, %w bias %b : tensor<8xf32> segments %s state %state activation silu
    : tensor<?x8xf32>, tensor<8x4xf32>, tensor<?xi64>, !samba.state<3x8xf32>
  return %0, %1 : tensor<?x8xf32>, !samba.state<3x8xf32>
}

// u, delta, z and y: 4*6*8*4; B and C: 2*6*2*4; segments 16. A 64, D and the bias of delta 32 each. 48 channels with
// 6*2 + 1 + 1 + 3 + 2 + 3 flops and 2 + 2 + 1 exponentials.
// CHECK-LABEL: @scan, called 1 time
// CHECK-NEXT: selective_scan (in no kernel) 880 128 128 1056 240 1
func.func @scan(%u: tensor<?x8xf32>, %delta: tensor<?x8xf32>, %A: tensor<8x2xf32>, %B: tensor<?x2xf32>, %C: tensor<?x2xf32>,
    %s: tensor<?xi64>, %D: tensor<8xf32>, %z: tensor<?x8xf32>, %bias: tensor<8xf32>, %state: !samba.state<2x8xf32>)
    -> (tensor<?x8xf32>, !samba.state<2x8xf32>) {
  %0, %1 = samba.selective_scan %u, %delta, %A, %B, %C segments %s state %state skip %D : tensor<8xf32>
    gate %z : tensor<?x8xf32> delta_bias %bias : tensor<8xf32> {delta_softplus}
    : tensor<?x8xf32>, tensor<8x2xf32>, tensor<?x2xf32>, tensor<?x2xf32>, tensor<?xi64>, !samba.state<2x8xf32>
  return %0, %1 : tensor<?x8xf32>, !samba.state<2x8xf32>
}

// q and y 2*6*8*4, k and v 2*6*4*4, segments and positions 2*16. The window of 4 is full: 6*4 keys for each of 2 heads
// make 48 scores, each 4*4 + 3 flops and one exponential. Keys and values: 4 slots read, 4 written, of 16 bytes.
// CHECK-LABEL: @attention, called 1 time
// CHECK-NEXT: sliding_window_attention (in no kernel) 608 0 256 912 48 2
// Two sequences of three tokens after one: 2, 3 and 4 keys each. One slot read and three written.
// TWO-LABEL: @attention, called 1 time
// TWO-NEXT: sliding_window_attention (in no kernel) 624 0 256 684 36 2
func.func @attention(%q: tensor<?x8xf32>, %k: tensor<?x4xf32>, %v: tensor<?x4xf32>, %s: tensor<?xi64>, %p: tensor<?xi64>,
    %key: !samba.state<1x4x4xf32>, %value: !samba.state<1x4x4xf32>)
    -> (tensor<?x8xf32>, !samba.state<1x4x4xf32>, !samba.state<1x4x4xf32>) {
  %0, %1, %2 = samba.sliding_window_attention %q, %k, %v segments %s positions %p state %key, %value {window = 4 : i64}
    : tensor<?x8xf32>, tensor<?x4xf32>, tensor<?xi64>, tensor<?xi64>, !samba.state<1x4x4xf32>
  return %0, %1, %2 : tensor<?x8xf32>, !samba.state<1x4x4xf32>, !samba.state<1x4x4xf32>
}

// Calls count in the step: two calls of 2*6*8*4 bytes and 6*8 flops, and one operation of the caller.
// CHECK-LABEL: @shared, called 2 times
// CHECK-NEXT: addf (in no kernel) 384 0 0 48 0 1
func.func private @shared(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = arith.addf %x, %x : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
// CHECK-LABEL: @caller, called 1 time
// CHECK-NEXT: rotary (in no kernel) 480 0 0 144 0 1
// CHECK-NEXT: one call 480
func.func @caller(%x: tensor<?x8xf32>, %table: tensor<?x4xf32>) -> tensor<?x8xf32> {
  %0 = call @shared(%x) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %1 = call @shared(%0) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %2 = samba.rotary %1, %table : tensor<?x8xf32>, tensor<?x4xf32>
  return %2 : tensor<?x8xf32>
}
// CHECK-LABEL: @nobody, called 0 times
func.func private @nobody(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = arith.addf %x, %x : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// 1152+1152+1536+576+680+400+880+608+2*384+480 bytes of rows.
// CHECK: step 8232 5920 576 21568 384 14

// JSON: "activation_bytes": 8232,
// JSON: "barriers": 14,
// JSON: "flops": 21568,
// JSON: "name": "linear (in no kernel)"

// As remarks, of which the filter chooses the category.
// RUN: samba-opt %s -samba-print-cost=tokens=6 --remarks-filter=samba-cost -o /dev/null 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK
// REMARK: remark: [Analysis] samba-print-cost | Category:samba-cost | Function=attention | ActivationBytes=608, Barriers=2, Calls=1, Flops=912, Kernel="sliding_window_attention (in no kernel)", StateBytes=256, WeightBytes=0
// RUN: samba-opt %s -samba-print-cost=tokens=6 --remarks-filter=samba-fusion -o /dev/null 2>&1 >/dev/null | count 0
// RUN: samba-opt %s -samba-print-cost=tokens=6 --remarks-filter='samba-.*' --remark-format=yaml --remarks-output-file=%t.yaml -o /dev/null > /dev/null
// RUN: FileCheck %s --check-prefix=YAML < %t.yaml
// YAML: --- !Analysis
// YAML-NEXT: Pass: samba-cost
// YAML-NEXT: Name: samba-print-cost
