// RUN: samba-opt %s -samba-print-cost="tokens=6 rows=2 context=10" -o /dev/null | FileCheck %s
// RUN: samba-opt %s -samba-print-cost="tokens=6 rows=2 context=10 format=json" -o /dev/null | FileCheck %s --check-prefix=JSON
// RUN: samba-opt %s -samba-print-cost="tokens=4 segments=2 rows=4 context=10" -o /dev/null | FileCheck %s --check-prefix=ALL

// Layers behind what selects the rows of logits cost what those rows cost, counted by hand: rows of 8 lanes in and out
// are 64 bytes, and 8 flops.

// CHECK-LABEL: @layer, called 2 times
// CHECK-NEXT: addf (in no kernel) 384 0 0 48 0 1
// CHECK-LABEL: @layer, called 3 times with 2 rows
// CHECK-NEXT: addf (in no kernel) 128 0 0 16 0 1
// JSON: "calls": 2,
// JSON: "name": "layer",
// JSON-NEXT: "rows": 6,
// JSON: "calls": 3,
// JSON: "name": "layer",
// JSON-NEXT: "rows": 2,
// As many rows as tokens: all calls are alike.
// ALL-LABEL: @layer, called 5 times
// ALL-NOT: @layer
func.func private @layer(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = arith.addf %x, %x : tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}

// Called with two rows, which it passes on.
// CHECK-LABEL: @pair, called 1 time with 2 rows
func.func private @pair(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = call @layer(%x) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %1 = call @layer(%0) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %1 : tensor<?x8xf32>
}

// Two rows at the end of one segment see 15 and 16 keys: 31*2 scores of 19 flops, 16 slots of 32 bytes read once. Two
// segments of two tokens, all of which are asked for: 11 and 12 keys each, 46*2 scores, 2*12 slots.
// Vectors count one entry per segment and one, 8 bytes each.
// CHECK-LABEL: @step, called 1 time
// CHECK-NEXT: gather_rows
// CHECK-NEXT: cross_attention (in no kernel) 176 0 512 1178 62 1
// ALL-LABEL: @step, called 1 time
// ALL: cross_attention (in no kernel) 328 0 768 1748 92 1
func.func @step(%x: tensor<?x8xf32>, %rows: tensor<?xi64>, %s: tensor<?xi64>, %p: tensor<?xi64>,
    %key: !samba.state<1x64x4xf32>, %value: !samba.state<1x64x4xf32>)
    -> (tensor<?x8xf32>, !samba.state<1x64x4xf32>, !samba.state<1x64x4xf32>) {
  %0 = call @layer(%x) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %1 = call @layer(%0) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %2 = samba.gather_rows %1, %rows : tensor<?x8xf32>, tensor<?xi64> -> tensor<?x8xf32>
  %3 = call @pair(%2) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %4 = call @layer(%3) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  %5, %6, %7 = samba.cross_attention %4 rows %rows segments %s positions %p state %key, %value
    : tensor<?x8xf32>, tensor<?xi64>, tensor<?xi64>, tensor<?xi64>, !samba.state<1x64x4xf32>
  return %5, %6, %7 : tensor<?x8xf32>, !samba.state<1x64x4xf32>, !samba.state<1x64x4xf32>
}

// A function on the way to itself counts once.
// CHECK-LABEL: @circle, called 1 time
func.func @circle(%x: tensor<?x8xf32>) -> tensor<?x8xf32> {
  %0 = call @circle(%x) : (tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0 : tensor<?x8xf32>
}
